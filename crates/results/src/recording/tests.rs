use super::*;
use crate::start::{StartCauseRow, StartFileRow};

fn seen(faults: bool) -> Seen {
    Seen { allocations: true, faults, ..Seen::default() }
}

#[test]
fn sums_know_only_what_all_know() {
    let one = SiteCosts { calls: 2, bytes: 10, true_ns: Some(5), ..SiteCosts::none(seen(true)) };
    let both = SiteCosts::sum(seen(true), [&one, &one]);
    assert_eq!((both.calls, both.bytes, both.true_ns), (4, 20, Some(10)));
    assert_eq!(both.syscalls, None, "they were not seen");
    let mut unknown = one;
    unknown.add(&SiteCosts { calls: 1, ..SiteCosts::none(seen(false)) });
    assert_eq!((unknown.calls, unknown.true_ns), (3, None));
}

#[test]
fn errors_of_estimates_add_up_as_independent_ones() {
    let exact = SiteCosts { calls: 5, bytes: 50, ..SiteCosts::none(seen(true)) };
    let one = SiteCosts { calls_error: Some(30), bytes_error: Some(3), ..exact };
    let other = SiteCosts { calls: 95, calls_error: Some(40), ..exact };
    let all = SiteCosts::sum(seen(true), [&exact, &one, &other]);
    assert_eq!((all.calls, all.calls_error, all.bytes_error), (105, Some(50), Some(3)));
    assert_eq!(all.calls_within(), Some(1.96 * 50.0 / 105.0));
    assert_eq!((exact.calls_within(), all.first_touch_error_ns), (None, None));
    let zero = SiteCosts { bytes_error: Some(0), ..exact };
    assert_eq!(zero.bytes_within(), None, "it is exact");
}

#[test]
fn the_keys_are_those_of_the_contract() {
    let report = RecordingReport {
        sites: vec![SiteRow::default()],
        callers: vec![CallerRow::default()],
        ..RecordingReport::default()
    };
    let json = serde_json::to_value(&report).expect("it is plain data");
    for key in [
        "calls",
        "frees",
        "allocated_bytes",
        "peak_live_bytes",
        "minor_faults",
        "major_faults",
        "faults_attributed",
        "lost",
        "processes",
        "threads",
        "probe_ns_per_call",
    ] {
        assert!(json["totals"].get(key).is_some(), "{key}");
    }
    for key in [
        "stack",
        "calls",
        "frees",
        "bytes",
        "apparent_ns",
        "first_touch_ns",
        "release_ns",
        "true_ns",
        "minor_faults",
        "major_faults",
        "syscalls",
    ] {
        assert!(json["sites"][0].get(key).is_some(), "{key}");
    }
    let read: RecordingReport = serde_json::from_value(json).expect("it reads what it wrote");
    assert_eq!(read, report);
}

#[test]
fn others_are_all_that_are_not_shown() {
    let caller = |calls, sites| CallerRow {
        sites,
        costs: SiteCosts { calls, ..SiteCosts::none(seen(true)) },
        ..CallerRow::default()
    };
    let report = RecordingReport {
        seen: seen(true),
        callers: vec![caller(5, vec![0]), caller(3, vec![1, 2]), caller(1, vec![3])],
        ..RecordingReport::default()
    };
    let (rows, costs) = report.others(1).expect("two callers");
    assert_eq!((rows, costs.calls), (2, 4), "callers, whatever number of stacks they have");
    assert_eq!((report.others(3), report.others(9)), (None, None));
}

/// The keys of a value, at any depth.
fn keys(value: &serde_json::Value, into: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(object) => {
            into.extend(object.keys().cloned());
            object.values().for_each(|value| keys(value, into));
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| keys(value, into)),
        _ => {}
    }
}

#[test]
fn every_key_is_documented() {
    let document = include_str!("../../../../docs/report.md");
    let unnamed =
        UnnamedFile { path: String::new(), why: Unnamed::Missing, ..UnnamedFile::default() };
    let rest = RestRow { kind: RestMemory::Stack, minor_faults: 0, major_faults: 0, fault_ns: 0 };
    let detail = SiteDetail {
        sizes: vec![SizeStep::default()],
        lifetimes: vec![TimeStep::default()],
        latency: Some(CallLatency::default()),
        latencies: vec![LatencyStep::default()],
        touchers: vec![Toucher::default()],
        ..SiteDetail::default()
    };
    let start = ProgramStart {
        by_cause: vec![StartCauseRow::default()],
        by_file: vec![StartFileRow::default()],
        ..ProgramStart::default()
    };
    let parts = vec![SlowPartRow::default()];
    let slowest = vec![SlowCallRow { parts, ..SlowCallRow::default() }];
    let report = RecordingReport {
        slowest,
        recorder: Some(RecorderCounts::default()),
        thinned: Some(ThinnedRecording::default()),
        filter: Some(ReportFilter::default()),
        skipped: vec![SkippedFunction::default()],
        sites: vec![SiteRow { detail, ..SiteRow::default() }],
        callers: vec![CallerRow::default()],
        rest: vec![rest],
        start: Some(start),
        mapping: Some(MappingCosts {
            by_site: vec![MappingOfSite::default()],
            rest: vec![MappingRestRow::default()],
            ..MappingCosts::default()
        }),
        unnamed: vec![unnamed],
        arenas: vec![ArenaRow::default()],
        thresholds: vec![ThresholdsRow {
            moves: vec![ThresholdMoveRow::default()],
            ..ThresholdsRow::default()
        }],
        process_list: vec![ProcessRow::default()],
        other_processes: Some(OthersRow::default()),
        threads: vec![ThreadRow::default()],
        other_threads: Some(OthersRow::default()),
        timeline: RecordedTimeline {
            steps: vec![RecordedStep::default()],
            moments: vec![CostlyMoment::default()],
            ..RecordedTimeline::default()
        },
        ..RecordingReport::default()
    };
    let mut all = Vec::new();
    keys(&serde_json::to_value(&report).expect("it is plain data"), &mut all);
    assert!(all.len() > 80, "{all:?}");
    for key in all {
        let named = [format!("`{key}`"), format!("`{key}[]`")];
        assert!(named.iter().any(|key| document.contains(key)), "{key}");
    }
}
