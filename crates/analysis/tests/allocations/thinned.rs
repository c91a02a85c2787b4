//! Streams that have calls on some blocks only: counts are exact, and what is estimated is right on
//! average.

use std::collections::BTreeMap;
use std::num::NonZeroU64;

use analysis::allocations::{AllocationAccount, Ledger};
use events::{
    AllocationFunction, Batch, CallCounts, Definitions, Event, EventKind, StackId, Thinning,
};

use crate::script::{PAGE, Script, Sites, first, header};

pub(crate) const SITES: [u64; 3] = [0x501, 0x502, 0x503];
const HEAP: u64 = 0x10_0000;
/// When the first and the second level begin.
const BEGINS_NS: [u64; 2] = [40_000, 90_000];

/// What the recorder leaves of a stream, said once more: the calls on followed blocks, the first of
/// each kind, and counts of all.
fn thinned(events: &[Event], levels: &[Thinning]) -> (Vec<Event>, Vec<CallCounts>) {
    let mut counts: BTreeMap<(u32, StackId, AllocationFunction, bool), CallCounts> =
        BTreeMap::new();
    let mut is_left = |event: &Event| {
        let EventKind::Allocation(call) = event.kind else { return true };
        let releases = call.only_gives_back();
        let stack = if releases { StackId::NONE } else { call.stack };
        let key = (event.thread.pid, stack, call.function, releases);
        let mut is_first = false;
        let counts = counts.entry(key).or_insert_with(|| {
            is_first = !releases;
            CallCounts {
                pid: event.thread.pid,
                stack,
                function: call.function,
                releases,
                first_ns: event.time_ns,
                calls: 0,
                failed: 0,
                bytes: 0,
                timed: 0,
                timed_ns: 0,
            }
        });
        counts.calls += 1;
        counts.failed += u64::from(!releases && call.address == 0);
        counts.bytes += if call.address == 0 { 0 } else { call.size_bytes };
        counts.timed += u64::from(call.latency_ns.is_some());
        counts.timed_ns += call.latency_ns.map_or(0, NonZeroU64::get);
        let level = Thinning::in_force(levels, event.time_ns);
        let follows = |address| address != 0 && level.is_none_or(|level| level.follows(address));
        is_first || follows(call.address) || follows(call.released)
    };
    let left = events.iter().copied().filter(|event| is_left(event)).collect();
    (left, counts.into_values().collect())
}

/// Blocks of three sites, each with a page of its own: given out, touched, most of them given back
/// or grown; some calls fail.
fn stream() -> (Vec<Event>, Definitions) {
    stream_with(false)
}

/// The same; larger blocks may have more faults, one of them inside the call.
pub(crate) fn stream_with(more_faults: bool) -> (Vec<Event>, Definitions) {
    let mut script = Script::new();
    let mut random = 1_u64;
    let mut next = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) % below
    };
    let mut live: Vec<u64> = Vec::new();
    let mut free: Vec<u64> = (0..400).map(|place| HEAP + place * PAGE).collect();
    for step in 0..3000_u64 {
        let (at, site) = (step * 50, SITES[usize::try_from(next(3)).unwrap()]);
        let bytes = 100 + next(3000);
        let place = usize::try_from(next(1 << 30)).unwrap();
        match next(10) {
            0 => {
                script.malloc((at, at + 10), site, (0, bytes));
            }
            1..=5 if !free.is_empty() => {
                let address = free.swap_remove(place % free.len());
                live.push(address);
                script.malloc((at, at + 10), site, (address, bytes));
                script.fault(at + 20, 5 + next(10), address + 64);
                if more_faults && bytes > 2000 {
                    script.fault(at + 5, 2, address + 1).fault(at + 33, 9, address + 99);
                }
            }
            6 if !live.is_empty() && !free.is_empty() => {
                let address = free.swap_remove(place % free.len());
                let place = place % live.len();
                let released = std::mem::replace(&mut live[place], address);
                free.push(released);
                script.realloc((at, at + 10), site, released, (address, bytes));
                script.fault(at + 20, 5 + next(10), address + 64);
            }
            _ if !live.is_empty() => {
                let released = live.swap_remove(place % live.len());
                free.push(released);
                script.free((at, at + 7), released);
            }
            _ => {}
        }
    }
    script.exit(3000 * 50);
    script.into_parts()
}

fn account(
    events: &[Event],
    definitions: &Definitions,
    levels: &[Thinning],
    counts: &[CallCounts],
) -> AllocationAccount {
    let mut ledger = Ledger::of_thinned(&header(), levels, counts);
    let mut table = Definitions::default();
    let batch = Batch { definitions: definitions.iter().collect(), events: events.to_vec() };
    ledger.take(&batch, &mut table);
    ledger.finish(0)
}

fn levels(seed: u64) -> [Thinning; 2] {
    [1, 3].map(|level: u8| {
        let from_ns = BEGINS_NS[usize::from(level / 2)];
        Thinning { from_ns, level, seed: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) }
    })
}

#[test]
fn counts_are_exact_whichever_blocks_are_followed() {
    let (events, definitions) = stream();
    let whole = Sites { account: account(&events, &definitions, &[], &[]) };
    for seed in 1..40 {
        let levels = levels(seed);
        let (left, counts) = thinned(&events, &levels);
        assert!(left.len() < events.len());
        let found = Sites { account: account(&left, &definitions, &levels, &counts) };
        for address in SITES {
            let figures = |sites: &Sites| {
                let site = sites.site(address);
                let times = site.apparent;
                [site.calls, site.failed, site.bytes, times.calls, times.timed, times.timed_ns]
            };
            assert_eq!(figures(&found), figures(&whole), "seed {seed}, site {address:#x}");
        }
        let sums = |sites: &Sites| {
            let account = &sites.account;
            (account.all_faults(), account.all_apparent(), account.all_releases())
        };
        assert_eq!(sums(&found), sums(&whole), "seed {seed}");
        let account = &found.account;
        let unmatched = (account.unknown_releases, account.lost_releases);
        assert_eq!(unmatched, (0, 0), "a followed block has both ends: seed {seed}");
        let facts = account.thinned.expect("it is thinned");
        assert_eq!((facts.from_ns, facts.one_in, facts.without_site), (BEGINS_NS[0], 8, 0));
    }
}

#[test]
fn estimates_are_right_on_average_and_so_is_their_error() {
    const SEEDS: u64 = 400;
    let (events, definitions) = stream();
    let whole = account(&events, &definitions, &[], &[]);
    let figures = |account: &AllocationAccount| {
        let sum = |of: fn(&analysis::allocations::Site) -> u64| {
            account.sites.iter().map(of).sum::<u64>() as f64
        };
        [
            sum(|site| site.touches.ns),
            sum(|site| site.touches.minor),
            sum(|site| site.frees),
            sum(|site| site.unreleased_bytes),
            sum(|site| site.release.timed_ns),
        ]
    };
    let exact = figures(&whole);
    let mut found: Vec<[f64; 5]> = Vec::new();
    let mut variances = Vec::new();
    for seed in 1..=SEEDS {
        let levels = levels(seed);
        let (left, counts) = thinned(&events, &levels);
        let account = account(&left, &definitions, &levels, &counts);
        found.push(figures(&account));
        variances.push((account.thinned.unwrap().touches_error_ns as f64).powi(2));
    }
    let count = SEEDS as f64;
    let mut of_touches = 0.0;
    for (figure, exact) in exact.iter().enumerate() {
        let mean = found.iter().map(|all| all[figure]).sum::<f64>() / count;
        let squares: f64 = found.iter().map(|all| (all[figure] - mean).powi(2)).sum();
        let variance = squares / (count - 1.0);
        let off = (mean - exact).abs() / (variance / count).sqrt();
        assert!(off < 4.0, "figure {figure}: {mean} of {exact}, {off} standard errors");
        if figure == 0 {
            of_touches = variance;
        }
    }
    let claimed = variances.iter().sum::<f64>() / count;
    let ratio = (claimed / of_touches).sqrt();
    assert!((0.8..1.6).contains(&ratio), "the error is claimed {ratio} times as large as it is");
}

#[test]
fn calls_whose_first_one_is_missing_have_no_site_and_count() {
    let (events, definitions) = stream();
    let levels = levels(1);
    let (left, mut counts) = thinned(&events, &levels);
    let lost = counts.iter_mut().find(|counts| !counts.releases).unwrap();
    lost.first_ns += 1;
    let calls = lost.calls;
    let found = account(&left, &definitions, &levels, &counts);
    let whole = account(&events, &definitions, &[], &[]);
    assert_eq!(found.thinned.unwrap().without_site, calls);
    assert_eq!(found.all_apparent().calls, whole.all_apparent().calls);
}

#[test]
fn a_fork_inherits_blocks_that_are_followed() {
    let levels = [Thinning { from_ns: 50, level: 1, seed: 5 }];
    let followed = |follows: bool| {
        let addresses = (0..).map(|place| HEAP + place * PAGE);
        addresses.into_iter().find(|&address| levels[0].follows(address) == follows).unwrap()
    };
    let (on, off) = (followed(true), followed(false));
    let mut script = Script::new();
    script.malloc((10, 20), SITES[0], (on, 100)).malloc((21, 30), SITES[0], (off, 100));
    script.fork(40, 2).of(first(2)).fault(60, 9, on).fault(70, 9, off).free((80, 90), on);
    script.of(first(1)).fault(100, 9, on);
    let (events, definitions) = script.into_parts();
    let found = Sites { account: account(&events, &definitions, &levels, &[]) };
    let site = found.site(SITES[0]);
    assert_eq!((site.touches.minor, site.frees, site.unreleased), (4, 2, 2));
    assert_eq!(found.account.all_faults().minor, 3);
}
