//! What is no pair of recordings, what no run has, and where recordings come from.

use super::*;

#[test]
fn what_is_no_pair_is_refused() {
    let one = report(&[site("main", "a.c:1", 400, 9_000)]);
    let mut bare = one.clone();
    bare.seen.allocations = false;
    let refusal = |old, new| {
        let file = |file, report| RecordingFile { file, report, taken: None };
        recording_diff("1", file("old.ft", old), file("new.ft", new)).unwrap_err()
    };
    let two = || ("old.ft".to_owned(), "new.ft".to_owned());
    let (old, new) = two();
    assert_eq!(refusal(&one, &one), IncomparableRecordings::Same(old, new));
    bare.elapsed_ns += 1;
    let (with, without) = two();
    assert_eq!(refusal(&one, &bare), IncomparableRecordings::WithoutCalls { without, with });
    let (mut no_faults, mut other) = (bare.clone(), bare.clone());
    (no_faults.seen.faults, other.elapsed_ns) = (false, 5);
    let (old, new) = two();
    assert_eq!(refusal(&no_faults, &other), IncomparableRecordings::Nothing(old, new));
}

#[test]
fn numbers_that_no_run_has_do_no_harm() {
    let mut huge = report(&[site("main", "a.c:1", 400, 9_000)]);
    let most = u64::MAX;
    let costs = SiteCosts {
        calls: most,
        frees: most,
        apparent_ns: most,
        first_touch_ns: Some(most),
        release_ns: most,
        true_ns: Some(most),
        touch_faults: Some(most),
        minor_faults: Some(most),
        major_faults: Some(most),
        ..huge.costs
    };
    (huge.costs, huge.callers[0].costs, huge.sites[0].costs) = (costs, costs, costs);
    huge.callers[0].sites = vec![0, 77];
    let small = report(&[site("main", "a.c:1", 4, 9)]);
    let file = |file, report| RecordingFile { file, report, taken: None };
    let diff = recording_diff("1", file("old.ft", &huge), file("new.ft", &small)).unwrap();
    assert_eq!(diff.callers[0].verdict, ChangeVerdict::Different);
    assert_eq!(diff.sites.old_ns, i64::MAX);
}

#[test]
fn times_and_machines_are_those_of_the_recordings() {
    let sites = [site("main", "a.c:1", 400, 9_000)];
    let (old, mut new) = (report(&sites), report(&sites));
    (new.elapsed_ns, new.command) = (1, vec!["./app".to_owned(), "a b".to_owned()]);
    let taken = |started_ns, kernel: &str| RecordingOrigin {
        started_ns: Some(started_ns),
        host: Some("here".to_owned()),
        kernel: Some(kernel.to_owned()),
    };
    let (early, late) = (taken(1_000_000_000, "6.1"), taken(91_000_000_000, "6.18"));
    let file = |file, report, taken| RecordingFile { file, report, taken: Some(taken) };
    let diff =
        recording_diff("1", file("old.ft", &old, &early), file("new.ft", &new, &late)).unwrap();
    assert_eq!(diff.apart_ns, Some(90_000_000_000));
    assert_eq!(diff.old.started.as_deref(), Some("1970-01-01T00:00:01Z"));
    let found: Vec<_> =
        diff.differences.iter().map(|one| (&*one.what, one.new.as_deref())).collect();
    assert_eq!(found, [("kernel", Some("6.18")), ("command", Some("./app 'a b'"))]);
}
