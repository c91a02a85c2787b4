//! Many small objects, and touches timed one by one.

use std::path::Path;

use lab::Source;
use results::{Arm, LabResult};
use sample::protocol::{Answer, CHILD_VERB, Job, Task};
use sample::small::Workload;

use crate::program::{Scratch, firsttouch, library_fixture, result, run, text};

/// The size that `fixtures/count_malloc.c` counts.
const WATCHED_BYTES: u64 = 1237;

fn child(workload: Workload, pairs: u64, library: &Path, variables: &[(&str, &Path)]) -> Answer {
    let task = Task::Measure(Job {
        threads: 2,
        ..Job::plain(Source::Small(workload), WATCHED_BYTES, pairs)
    });
    let mut command = firsttouch(&[CHILD_VERB, &serde_json::to_string(&task).unwrap()]);
    let output =
        command.env("LD_PRELOAD", library).envs(variables.iter().copied()).output().unwrap();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", text(&output.stderr)))
}

/// The count of an allocator that counts its own calls is held against what the child reports.
#[test]
fn every_pair_is_a_call_of_malloc_and_one_of_free() {
    let scratch = Scratch::new();
    let Some(library) = library_fixture("count_malloc", &scratch) else { return };
    let file = scratch.file("counts");
    for workload in [Workload::Fixed, Workload::Exchange] {
        for pairs in [1, 30_001] {
            let answer = child(workload, pairs, &library, &[("COUNT_MALLOC_FILE", &file)]);
            let Answer::Measured(measurement) = answer else { panic!("{workload:?}: {answer:?}") };
            assert_eq!(measurement.allocator.as_deref(), library.to_str());
            let counts = std::fs::read_to_string(&file).unwrap();
            assert_eq!(counts, format!("{pairs} {pairs}\n"), "{workload:?}");
        }
    }
}

#[test]
fn an_allocator_that_gives_bytes_away_twice_is_found_out() {
    let scratch = Scratch::new();
    let Some(library) = library_fixture("count_malloc", &scratch) else { return };
    let answer = child(Workload::Fixed, 5000, &library, &[("COUNT_MALLOC_TWICE", Path::new("1"))]);
    let Answer::Failed { reason } = answer else { panic!("{answer:?}") };
    assert!(
        reason.contains("small-fixed: the allocator returned the same bytes twice"),
        "{reason}"
    );
}

fn arm<'a>(result: &'a LabResult, name: &str) -> &'a Arm {
    result
        .arms
        .iter()
        .find(|arm| arm.name == name)
        .unwrap_or_else(|| panic!("no {name}: {:?}", result.refused))
}

#[test]
fn each_workload_is_compared_with_itself_under_another_allocator() {
    let scratch = Scratch::new();
    let Some(library) = library_fixture("count_malloc", &scratch) else { return };
    let library = library.to_str().unwrap();
    let output =
        run(&["bench", "small-objects", "--blocks", "2", "--allocator", library, "--json", "-"]);
    let result = result(&output);
    assert!(result.refused.is_empty(), "{:?}", result.refused);
    let baselines: Vec<(&str, &str)> = result
        .comparisons
        .iter()
        .map(|c| (c.arm.split('@').next().unwrap(), c.baseline.as_str()))
        .collect();
    let others = [
        ("small-mixed", "small-fixed"),
        ("small-larson", "small-fixed"),
        ("small-exchange", "small-fixed"),
    ];
    let own = Workload::ALL.map(|workload| (workload.name(), workload.name()));
    assert_eq!(baselines, [&others[..], &own[..]].concat());
    for arm in &result.arms {
        assert!(arm.work.as_ref().unwrap().counts_pairs() && arm.latencies.is_none());
        for sample in &arm.samples {
            let other_phases = sample.first_touch_ns
                + sample.between_ns
                + sample.second_touch_ns
                + sample.release_ns;
            assert!(
                sample.obtain_ns > 0 && other_phases == 0 && sample.operations >= 100_000,
                "{sample:?}"
            );
        }
    }
    let preloaded = arm(&result, &format!("small-larson@{library}"));
    assert_eq!(preloaded.observed.as_ref().unwrap().allocator.as_deref(), Some(library));
    let screen = scratch.file("result.json");
    std::fs::write(&screen, &output.stdout).unwrap();
    let screen = text(&run(&["report", screen.to_str().unwrap()]).stdout);
    assert!(
        screen.contains("A pair of malloc and free takes") && !screen.contains("1st touch"),
        "{screen}"
    );
}

#[test]
fn pairs_and_blocks_of_memory_are_not_compared() {
    let output = run(&["bench", "small-objects", "--arm", "malloc"]);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(
        error.contains("malloc counts blocks of memory") && error.contains("cannot be compared"),
        "{error}"
    );
}

/// There are as many latencies as pages, and their sum is no longer than the phase that they are
/// in.
#[test]
fn every_timed_touch_is_in_the_result() {
    let size_bytes = 8 << 20;
    let output =
        run(&["bench", "latency", "--size", "8MiB", "--blocks", "2", "--seed", "3", "--json", "-"]);
    let result = result(&output);
    let pages = size_bytes / result.machine.page_bytes;
    let timed: Vec<&Arm> = result.arms.iter().filter(|arm| arm.latencies.is_some()).collect();
    assert!(
        timed.iter().any(|arm| arm.name == "timed mmap") && timed.len() >= 2,
        "{:?}",
        result.refused
    );
    assert!(arm(&result, "mmap").latencies.is_none());
    for arm in timed {
        assert_eq!(arm.work.as_ref().unwrap().touch, "timed");
        let latencies = arm.latencies.as_ref().unwrap();
        let operations: u64 = arm.samples.iter().map(|sample| sample.operations).sum();
        assert_eq!(latencies.touches.count, operations * pages, "{}", arm.name);
        assert_eq!(latencies.clock.count, 1000 * arm.samples.len() as u64);
        for times in [&latencies.touches, &latencies.clock] {
            assert_eq!(times.buckets.iter().map(|bucket| bucket.count).sum::<u64>(), times.count);
            assert_eq!(times.rows.iter().map(|row| row.bucket.count).sum::<u64>(), times.count);
            let ascending = [times.p50_ns, times.p90_ns, times.p99_ns, times.p999_ns, times.max_ns];
            assert!(ascending.is_sorted(), "{ascending:?}");
        }
        let at_least: u64 =
            latencies.touches.buckets.iter().map(|bucket| bucket.low_ns * bucket.count).sum();
        let phases: u64 = arm.samples.iter().map(|sample| sample.first_touch_ns).sum();
        assert!(at_least <= phases, "{}: {at_least} ns of touches in {phases} ns", arm.name);
    }
    faults_are_those_of_the_source(&result, pages);
    let file = Scratch::new();
    let path = file.file("result.json");
    std::fs::write(&path, &output.stdout).unwrap();
    let screen = text(&run(&["report", path.to_str().unwrap()]).stdout);
    assert!(screen.contains("timed mmap: half of the first touches take at most"), "{screen}");
}

fn faults_are_those_of_the_source(result: &LabResult, pages: u64) {
    let faults = |name: &str| {
        let samples = &result.arms.iter().find(|arm| arm.name == name)?.samples;
        samples.iter().map(|sample| sample.first_touch_minor_faults / sample.operations).max()
    };
    if result.machine.thp.as_deref() != Some("always") {
        assert!(faults("timed mmap") >= Some(pages), "the clock takes no fault away");
    }
    if let Some(huge) = faults("timed hugepage") {
        assert!(huge < pages, "{huge} faults of huge pages, {pages} pages");
    }
}

#[test]
fn touches_are_timed_in_one_thread_and_at_one_size() {
    for arguments in [["--threads", "2"], ["--size", "1MiB,2MiB"]] {
        let output = run(&[&["bench", "latency"], &arguments[..]].concat());
        let error = text(&output.stderr);
        assert!(
            !output.status.success() && error.contains("touches are timed at one size"),
            "{error}"
        );
    }
}
