//! `bench floors`: what the kernel guarantees of its figures, and what it refuses.

use results::LabResult;

use crate::program::{Scratch, result, run, text};

fn small(arguments: &[&str]) -> LabResult {
    let common = ["bench", "floors", "--size", "4MiB", "--seed", "7", "--json", "-"];
    result(&run(&[&common[..], arguments].concat()))
}

fn ns(result: &LabResult, floor: &str) -> Option<f64> {
    let floors = result.floors.as_ref().unwrap();
    floors.estimates.iter().find(|estimate| estimate.floor == floor).map(|estimate| estimate.ns)
}

#[test]
fn every_floor_and_every_source_is_in_every_block() {
    let result = small(&["--blocks", "6"]);
    assert_eq!(
        (result.experiment.name.as_str(), result.seed, result.experiment.blocks),
        ("floors", 7, Some(6))
    );
    assert!(result.comparisons.is_empty() && result.placebo.is_none() && result.stopped.is_none());
    assert!(
        result
            .warnings
            .iter()
            .any(|w| w.id == "few-blocks" && w.message.contains("6 were asked for"))
    );
    let floors = result.floors.as_ref().unwrap();
    // Dropped blocks have floors, too.
    assert_eq!(floors.samples.len(), result.blocks.len());
    assert!(
        result.arms.iter().all(|arm| arm.samples.len() == 6 && !arm.baseline && !arm.placebo),
        "no baseline here"
    );
    let some = "timer syscall map unmap map_and_unmap release populate memcpy read_memfd";
    for floor in some.split(' ') {
        let estimate = floors
            .estimates
            .iter()
            .find(|e| e.floor == floor)
            .unwrap_or_else(|| panic!("no {floor}"));
        assert!(estimate.ns > 0.0 && estimate.blocks == 6, "{estimate:?}");
        let (low, high) =
            estimate.low_ns.zip(estimate.high_ns).expect("six blocks afford an interval");
        assert!(low <= estimate.ns && estimate.ns <= high, "{estimate:?}");
    }
    if result.machine.thp.as_deref() == Some("always") {
        return; // small faults are no faults of small pages
    }
    let pages = (4 << 20) * result.experiment.operations / result.machine.page_bytes;
    for sample in &floors.samples {
        for (name, floor) in [
            ("read fault", &sample.read_fault),
            ("write fault", &sample.write_fault),
            ("populate", &sample.populate),
        ] {
            assert!(floor.units == pages && floor.minor_faults >= pages, "{name}: {floor:?}");
        }
        assert!(
            sample.memcpy.minor_faults <= 8 && sample.memcpy.units == pages / 2,
            "{:?}",
            sample.memcpy
        );
    }
    let fault = ns(&result, "write_fault").unwrap();
    assert!(ns(&result, "by_fault").unwrap() > 0.0 && fault > 0.0);
    let made_of = |name: &str| {
        let source = floors.sources.iter().find(|source| source.arm == name)?;
        let sum: f64 = source.parts.iter().map(|part| part.ns_per_page).sum();
        assert!(source.blocks == 6 && source.ratio > 0.0 && sum > 0.0, "{source:?}");
        // By the largest part that is not the writing.
        let parts = source.parts.iter().filter(|part| part.name != "write");
        parts.max_by(|a, b| a.ns_per_page.total_cmp(&b.ns_per_page)).map(|part| part.name.clone())
    };
    assert_eq!(made_of("mmap").as_deref(), Some("write fault"));
    assert_eq!(made_of("malloc").as_deref(), Some("write fault"));
    assert_eq!(made_of("mmap+populate").as_deref(), Some("populate"));
    if result.arms.iter().any(|arm| arm.name == "mmap+hugepage") {
        assert_eq!(made_of("mmap+hugepage").as_deref(), Some("2 MiB fault"));
    }
}

#[test]
fn anyone_can_compute_a_floor_again() {
    let result = small(&["--blocks", "2"]);
    let floors = result.floors.as_ref().unwrap();
    let dropped = |block: u64| result.dropped.iter().any(|dropped| dropped.block == block);
    let mut values: Vec<f64> = floors
        .samples
        .iter()
        .filter(|sample| !dropped(sample.block))
        .map(|sample| sample.syscall.time_ns as f64 / sample.syscall.units as f64)
        .collect();
    values.sort_by(f64::total_cmp);
    let median = f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2]);
    assert!((ns(&result, "syscall").unwrap() - median).abs() < 1e-9);
    assert_eq!(floors.summary.syscall_ns, ns(&result, "syscall"));
}

#[test]
fn it_runs_until_its_time_is_up() {
    let result = small(&["--max-time", "3s"]);
    assert_eq!((result.stopped, result.experiment.max_time_ns), (None, Some(3_000_000_000)));
    assert!(!result.floors.unwrap().samples.is_empty());
}

#[test]
fn the_screen_comes_back_from_the_file() {
    let scratch = Scratch::new();
    let file = scratch.file("floors.json");
    let path = file.to_str().unwrap();
    let shown = run(&["bench", "floors", "--size", "1MiB", "--blocks", "6", "--json", path]);
    assert!(shown.status.success(), "{}", text(&shown.stderr));
    let screen = text(&shown.stdout);
    for word in ["syscall", "fault", "clear", "memcpy", "times its floor", "Next: "] {
        assert!(screen.contains(word), "no {word:?} in {screen}");
    }
    assert_eq!(screen, text(&run(&["report", path]).stdout));
    let value = results::read(std::fs::File::open(&file).unwrap()).unwrap();
    let mut again = Vec::new();
    results::write(&value, &mut again).unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), again, "the types keep every figure");
}

#[test]
fn wishes_that_make_no_sense_are_refused() {
    for (arguments, word) in [
        (&["--arm", "malloc"][..], "leave out --arm"),
        (&["--threads", "2"], "leave out --threads"),
        (&["--margin", "2%"], "leave out --margin"),
        (&["--memory", "cold"], "--memory cold"),
        (&["--size", "4MiB,8MiB"], "one --size"),
        (&["--passes", "2"], "leave out --passes"),
        (&["--size", "100"], "a page or more"),
    ] {
        let output = run(&[&["bench", "floors"][..], arguments].concat());
        let error = text(&output.stderr);
        assert!(error.contains(word) && output.stdout.is_empty(), "{arguments:?}: {error}");
        // Whether this machine has cold memory is checked first.
        let status = if error.contains("no cold memory") { 1 } else { 2 };
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {error}");
    }
    let list = text(&run(&["bench", "--list", "-v"]).stdout);
    assert!(
        list.contains(
            "floors         What is the least that each step of getting memory costs on this \
             machine?"
        ),
        "{list}"
    );
    assert!(list.contains("32 MiB; at most 45 s"), "{list}");
}
