//! Reports of some calls, of parts of stacks, and past functions that allocate for their callers.

use std::num::NonZeroU64;

use analysis::allocations::CallFilter;
use analysis::recording::{
    CodeFile, FrameName, RecordingFacts, ReportScope, SymbolSource, scoped_report,
};
use events::{Allocation, AllocationFunction, StackSampling, Thread};
use results::recording::{RecordingReport, ReportFilter, UnnamedFile};

use crate::script::{PAGE, Script, first, free};

const AT: u64 = 0x10_0000;

/// Nothing has a name, so the functions are addresses.
struct Unknown;

impl SymbolSource for Unknown {
    fn names(&mut self, _: CodeFile<'_>, _: &[u64]) -> Vec<Vec<FrameName>> {
        Vec::new()
    }

    fn unnamed(&self) -> Vec<UnnamedFile> {
        Vec::new()
    }
}

fn called(script: &mut Script, time_ns: u64, frames: &[u64], (address, size_bytes): (u64, u64)) {
    let stack = script.frames(frames);
    let call = free(0, NonZeroU64::new(10));
    let function = AllocationFunction::Malloc;
    script.call(time_ns, Allocation { address, stack, function, size_bytes, ..call });
}

/// Three calls of two threads and two processes, from two functions by a wrapper at 0x10; each
/// block has a fault of its own length when all calls are over, and the first is given back by
/// another thread.
fn program() -> Script {
    let (main, second) = (first(1), Thread { pid: 1, tid: 5 });
    let mut script = Script::new();
    called(script.of(main), 100, &[0x10, 0x20, 0x30], (AT, PAGE));
    called(script.of(second), 200, &[0x10, 0x21, 0x30], (AT + 8 * PAGE, 2 * PAGE));
    script.of(main).fork(250, 2);
    called(script.of(first(2)), 300, &[0x10, 0x21, 0x31], (AT + 16 * PAGE, 3 * PAGE));
    script.fault(500, 7, AT + 16 * PAGE).of(main);
    script.fault(400, 50, AT).fault(420, 600, AT + 8 * PAGE);
    script.of(second).free((600, 604), AT).of(main).exit(1000).of(first(2)).exit(1000);
    script
}

fn reported(script: &mut Script, filter: &CallFilter, skip: &[&str]) -> RecordingReport {
    let (account, definitions) = script.select(filter.clone(), None).account();
    let skip = skip.iter().map(|&name| name.to_owned()).collect();
    let scope = ReportScope { filter: filter.clone(), skip };
    scoped_report(&account, &definitions, &RecordingFacts::default(), &mut Unknown, &scope)
}

#[test]
fn a_chosen_call_pays_for_its_block_and_the_others_are_left_out() {
    let all = reported(&mut program(), &CallFilter::default(), &[]);
    assert_eq!((all.filter, all.sites.len(), all.costs.true_ns), (None, 3, Some(691)));
    let times = |times_ns| CallFilter { times_ns: Some(times_ns), ..CallFilter::default() };
    let sizes = |sizes| CallFilter { sizes_bytes: Some(sizes), ..CallFilter::default() };
    for (filter, calls, true_ns) in [
        (times(100..101), 1, 10 + 50 + 4),
        (times(150..u64::MAX), 2, 20 + 600 + 7),
        (times(400..500), 0, 0),
        (CallFilter { tid: Some(5), ..CallFilter::default() }, 1, 10 + 600),
        (CallFilter { pid: Some(1), ..CallFilter::default() }, 2, 20 + 50 + 600 + 4),
        (CallFilter { pid: Some(2), ..CallFilter::default() }, 1, 10 + 7),
        (CallFilter { pid: Some(9), ..CallFilter::default() }, 0, 0),
        (sizes(PAGE..=2 * PAGE), 2, 20 + 50 + 600 + 4),
        (CallFilter { tid: Some(1), ..sizes(PAGE + 1..=u64::MAX) }, 0, 0),
    ] {
        let report = reported(&mut program(), &filter, &[]);
        let left_out = report.filter.expect("there is one").left_out;
        assert_eq!(
            (report.costs.calls, report.costs.true_ns),
            (calls, Some(true_ns)),
            "{filter:?}"
        );
        assert_eq!(report.sites.len() as u64, calls, "{filter:?}");
        assert_eq!((left_out.calls, left_out.true_ns), (3 - calls, Some(691 - true_ns)));
        // Sums of the whole recording do not depend on the choice.
        assert_eq!(report.totals, all.totals, "{filter:?}");
        assert_eq!(report.rest, all.rest, "{filter:?}");
    }
}

#[test]
fn the_report_says_what_it_is_of() {
    let filter = CallFilter {
        times_ns: Some(100..200),
        tid: Some(4),
        pid: Some(3),
        sizes_bytes: Some(16..=32),
    };
    let asked = |filter: CallFilter| {
        let filter = reported(&mut program(), &filter, &[]).filter.expect("there is one");
        ReportFilter { left_out: results::recording::SiteCosts::default(), ..filter }
    };
    assert_eq!(
        asked(filter.clone()),
        ReportFilter {
            from_ns: Some(100),
            until_ns: Some(200),
            tid: Some(4),
            pid: Some(3),
            min_bytes: Some(16),
            max_bytes: Some(32),
            ..ReportFilter::default()
        }
    );
    let open = CallFilter {
        times_ns: Some(0..200),
        sizes_bytes: Some(16..=u64::MAX),
        ..CallFilter::default()
    };
    let until_ns = Some(200);
    let expected = ReportFilter { until_ns, min_bytes: Some(16), ..ReportFilter::default() };
    assert_eq!(asked(open), expected);
}

#[test]
fn stacks_that_agree_in_their_innermost_frames_are_one_site() {
    let sites = |depth| {
        let (account, _) = program().select(CallFilter::default(), depth).account();
        let site = |site: &analysis::allocations::Site| {
            (account.frames(site.stack).count(), site.calls, site.touches.ns, site.peak_bytes)
        };
        account.sites.iter().map(site).collect::<Vec<_>>()
    };
    let whole = [(3, 1, 50, PAGE), (3, 1, 600, 2 * PAGE), (3, 1, 7, 3 * PAGE)];
    assert_eq!(sites(None), whole);
    assert_eq!(sites(Some(3)), whole);
    assert_eq!(sites(Some(9)), whole);
    // What is live at once is known of the cut stack itself.
    assert_eq!(sites(Some(2)), [(2, 1, 50, PAGE), (2, 2, 607, 5 * PAGE)]);
    assert_eq!(sites(Some(1)), [(1, 3, 657, 6 * PAGE)]);
}

#[test]
fn the_callers_of_a_wrapper_have_rows_of_their_own() {
    let callers = |skip: &[&str]| {
        let report = reported(&mut program(), &CallFilter::default(), skip);
        let names = report.callers.iter().map(|caller| caller.function.clone());
        let found: Vec<u64> = report.skipped.iter().map(|skipped| skipped.sites).collect();
        (names.collect::<Vec<_>>().join(" "), found)
    };
    assert_eq!(callers(&[]), ("0x10".to_owned(), vec![]));
    assert_eq!(callers(&["0x10"]), ("0x21 0x20".to_owned(), vec![3]));
    assert_eq!(callers(&["0x10", "0x21"]), ("0x30 0x20 0x31".to_owned(), vec![3, 2]));
    // Further out it is not in the way.
    assert_eq!(callers(&["0x30", "0x9"]), ("0x10".to_owned(), vec![0, 0]));
    assert_eq!(callers(&["0x*"]), ("0x10".to_owned(), vec![3]), "there is no other function");
}

#[test]
fn what_is_chosen_of_sampled_calls_is_estimated_and_the_sums_stay_exact() {
    let mean_bytes = NonZeroU64::new(5909).expect("it is not 0");
    let of =
        |filter: &CallFilter| reported(program().sample(StackSampling { mean_bytes }), filter, &[]);
    let all = of(&CallFilter::default());
    let filtered = of(&CallFilter { pid: Some(1), ..CallFilter::default() });
    let left_out = filtered.filter.expect("there is one").left_out;
    assert_eq!(filtered.totals, all.totals);
    assert_eq!((all.totals.calls, all.costs.calls_error), (3, None));
    assert!(filtered.costs.calls_error.is_some() && left_out.calls_error.is_some());
    let sum: u64 = filtered.sites.iter().map(|site| site.costs.calls).sum();
    assert_eq!(filtered.costs.calls, sum);
    let estimate: u64 = all.sites.iter().map(|site| site.costs.calls).sum();
    assert_eq!(sum + left_out.calls, estimate, "as many as without the filter");
}
