//! Small real runs: figures must show what the kernel guarantees.

use std::process::Command;

use results::{LabResult, Verdict};

use crate::program::{
    PROGRAM, Scratch, as_nobody, firsttouch, fixture, is_root, open_copy, result, run, skip, text,
    without_proc,
};

/// A run of two blocks: too few for an interval, with everything else.
fn small(size: &str) -> LabResult {
    result(&run(&["bench", "--size", size, "--blocks", "2", "--seed", "7", "--json", "-"]))
}

fn check_physics(result: &LabResult) {
    let page = result.machine.page_bytes;
    let pages = (result.experiment.size_bytes.div_ceil(page) * result.experiment.operations) as f64;
    let small_pages = result.machine.thp.as_deref() != Some("always");
    assert!(result.arms[0].baseline && result.arms.last().unwrap().placebo);
    for arm in &result.arms {
        assert_eq!(arm.samples.len(), 2, "{}", arm.name);
        for sample in &arm.samples {
            assert_eq!(sample.total_ns, sample.obtain_ns + sample.first_touch_ns);
            assert_eq!(sample.operations, result.experiment.operations);
            let faults = sample.minor_faults as f64;
            let (obtain, touch) =
                (sample.obtain_minor_faults as f64, sample.first_touch_minor_faults as f64);
            match arm.name.as_str() {
                "mmap" | "placebo" if small_pages => {
                    assert!(
                        touch >= pages && faults <= 1.1 * pages + 300.0,
                        "{}: {faults} of {pages}",
                        arm.name
                    );
                    assert!(
                        obtain <= 0.02 * pages + 20.0,
                        "{}: {obtain} faults while obtaining",
                        arm.name
                    );
                }
                "mmap+populate" if small_pages => {
                    assert!(
                        obtain >= pages && touch <= 0.02 * pages + 20.0,
                        "populate: {obtain} then {touch}"
                    );
                }
                "mmap+hugepage" => {
                    assert!(faults < 0.25 * pages + 20.0, "{faults} faults");
                    let share =
                        sample.huge_bytes.unwrap() as f64 / sample.huge_eligible_bytes as f64;
                    assert!(share >= 0.9, "{share} in huge pages");
                }
                _ => {}
            }
        }
    }
}

#[test]
fn eight_mebibytes_fault_as_physics_says() {
    let result = small("8MiB");
    check_physics(&result);
    assert_eq!(
        (result.seed, result.experiment.size_bytes, result.looks.as_slice()),
        (7, 8 << 20, &[2][..])
    );
    assert!(
        result.comparisons.iter().all(|c| c.verdict == Verdict::Inconclusive && c.low.is_none())
    );
    assert_eq!(result.blocks.len() as u64, 2);
    let mut positions: Vec<u64> = result.arms.iter().map(|arm| arm.samples[0].position).collect();
    positions.sort_unstable();
    assert_eq!(
        positions,
        (0..result.arms.len() as u64).collect::<Vec<_>>(),
        "every arm has its place in the block"
    );
}

#[test]
fn floors_are_measured_beside_the_first_block() {
    let result = small("8MiB");
    let floors = result.floors.expect("floors are measured");
    assert_eq!((floors.failed, floors.samples[0].block), (None, 0));
    let first = &floors.samples[0];
    let pages = first.size_bytes / result.machine.page_bytes;
    assert_eq!(first.size_bytes, result.experiment.size_bytes * result.experiment.operations);
    // One of each group of floors.
    assert_eq!((first.write_fault.units, first.populate.units), (pages, pages), "{first:?}");
    assert!(first.huge_fault.units > 0 || first.huge_fault.invalid.is_some(), "{first:?}");
    if result.machine.thp.as_deref() == Some("always") {
        return skip("THP is always: faults are not pages, so floors explain no arm");
    }
    let unit = |floor: &results::Floor| floor.time_ns as f64 / floor.units.max(1) as f64;
    if unit(&first.uninterrupted_write) > unit(&first.interrupted_write) + unit(&first.write_fault)
    {
        // It lasts some 60 us: one interruption in it makes the sum of the parts negative.
        return skip("the one block with floors was disturbed in the shortest of them");
    }
    let mmap = result.explanations.iter().find(|e| e.arm == "mmap").expect("mmap is explained");
    assert!(mmap.low.is_none() && mmap.adds_up.is_none(), "two blocks decide nothing: {mmap:?}");
    assert_eq!(mmap.parts.len(), 4);
}

#[test]
fn the_smallest_block_is_one_byte() {
    let result = small("1");
    check_physics(&result);
    let arm = |name: &str| result.arms.iter().find(|arm| arm.name == name).unwrap();
    let faults = |name: &str| arm(name).summary.as_ref().unwrap().minor_faults;
    assert!(result.experiment.operations >= 512);
    assert!(
        faults("malloc") < 0.1 * faults("mmap"),
        "malloc shares pages among blocks, mmap does not"
    );
    assert!(result.refused.iter().any(|r| r.arm == "mmap+hugepage" && r.reason.contains("2 MiB")));
}

#[test]
fn malloc_says_where_its_memory_came_from() {
    let served = |size: &str| {
        let result = small(size);
        let malloc = result.arms.into_iter().find(|arm| arm.name == "malloc").unwrap();
        malloc.observed.unwrap()
    };
    let (small, large) = (served("16KiB"), served("1MiB"));
    let Some(library) = small.allocator.clone() else {
        return skip("dladdr does not know malloc: a static C library");
    };
    if !library.contains("libc.so") {
        return skip(&format!("malloc is {library}, whose thresholds are its own"));
    }
    assert!(
        small.break_growth_bytes > 16 << 20,
        "16 KiB blocks come from the program break: {small:?}"
    );
    assert!(large.mapped_growth_bytes > 16 << 20, "1 MiB blocks come from mmap: {large:?}");
    assert!(
        large.resident_after_obtain_bytes.unwrap() < 1 << 20,
        "nothing is resident before it is touched: {large:?}"
    );
}

#[test]
fn report_prints_the_same_bytes_again() {
    let scratch = Scratch::new();
    let file = scratch.file("result.json");
    let path = file.to_str().unwrap();
    let bench = run(&[
        "bench",
        "--size",
        "1MiB",
        "--blocks",
        "8",
        "--arm",
        "mmap+populate",
        "--json",
        path,
    ]);
    assert!(bench.status.success(), "{}", text(&bench.stderr));
    // The verdict depends on the load of the machine: no test asserts a time.
    assert!(text(&bench.stdout).contains("x 8 blocks"), "{}", text(&bench.stdout));
    let again = run(&["report", path]);
    assert_eq!(text(&bench.stdout), text(&again.stdout));
    let colored = run(&["report", "--color", "always", path]);
    assert!(text(&colored.stdout).contains('\u{1b}') && !text(&again.stdout).contains('\u{1b}'));
}

#[test]
fn the_seed_decides_the_order() {
    let order = |seed: &str| {
        let result = result(&run(&[
            "bench", "--size", "64KiB", "--blocks", "6", "--seed", seed, "--json", "-",
        ]));
        let positions =
            |arm: &results::Arm| arm.samples.iter().map(|s| s.position).collect::<Vec<_>>();
        result.arms.iter().map(positions).collect::<Vec<_>>()
    };
    let (one, again, other) = (order("5"), order("5"), order("6"));
    assert_eq!(one, again);
    assert_ne!(one, other);
}

#[test]
fn an_ordinary_user_gets_the_same() {
    if !is_root() {
        return check_physics(&small("8MiB")); // this is the ordinary user
    }
    let scratch = Scratch::new();
    let program = open_copy(&scratch);
    let output = as_nobody(&program)
        .args(["bench", "--size", "8MiB", "--blocks", "2", "--seed", "7", "--json", "-"])
        .output();
    match output {
        Ok(output) => {
            let result = result(&output);
            check_physics(&result);
            let paranoid =
                std::fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").unwrap_or_default();
            if paranoid.trim().parse::<i32>().is_ok_and(|level| level <= 2) {
                let traps =
                    result.arms[0].traps.expect("an ordinary user may count user-mode faults");
                assert!(
                    result.machine.thp.as_deref() == Some("always") || traps >= 2048.0,
                    "{traps}"
                );
            }
        }
        Err(e) => skip(&format!("no setpriv: {e}")),
    }
}

#[test]
fn without_perf_a_sentence_and_the_rest() {
    let scratch = Scratch::new();
    let Some(deny) = fixture("deny_perf", &scratch) else { return };
    let output = Command::new(deny)
        .arg(PROGRAM)
        .args(["bench", "--size", "4MiB", "--blocks", "2", "--json", "-"])
        .output()
        .unwrap();
    if output.status.code() == Some(125) {
        return skip(&format!("seccomp is refused here: {}", text(&output.stderr)));
    }
    let result = result(&output);
    assert!(result.arms.iter().all(|arm| arm.traps.is_none() && arm.samples.len() == 2));
    let warning = result.warnings.iter().find(|w| w.id == "perf-refused").expect("a warning");
    assert!(warning.message.contains("EACCES"), "{}", warning.message);
}

#[test]
fn without_proc_a_sentence_and_the_rest() {
    let Some(output) = without_proc("bench --size 4MiB --blocks 2 --json -") else { return };
    let result = result(&output);
    assert!(result.warnings.iter().any(|w| w.id == "proc-missing"), "{:?}", result.warnings);
    assert_eq!(result.arms[0].samples.len(), 2);
    assert!(result.arms[0].samples[0].rss_bytes.is_none());
    let huge = result
        .refused
        .iter()
        .find(|r| r.arm == "mmap+hugepage")
        .expect("what cannot be proved is refused");
    assert!(huge.reason.contains("cannot be proved"), "{}", huge.reason);
}

#[test]
fn a_preloaded_library_that_is_missing_leaves_the_truth() {
    let output = firsttouch(&[
        "bench", "--size", "64KiB", "--blocks", "1", "--arm", "malloc", "--json", "-",
    ])
    .env("LD_PRELOAD", "/nonexistent/liballocator.so")
    .output()
    .unwrap();
    let result = result(&output);
    let malloc = result.arms.iter().find(|arm| arm.name == "malloc").unwrap();
    let allocator = malloc.observed.as_ref().unwrap().allocator.clone();
    assert!(allocator.is_none_or(|file| !file.contains("nonexistent")));
}
