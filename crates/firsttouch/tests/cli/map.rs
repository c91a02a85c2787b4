//! Every built-in experiment runs once, tiny, and its figures must show what the kernel guarantees:
//! a benchmark is also a test. No test compares times.

use results::{LabResult, Sample};

use crate::program::{result, run, skip, text};

/// The list has every experiment, with its question and its time limit.
#[test]
fn the_list_has_them_all() {
    let list = text(&run(&["bench", "--list", "-v"]).stdout);
    let names = [
        "anonymous",
        "position",
        "populate",
        "page-size",
        "size-sweep",
        "threads",
        "refault",
        "release",
        "threshold",
        "allocators",
        "small-objects",
        "realloc-growth",
        "floors",
    ];
    for name in names {
        let mut lines =
            list.lines().skip_while(|line| line.split_whitespace().next() != Some(name));
        assert!(
            lines.next().is_some_and(|line| line.ends_with('?')),
            "no question of {name} in\n{list}"
        );
        let rest: String = lines.take_while(|line| line.starts_with(' ')).collect();
        assert!(rest.contains("at most"), "no time of {name} in {rest}");
    }
}

fn tiny(name: &str, size: &str) -> LabResult {
    let output = run(&["bench", name, "--size", size, "--blocks", "2", "--json", "-"]);
    assert!(output.status.success(), "{name}: {}: {}", output.status, text(&output.stderr));
    result(&output)
}

/// The samples of an arm; none (and a skip) where it was refused here.
fn samples<'a>(result: &'a LabResult, arm: &str) -> &'a [Sample] {
    if let Some(arm) = result.arms.iter().find(|other| other.name == arm) {
        assert!(!arm.samples.is_empty(), "{} has no samples", arm.name);
        return &arm.samples;
    }
    let refused = result.refused.iter().find(|refused| refused.arm == arm);
    let refused = refused.unwrap_or_else(|| panic!("{arm} is neither there nor refused"));
    assert!(!refused.failed && !refused.reason.is_empty(), "{refused:?}");
    skip(&format!("{arm}: {}", refused.reason));
    &[]
}

/// Whether plain memory comes in small pages; in huge pages, faults do not count pages.
fn small_pages(result: &LabResult) -> bool {
    let small = result.machine.thp.as_deref() != Some("always");
    if !small {
        skip("THP is always: faults are not pages");
    }
    small
}

/// Pages of a sample.
fn pages(result: &LabResult, sample: &Sample) -> u64 {
    sample.size_bytes.unwrap_or(result.experiment.size_bytes) * sample.operations
        / result.machine.page_bytes
}

#[test]
fn populate_brings_every_page_with_the_call() {
    let result = tiny("populate", "4MiB");
    for arm in ["mmap+populate", "mmap+populate-write"] {
        for sample in samples(&result, arm) {
            assert!(
                sample.first_touch_minor_faults < pages(&result, sample) / 10,
                "{arm}: {sample:?}"
            );
        }
    }
    for sample in samples(&result, "mmap+shared").iter().filter(|_| small_pages(&result)) {
        assert!(sample.first_touch_minor_faults >= pages(&result, sample), "{sample:?}");
    }
}

#[test]
fn larger_pages_take_fewer_faults() {
    let result = tiny("page-size", "4MiB");
    for sample in samples(&result, "mmap+nohugepage") {
        assert!(sample.first_touch_minor_faults >= pages(&result, sample), "{sample:?}");
        assert_eq!(sample.huge_bytes, Some(0));
    }
    for arm in ["mmap+hugepage", "mmap+collapse"] {
        for sample in samples(&result, arm) {
            assert!(sample.first_touch_minor_faults < pages(&result, sample), "{arm}: {sample:?}");
            assert!(
                sample.huge_bytes.unwrap() >= sample.huge_eligible_bytes / 10 * 9,
                "{arm}: {sample:?}"
            );
        }
    }
    for kib in [16, 64, 256, 1024] {
        for sample in samples(&result, &format!("mmap+{kib}KiB")) {
            assert!(
                sample.first_touch_minor_faults <= pages(&result, sample) * 4 / kib * 2,
                "{kib}: {sample:?}"
            );
        }
    }
    for (arm, bytes) in [("mmap+hugetlb-2MiB", 2 << 20), ("mmap+hugetlb-1GiB", 1 << 30)] {
        for sample in samples(&result, arm) {
            assert!(
                sample.minor_faults <= (4 << 20) * sample.operations / bytes + 10,
                "{arm}: {sample:?}"
            );
        }
    }
}

#[test]
fn every_size_of_the_sweep_is_measured_whole() {
    let result = tiny("size-sweep", "4KiB,64KiB,1MiB");
    let mmap = samples(&result, "mmap");
    assert_eq!(mmap.len(), 6, "two blocks of three sizes");
    for sample in mmap.iter().filter(|_| small_pages(&result)) {
        assert!(sample.first_touch_minor_faults >= pages(&result, sample), "{sample:?}");
        assert_eq!(sample.total_ns, sample.obtain_ns + sample.first_touch_ns);
    }
    assert!(result.comparisons.iter().all(|comparison| comparison.metric == "whole_ns"));
}

#[test]
fn threads_fault_on_their_own_part_whosever_mapping_it_is() {
    let output = run(&[
        "bench",
        "threads",
        "--size",
        "2MiB",
        "--threads",
        "1,2",
        "--blocks",
        "2",
        "--json",
        "-",
    ]);
    let result = result(&output);
    for arm in ["mmap", "one mmap for all"] {
        for sample in samples(&result, arm).iter().filter(|_| small_pages(&result)) {
            assert!(sample.first_touch_minor_faults >= pages(&result, sample), "{arm}: {sample:?}");
        }
    }
}

#[test]
fn memory_that_was_given_back_faults_again() {
    let result = tiny("refault", "4MiB");
    let small = small_pages(&result);
    for sample in samples(&result, "kept") {
        assert!(sample.second_touch_minor_faults < 10 && sample.between_ns == 0, "{sample:?}");
    }
    for arm in ["MADV_DONTNEED", "munmap+mmap"] {
        for sample in samples(&result, arm) {
            assert!(sample.between_ns > 0, "{arm}: {sample:?}");
            assert!(
                !small || sample.second_touch_minor_faults >= pages(&result, sample),
                "{arm}: {sample:?}"
            );
        }
    }
    for sample in samples(&result, "MADV_FREE") {
        assert!(
            sample.between_ns > 0
                && sample.second_touch_minor_faults <= pages(&result, sample) + 10,
            "{sample:?}"
        );
    }
}

#[test]
fn what_was_only_read_was_never_there() {
    let result = tiny("release", "4MiB");
    for sample in samples(&result, "only read").iter().filter(|_| small_pages(&result)) {
        // The zero page does not count as resident memory.
        let plain = samples(&result, "mmap")[0].rss_bytes.unwrap();
        assert!(sample.rss_bytes.unwrap() + (2 << 20) < plain, "{sample:?} beside {plain}");
        assert!(sample.first_touch_minor_faults >= pages(&result, sample), "{sample:?}");
    }
}

#[test]
fn glibc_turns_to_mmap_at_its_threshold() {
    let output =
        run(&["bench", "threshold", "--size", "64KiB,256KiB", "--blocks", "2", "--json", "-"]);
    let result = result(&output);
    let glibc = result.machine.libc.as_deref().is_some_and(|libc| libc.starts_with("glibc"));
    let pinned = ["MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES", "LD_PRELOAD"]
        .iter()
        .any(|name| std::env::var(name).is_ok());
    if !glibc || pinned {
        skip("malloc is not glibc's with its own thresholds");
        return;
    }
    let [turn] = &result.turning_points[..] else { panic!("{:?}", result.turning_points) };
    assert_eq!(turn.mapping_bytes, turn.break_bytes + 1, "found to the byte");
    // DEFAULT_MMAP_THRESHOLD in glibc's malloc.c is 128 KiB, of which a block's header takes some.
    assert!((128 << 10) - turn.mapping_bytes < 64, "{turn:?}");
}

#[test]
fn other_allocators_are_proved() {
    let output = run(&["bench", "allocators", "--size", "64KiB", "--blocks", "2", "--json", "-"]);
    if !output.status.success()
        && ["jemalloc", "mimalloc", "tcmalloc"]
            .iter()
            .all(|name| text(&output.stderr).contains(&format!("{name} is not installed")))
    {
        return skip("no other allocator is installed");
    }
    assert!(output.status.success(), "{}: {}", output.status, text(&output.stderr));
    let result = result(&output);
    for name in ["jemalloc", "mimalloc", "tcmalloc"] {
        let arm = format!("malloc@{name}");
        if samples(&result, &arm).is_empty() {
            continue;
        }
        let arm = result.arms.iter().find(|other| other.name == arm).unwrap();
        let origin = arm.points.iter().find_map(|point| point.observed.as_ref()?.allocator.clone());
        let origin = origin.or_else(|| arm.observed.as_ref()?.allocator.clone()).unwrap();
        assert!(origin.contains(name), "{name}: {origin}");
        assert_eq!(arm.work.as_ref().unwrap().allocator.as_deref(), Some(name));
    }
}

#[test]
fn a_block_that_grows_is_written_once() {
    let result = tiny("realloc-growth", "256KiB,1MiB");
    for arm in ["realloc", "realloc+steps", "mremap"] {
        for sample in samples(&result, arm) {
            assert_eq!((sample.first_touch_ns, sample.second_touch_ns), (0, 0), "{arm}");
            assert!(sample.obtain_ns > 0 && sample.obtain_minor_faults > 0, "{arm}: {sample:?}");
        }
    }
}

#[test]
fn an_allocator_that_cannot_be_had_is_named() {
    for (allocator, word) in
        [("/nonexistent/liballoc.so", "nonexistent"), ("jemaloc", "did you mean jemalloc?")]
    {
        let output = run(&["bench", "allocators", "--allocator", allocator, "--size", "64KiB"]);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(word), "{}", text(&output.stderr));
    }
    // A shared object without malloc is detected by looking where malloc comes from (dladdr).
    let file = std::env::current_exe().unwrap();
    let output = run(&[
        "bench",
        "--allocator",
        file.to_str().unwrap(),
        "--arm",
        "malloc",
        "--size",
        "64KiB",
        "--blocks",
        "1",
    ]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
}
