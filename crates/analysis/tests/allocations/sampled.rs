//! Streams in which only some calls have their stack: what all sites cost together is exact, and
//! what each of them costs is right on average, with the error that is said.

use std::num::NonZeroU64;

use analysis::allocations::{AllocationAccount, Ledger, Site};
use events::{Batch, Definitions, Event, EventKind, StackId, StackSampling};

use crate::script::{Sites, header};
use crate::thinned::{SITES, stream_with};

/// Random numbers above 0 and up to 1 (`SplitMix64`).
struct Chances(u64);

impl Chances {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) as f64 + 1.0) / 2_f64.powi(64)
    }
}

fn every(mean_bytes: u64) -> StackSampling {
    StackSampling { mean_bytes: NonZeroU64::new(mean_bytes).expect("it is not 0") }
}

/// The stream as it is recorded with `sampling`: the other calls have no stack. As in a program,
/// each thread goes from sample to sample.
fn sampled(events: &[Event], sampling: StackSampling, seed: u64) -> Vec<Event> {
    let mean_bytes = sampling.mean_bytes.get() as f64;
    let mut chances = Chances(seed);
    let mut distance = move || -mean_bytes * chances.next().ln();
    let mut left = distance();
    let mut take = |event: &Event| {
        let EventKind::Allocation(mut call) = event.kind else { return *event };
        if !call.only_gives_back() {
            left -= call.size_bytes.max(1) as f64;
            if left <= 0.0 {
                left = distance();
                return *event;
            }
        }
        call.stack = StackId::NOT_TAKEN;
        Event { kind: EventKind::Allocation(call), ..*event }
    };
    events.iter().map(&mut take).collect()
}

fn account(
    events: &[Event],
    definitions: &Definitions,
    sampling: Option<StackSampling>,
) -> AllocationAccount {
    let mut ledger = Ledger::new(&header()).with_sampling(sampling);
    let batch = Batch { definitions: definitions.iter().collect(), events: events.to_vec() };
    ledger.take(&batch, &mut Definitions::default());
    ledger.finish(0)
}

/// The figures of a site whose estimates are held against the truth: the first have an error.
fn figures(site: &Site) -> [u64; 11] {
    [
        site.calls,
        site.bytes,
        site.touches.ns,
        site.apparent.timed_ns,
        site.release.timed_ns,
        site.touches.minor,
        site.frees,
        site.failed,
        site.unreleased_bytes,
        site.at_peak_bytes,
        site.release.calls,
    ]
}

fn errors(site: &Site) -> [u64; 5] {
    let errors = site.errors;
    [errors.calls, errors.bytes, errors.touches_ns, errors.apparent_ns, errors.release_ns]
}

#[test]
fn what_all_sites_cost_together_is_exact_whichever_calls_are_chosen() {
    let (events, definitions) = stream_with(true);
    let whole = account(&events, &definitions, None);
    let sum = |of: fn(&Site) -> u64| whole.sites.iter().map(of).sum::<u64>();
    for seed in 1..40 {
        let sampling = every(seed * 400);
        let found = sampled(&events, sampling, seed);
        let found = account(&found, &definitions, Some(sampling));
        let facts = found.sampled.expect("it is sampled");
        assert!(facts.chosen_calls > 0 && facts.chosen_calls < sum(|site| site.calls));
        let all = facts.all;
        for (found, of) in [
            (all.calls, (|site| site.calls) as fn(&Site) -> u64),
            (all.bytes, |site| site.bytes),
            (all.failed, |site| site.failed),
            (all.frees, |site| site.frees),
            (all.unreleased, |site| site.unreleased),
            (all.unreleased_bytes, |site| site.unreleased_bytes),
            (all.at_peak_bytes, |site| site.at_peak_bytes),
            (all.touches.ns, |site| site.touches.ns),
            (all.touches.minor, |site| site.touches.minor),
            (all.inside.minor, |site| site.inside.minor),
            (all.syscalls, |site| site.syscalls),
        ] {
            assert_eq!(found, sum(of), "seed {seed}");
        }
        assert_eq!(found.all_apparent(), whole.all_apparent());
        assert_eq!(found.all_releases(), whole.all_releases());
        assert_eq!(found.all_faults(), whole.all_faults());
        assert_eq!(found.rest, whole.rest, "the faults of no block");
        let peak = |account: &AllocationAccount| (account.peak_live_bytes, account.peak_ns);
        assert_eq!(peak(&found), peak(&whole));
        assert_eq!((found.unknown_releases, found.lost_releases), (0, 0));
    }
}

#[test]
fn estimates_are_right_on_average_and_within_their_error() {
    const SEEDS: u64 = 1000;
    let (events, definitions) = stream_with(true);
    let whole = Sites { account: account(&events, &definitions, None) };
    // The smallest blocks are chosen with 4 in 100, the largest with 3 in 4.
    let sampling = every(2200);
    let found: Vec<Sites> = (1..=SEEDS)
        .map(|seed| sampled(&events, sampling, seed))
        .map(|events| Sites { account: account(&events, &definitions, Some(sampling)) })
        .collect();
    let count = SEEDS as f64;
    for address in SITES {
        let exact = figures(&whole.site(address));
        let sites: Vec<Site> = found.iter().map(|sites| sites.site(address)).collect();
        for (figure, exact) in exact.into_iter().enumerate() {
            let exact = exact as f64;
            let estimates = sites.iter().map(|site| figures(site)[figure] as f64);
            let mean = estimates.clone().sum::<f64>() / count;
            let squares: f64 = estimates.map(|estimate| (estimate - mean).powi(2)).sum();
            let variance = squares / (count - 1.0);
            let off = (mean - exact).abs() / (variance / count).sqrt();
            assert!(off < 4.5, "figure {figure}: {mean} of {exact}, {off} standard errors");
            if figure >= errors(&sites[0]).len() {
                continue;
            }
            let claimed = sites.iter().map(|site| (errors(site)[figure] as f64).powi(2));
            let claimed = claimed.sum::<f64>() / count;
            let ratio = (claimed / variance).sqrt();
            assert!((0.92..1.08).contains(&ratio), "figure {figure}: claimed {ratio} times");
            let is_within = |site: &&Site| {
                let off = (figures(site)[figure] as f64 - exact).abs();
                off <= 1.96 * errors(site)[figure] as f64
            };
            let within = sites.iter().filter(is_within).count() as f64 / count;
            assert!((0.92..0.975).contains(&within), "figure {figure}: {within} are within");
        }
    }
}

/// The stream with a time of one in four of the calls that only give back.
fn with_few_timed(mut events: Vec<Event>, seed: u64) -> Vec<Event> {
    let mut chances = Chances(!seed);
    for event in &mut events {
        if let EventKind::Allocation(call) = &mut event.kind
            && call.only_gives_back()
            && chances.next() > 0.25
        {
            call.latency_ns = None;
        }
    }
    events
}

#[test]
fn releases_of_which_few_are_timed_are_right_on_average() {
    const SEEDS: u64 = 1000;
    let (events, definitions) = stream_with(true);
    let whole = Sites { account: account(&events, &definitions, None) };
    let sampling = every(2200);
    let found: Vec<Sites> = (1..=SEEDS)
        .map(|seed| with_few_timed(sampled(&events, sampling, seed), seed))
        .map(|events| Sites { account: account(&events, &definitions, Some(sampling)) })
        .collect();
    let count = SEEDS as f64;
    for address in SITES {
        let exact = whole.site(address).release.timed_ns as f64;
        let sites: Vec<Site> = found.iter().map(|sites| sites.site(address)).collect();
        let estimates = sites.iter().map(|site| site.release.timed_ns as f64);
        let mean = estimates.clone().sum::<f64>() / count;
        let squares: f64 = estimates.map(|estimate| (estimate - mean).powi(2)).sum();
        let variance = squares / (count - 1.0);
        let off = (mean - exact).abs() / (variance / count).sqrt();
        assert!(off < 4.5, "{mean} of {exact}, {off} standard errors");
        let claimed = sites.iter().map(|site| (site.errors.release_ns as f64).powi(2));
        let ratio = (claimed.sum::<f64>() / count / variance).sqrt();
        assert!((0.9..1.15).contains(&ratio), "claimed {ratio} times");
    }
}

#[test]
fn where_every_byte_is_chosen_estimates_are_exact() {
    let (events, definitions) = stream_with(true);
    let whole = Sites { account: account(&events, &definitions, None) };
    // exp(-100) is left out of the smallest blocks.
    let found = sampled(&events, every(1), 1);
    let found = Sites { account: account(&found, &definitions, Some(every(1))) };
    for address in SITES {
        assert_eq!(figures(&found.site(address)), figures(&whole.site(address)));
        assert_eq!(errors(&found.site(address)), [0; 5]);
    }
    let chosen = found.account.sampled.map(|facts| facts.chosen_calls);
    assert_eq!(chosen, Some(whole.account.all_apparent().calls));
}

#[test]
fn a_chosen_call_with_an_unknown_stack_is_of_the_site_without_one() {
    let (mut events, definitions) = stream_with(true);
    for event in &mut events {
        if let EventKind::Allocation(call) = &mut event.kind {
            call.stack = StackId::NONE;
        }
    }
    let sampling = every(2200);
    let found = sampled(&events, sampling, 3);
    let found = account(&found, &definitions, Some(sampling));
    let facts = found.sampled.expect("it is sampled");
    let [site] = found.sites[..] else { panic!("{:?}", found.sites) };
    assert_eq!(found.frames(site.stack).count(), 0);
    let off = (site.bytes as f64 - facts.all.bytes as f64) / site.errors.bytes as f64;
    assert!(off.abs() < 5.0, "{off}");
}

#[test]
fn a_thinned_stream_is_not_sampled() {
    let (events, definitions) = stream_with(true);
    let levels = [events::Thinning { from_ns: 0, level: 1, seed: 1 }];
    let ledger = Ledger::of_thinned(&header(), &levels, &[]).with_sampling(Some(every(100)));
    let mut ledger = ledger;
    let batch = Batch { definitions: definitions.iter().collect(), events };
    ledger.take(&batch, &mut Definitions::default());
    let account = ledger.finish(0);
    assert!(account.thinned.is_some() && account.sampled.is_none());
}
