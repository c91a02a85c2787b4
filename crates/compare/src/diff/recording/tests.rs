use results::recording::{
    CallParts, CallerRow, RecordingReport, RestMemory, RestRow, Seen, SiteCosts, SiteDetail,
    SiteRow,
};
use results::recording_diff::{CallerChange, ChangeCause, ChangeVerdict, ComparedCost, PriceKind};

use super::*;

mod matching;
mod odd;

const SEEN: Seen = Seen {
    allocations: true,
    syscalls: true,
    faults: true,
    kernel_faults: true,
    stops: false,
    absences: false,
};

/// A call site with so many calls and frees and so many faults, at these prices.
#[derive(Clone)]
struct Made {
    function: String,
    at: Option<String>,
    calls: u64,
    faults: u64,
    call_ns: f64,
    fault_ns: f64,
    free_ns: f64,
}

fn site(function: &str, at: &str, calls: u64, faults: u64) -> Made {
    let at = Some(at.to_owned());
    let function = function.to_owned();
    Made { function, at, calls, faults, call_ns: 100.0, fault_ns: 2_000.0, free_ns: 60.0 }
}

fn ns(count: u64, price: f64) -> u64 {
    rounded(count as f64 * price)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
fn rounded(ns: f64) -> u64 {
    ns.round() as u64
}

fn report(sites: &[Made]) -> RecordingReport {
    let mut report = RecordingReport { seen: SEEN, ..RecordingReport::default() };
    report.command = vec!["./app".to_owned()];
    for (index, made) in sites.iter().enumerate() {
        let (apparent_ns, release_ns) =
            (ns(made.calls, made.call_ns), ns(made.calls, made.free_ns));
        let first_touch_ns = ns(made.faults, made.fault_ns);
        let costs = SiteCosts {
            calls: made.calls,
            frees: made.calls,
            bytes: made.calls * 64,
            apparent_ns,
            release_ns,
            first_touch_ns: Some(first_touch_ns),
            true_ns: Some(apparent_ns + release_ns + first_touch_ns),
            minor_faults: Some(made.faults),
            touch_faults: Some(made.faults),
            ..SiteCosts::none(SEEN)
        };
        let parts = CallParts { user_ns: apparent_ns, ..CallParts::default() };
        report.sites.push(SiteRow {
            stack: vec![format!("{} ({})", made.function, made.at.clone().unwrap_or_default())],
            costs,
            detail: SiteDetail { parts, ..SiteDetail::default() },
            ..SiteRow::default()
        });
        report.callers.push(CallerRow {
            function: made.function.clone(),
            at: made.at.clone(),
            sites: vec![index],
            costs,
            ..CallerRow::default()
        });
    }
    let costs = SiteCosts::sum(SEEN, report.callers.iter().map(|caller| &caller.costs));
    report.costs = costs;
    report.totals.calls = costs.calls;
    report.totals.timed_calls = costs.calls;
    report.totals.release_calls = costs.frees;
    report.totals.timed_release_calls = costs.frees / 8;
    report.rest = vec![RestRow {
        kind: RestMemory::Stack,
        minor_faults: 40,
        major_faults: 0,
        fault_ns: 90_000,
    }];
    report.elapsed_ns = 7_000_000_000 + costs.true_ns.unwrap_or(0);
    report
}

/// Sites of very different numbers of operations.
fn program() -> Vec<Made> {
    (0..40_u64)
        .map(|index| site(&format!("f{index}"), "a.c:7", 10 << (index % 14), 5 << (index % 9)))
        .collect()
}

/// Numbers between -1 and 1 without a pattern that matters.
fn chance(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / f64::from(1_u32 << 30) - 1.0
    }
}

/// The prices of a run that scatter by 10 %, and by more where there are few operations.
fn another_run(sites: &[Made], seed: u64, machine: f64) -> Vec<Made> {
    let mut next = chance(seed);
    let mut scattered = |price: f64, operations: u64| {
        let normal: f64 = (0..12).map(|_| next() / 2.0).sum();
        price * machine * (0.1 * normal * (1.0 + 10.0 / operations.max(1) as f64).sqrt()).exp()
    };
    let run = |made: &Made| Made {
        call_ns: scattered(made.call_ns, made.calls),
        fault_ns: scattered(made.fault_ns, made.faults),
        free_ns: scattered(made.free_ns, made.calls / 8),
        ..made.clone()
    };
    sites.iter().map(run).collect()
}

fn compared(old: &RecordingReport, new: &RecordingReport) -> RecordingDiff {
    let file = |file, report| RecordingFile { file, report, taken: None };
    let diff = recording_diff("1", file("old.ft", old), file("new.ft", new)).expect("two");
    adds_up(&diff, old, new);
    diff
}

/// The rows are all of the change of the memory cost, and the parts all of each row.
fn adds_up(diff: &RecordingDiff, old: &RecordingReport, new: &RecordingReport) {
    let rows: i64 = diff.callers.iter().map(|row| row.cost.change_ns).sum();
    assert_eq!(rows + diff.remainder.change_ns, diff.sites.change_ns);
    let rest: i64 = diff.rest.iter().map(|row| row.cost.change_ns).sum();
    assert_eq!(
        (rest, diff.sites.change_ns + rest),
        (diff.rest_total.change_ns, diff.total.change_ns)
    );
    if diff.compared == ComparedCost::True {
        let cost = |report: &RecordingReport| signed(report.costs.true_ns.unwrap());
        assert_eq!((diff.sites.old_ns, diff.sites.new_ns), (cost(old), cost(new)));
    }
    for row in &diff.callers {
        assert_eq!(row.by_counts_ns + row.by_price_ns, row.cost.change_ns, "{row:?}");
        assert_eq!(CostChange::sum(row.parts.iter().map(|part| part.cost)), row.cost, "{row:?}");
        for part in &row.parts {
            assert_eq!(part.by_counts_ns + part.by_price_ns, part.cost.change_ns, "{part:?}");
        }
    }
}

fn different(diff: &RecordingDiff) -> Vec<&CallerChange> {
    diff.callers.iter().filter(|row| row.verdict == ChangeVerdict::Different).collect()
}

#[test]
fn equal_counts_with_scattered_prices_are_noise() {
    let old = program();
    for seed in 1..40 {
        let machine = if seed % 2 == 0 { 1.3 } else { 1.0 };
        let new = another_run(&old, seed, machine);
        let diff = compared(&report(&another_run(&old, seed + 900, 1.0)), &report(&new));
        assert!(different(&diff).is_empty(), "seed {seed}: {:#?}", different(&diff)[0]);
        assert_eq!(diff.noise.callers, 40, "seed {seed}");
        let fault = diff.prices.iter().find(|price| price.of == PriceKind::Fault).unwrap();
        assert!((fault.ratio / machine - 1.0).abs() < 0.1, "seed {seed}: {fault:?}");
        let scatter = fault.scatter.expect("it has many sites");
        assert!((0.05..0.3).contains(&scatter), "seed {seed}: {fault:?}");
    }
}

#[test]
fn a_site_with_other_counts_stands_out_alone() {
    let old = program();
    let mut new = another_run(&old, 5, 1.1);
    new[30].faults *= 2;
    let diff = compared(&report(&old), &report(&new));
    let found = different(&diff);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!((&*found[0].function, found[0].because), ("f30", Some(ChangeCause::Counts)));
    let faults = signed(old[30].faults) * 2_000;
    assert_eq!(found[0].by_counts_ns, faults, "so many faults at the old price");
}

#[test]
fn a_price_that_changed_far_more_than_the_others_stands_out() {
    let old = program();
    let mut new = another_run(&old, 6, 0.9);
    new[8].fault_ns *= 4.0;
    let diff = compared(&report(&old), &report(&new));
    let found = different(&diff);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!((&*found[0].function, found[0].because), ("f8", Some(ChangeCause::Price)));
    assert_eq!(found[0].by_counts_ns, 0);
    assert!(found[0].machine_ns < 0, "the machine became faster: {:?}", found[0]);
    let noise_ns = found[0].noise_ns.expect("it is known");
    assert!(found[0].by_price_ns - found[0].machine_ns > noise_ns);
}

#[test]
fn one_call_that_was_preempted_is_noise() {
    let old = program();
    let mut new = old.clone();
    new[13].call_ns *= 3.0;
    let (old, mut new) = (report(&old), report(&new));
    assert_eq!(different(&compared(&old, &new)).len(), 1, "all of its calls are slower");
    let latency = results::recording::CallLatency {
        timed: 1,
        max_ns: new.sites[13].costs.apparent_ns,
        ..results::recording::CallLatency::default()
    };
    new.sites[13].detail.latency = Some(latency);
    let diff = compared(&old, &new);
    assert!(different(&diff).is_empty(), "one of them had all that time: {:#?}", diff.callers[0]);
}

#[test]
fn few_sites_do_not_tell_how_prices_scatter() {
    let old = vec![site("main", "a.c:1", 400, 9_000), site("other", "a.c:2", 5, 50)];
    let mut new = old.clone();
    new[0].fault_ns *= 1.5;
    let diff = compared(&report(&old), &report(&new));
    assert_eq!(diff.callers[0].verdict, ChangeVerdict::Unclear);
    assert_eq!((diff.callers[0].noise_ns, diff.callers[1].verdict), (None, ChangeVerdict::Same));
    assert!(diff.prices.iter().all(|price| price.scatter.is_none()), "{:?}", diff.prices);
    // Counts are exact, however few sites there are.
    new[0].faults = 400;
    let diff = compared(&report(&old), &report(&new));
    assert_eq!(diff.callers[0].because, Some(ChangeCause::Counts));
}

#[test]
fn what_is_estimated_is_noise_within_its_error() {
    let old = vec![site("main", "a.c:1", 400, 9_000)];
    let mut new = old.clone();
    (new[0].calls, new[0].faults) = (440, 9_900);
    let (old, mut new) = (report(&old), report(&new));
    assert_eq!(different(&compared(&old, &new)).len(), 1);
    new.sampled = Some(results::recording::SampledRecording::default());
    let sum = new.costs;
    for costs in [&mut new.callers[0].costs, &mut new.sites[0].costs] {
        costs.true_error_ns = Some(2_000_000);
    }
    let diff = compared(&old, &new);
    assert!(diff.estimated && different(&diff).is_empty(), "{:?}", diff.callers);
    // All sites together are exact, and what the estimates have too much is told.
    new.costs.true_ns = sum.true_ns.map(|ns| ns - 77);
    let diff = compared(&old, &new);
    assert_eq!((diff.remainder.old_ns, diff.remainder.new_ns), (0, -77));
}

#[test]
fn what_one_does_not_have_is_not_compared() {
    let sites = [site("main", "a.c:1", 400, 9_000)];
    let with = report(&sites);
    let mut without = report(&sites);
    without.seen.faults = false;
    for costs in [&mut without.costs, &mut without.callers[0].costs, &mut without.sites[0].costs] {
        costs.true_ns = None;
        costs.first_touch_ns = None;
        (costs.minor_faults, costs.touch_faults) = (None, None);
    }
    without.rest.clear();
    let diff = compared(&with, &without);
    assert_eq!(diff.compared, ComparedCost::InCalls);
    assert_eq!((diff.sites.old_ns, diff.sites.change_ns), (64_000, 0), "calls and frees");
    assert!(diff.rest.is_empty() && diff.old.share.is_none());
    let seen: Vec<&str> = diff.differences.iter().map(|one| &*one.what).collect();
    assert_eq!(seen, ["faults_seen"]);
}
