//! Experiments as data: factors, sweeps, threads, and files of the user's own.

use results::{LabResult, Verdict};

use crate::program::{Scratch, result, run, skip, text};

fn check_file(content: &str, words: &[&str]) {
    let scratch = Scratch::new();
    let file = scratch.file("mine.toml");
    std::fs::write(&file, content).unwrap();
    let output = run(&["bench", file.to_str().unwrap()]);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    for word in words.iter().chain(&["mine.toml:"]) {
        assert!(error.contains(word), "no {word:?} in {error}");
    }
    assert!(output.stdout.is_empty(), "nothing was measured");
}

const MINE: &str = "name = \"mine\"\nquestion = \"Q?\"\nmetric = \"total_ns\"\nsize = \"64KiB\"\n\
                    margin = 0.03\nfill = 1\n\
                    baseline = \"mmap\"\narms = [\"malloc\"]\n";

#[test]
fn a_wrong_file_is_answered_with_its_line() {
    check_file("name = 'x'\nsurprise = 3\n", &["mine.toml:2:", "surprise", "expected"]);
    check_file(&MINE.replace("malloc", "mallocc"), &["mine.toml:8:", "did you mean malloc?"]);
    check_file(&MINE.replace("\"64KiB\"", "[\"64KiB\", \"65536\"]"), &["mine.toml:4:", "twice"]);
    check_file(&MINE.replace("mine", "my question"), &["mine.toml:1:", "one word"]);
    check_file("\u{0}\u{1}", &["mine.toml:1:"]);
    let missing = run(&["bench", "./nowhere.toml"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stderr).contains("nowhere.toml"), "{}", text(&missing.stderr));
}

/// Runs the example of the documentation as it stands there.
#[test]
fn the_documented_example_works() {
    let page = include_str!("../../../../docs/experiments.md");
    let example = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let scratch = Scratch::new();
    let file = scratch.file("zeros.toml");
    std::fs::write(&file, example).unwrap();
    let result = result(&run(&["bench", file.to_str().unwrap(), "--blocks", "2", "--json", "-"]));
    assert_eq!(
        (result.experiment.name.as_str(), result.experiment.file.as_deref()),
        ("zeros", file.to_str())
    );
    assert_eq!(result.experiment.sizes_bytes, [64 << 10, 1 << 20]);
    let names: Vec<&str> = result.arms.iter().map(|arm| arm.name.as_str()).collect();
    assert_eq!(names, ["malloc", "calloc", "malloc, zeros", "placebo"]);
    assert_eq!(result.comparisons.len(), 4, "two arms at two sizes");
}

fn at(result: &LabResult, arm: &str, size_bytes: u64) -> Vec<u64> {
    let arm = result.arms.iter().find(|other| other.name == arm).unwrap();
    let samples = arm.samples.iter().filter(|sample| sample.size_bytes == Some(size_bytes));
    samples.map(|sample| sample.minor_faults / sample.operations).collect()
}

#[test]
fn a_sweep_measures_every_arm_at_every_size() {
    let output = run(&[
        "bench",
        "--size",
        "64KiB..256KiB,2MiB",
        "--blocks",
        "2",
        "--seed",
        "7",
        "--json",
        "-",
    ]);
    let result = result(&output);
    let sizes = [64 << 10, 128 << 10, 256 << 10, 2 << 20];
    assert_eq!(result.experiment.sizes_bytes, sizes);
    let small_pages = result.machine.thp.as_deref() != Some("always");
    for size in sizes {
        let faults = at(&result, "mmap", size);
        assert_eq!(faults.len(), 2);
        if small_pages {
            let pages = size / result.machine.page_bytes;
            assert!(
                faults.iter().all(|&f| f >= pages && f <= pages + pages / 10 + 40),
                "{faults:?} for {pages} pages"
            );
        }
        assert_eq!(
            result.comparisons.iter().filter(|c| c.arm == "malloc" && c.size_bytes == size).count(),
            1
        );
    }
    let points =
        |name: &str| result.arms.iter().find(|arm| arm.name == name).map(|arm| arm.points.len());
    assert_eq!((points("mmap"), points("placebo")), (Some(4), Some(4)));
    if points("mmap+hugepage").is_some() {
        assert_eq!(points("mmap+hugepage"), Some(1), "only 2 MiB hold a huge page");
        assert!(
            result.refused.iter().any(|r| r.arm.starts_with("mmap+hugepage at 64KiB")),
            "{:?}",
            result.refused
        );
    }
    let positions: Vec<u64> = result
        .arms
        .iter()
        .flat_map(|a| &a.samples)
        .filter(|s| s.block == 0)
        .map(|s| s.position)
        .collect();
    let samples = positions.len();
    assert!(
        samples >= 20 && positions.iter().max() == Some(&(samples as u64 - 1)),
        "one block holds every point"
    );
}

#[test]
fn the_screen_of_a_sweep_comes_back_from_the_file() {
    let scratch = Scratch::new();
    let file = scratch.file("sweep.json");
    let sizes = [
        "bench",
        "--size",
        "64KiB,128KiB",
        "--arm",
        "malloc",
        "--blocks",
        "2",
        "--json",
        file.to_str().unwrap(),
    ];
    let shown = run(&sizes);
    let again = run(&["report", file.to_str().unwrap()]);
    assert_eq!(text(&shown.stdout), text(&again.stdout));
    assert!(text(&shown.stdout).contains("ns a page, against size"), "{}", text(&shown.stdout));
}

#[test]
fn threads_share_the_work() {
    let output = run(&[
        "bench",
        "--size",
        "1MiB",
        "--threads",
        "1,2",
        "--arm",
        "malloc",
        "--blocks",
        "2",
        "--json",
        "-",
    ]);
    let result = result(&output);
    assert_eq!(result.experiment.threads, [1, 2]);
    for arm in &result.arms {
        let threads: Vec<u64> = arm.points.iter().map(|point| point.threads).collect();
        assert_eq!(threads, [1, 2], "{}", arm.name);
        assert_eq!(arm.samples.iter().filter(|sample| sample.threads == Some(2)).count(), 2);
    }
}

#[test]
fn factors_have_effects() {
    let output = run(&[
        "bench",
        "position",
        "--size",
        "256KiB",
        "--max-time",
        "4s",
        "--seed",
        "7",
        "--json",
        "-",
    ]);
    let result = result(&output);
    let factors: Vec<&str> = result.effects.iter().map(|effect| effect.factor.as_str()).collect();
    assert_eq!(factors, ["api", "fill", "position"], "no time for cold pairs");
    let cells: Vec<&results::Arm> = result.arms.iter().filter(|arm| !arm.placebo).collect();
    assert_eq!((cells.len(), result.arms.len()), (8, 9));
    assert_eq!(cells.iter().filter(|arm| arm.baseline).count(), 1);
    assert_eq!(result.comparisons.len(), 1);
    assert_eq!(
        (result.comparisons[0].arm.as_str(), result.comparisons[0].baseline.as_str()),
        ("malloc/0/first", "mmap/1/second")
    );
    let explained = result.explained.as_ref().unwrap();
    assert_eq!(explained.who, "the post");
    if result.machine.free_page_reporting == Some(true) {
        assert_eq!(
            (&explained.unmeasured[..], explained.enough),
            (&["memory".to_owned()][..], None),
            "open, not settled"
        );
    }

    // An effect can be computed again from the samples.
    let blocks = result.arms[0].samples.len();
    for (index, effect) in result.effects.iter().enumerate() {
        let mean = |level: usize, block: usize| {
            let own = cells.iter().enumerate().filter(|(cell, _)| cell >> (2 - index) & 1 == level);
            own.map(|(_, arm)| (arm.samples[block].total_ns as f64).ln()).sum::<f64>() / 4.0
        };
        let mut values: Vec<f64> =
            (0..blocks).map(|block| mean(0, block) - mean(1, block)).collect();
        values.sort_by(f64::total_cmp);
        let median = f64::midpoint(values[(blocks - 1) / 2], values[blocks / 2]);
        assert!(
            (median.exp() - effect.ratio).abs() < 1e-9,
            "{}: {} is not {}",
            effect.factor,
            effect.ratio,
            median.exp()
        );
        assert_eq!(effect.blocks, blocks as u64);
        if let Some((low, high)) = effect.low.zip(effect.high) {
            assert!(low <= effect.ratio && effect.ratio <= high);
        } else {
            assert_eq!(effect.verdict, Verdict::Inconclusive);
        }
    }
}

#[test]
fn cold_memory_is_a_factor_where_there_is_a_host_to_take_it() {
    let output =
        run(&["bench", "position", "--size", "256KiB", "--max-time", "16s", "--json", "-"]);
    let result = result(&output);
    if result.machine.free_page_reporting != Some(true) {
        skip("freed memory stays with this machine: there is no cold state");
        assert!(!result.effects.iter().any(|effect| effect.factor == "memory"));
        return;
    }
    let memory = result.effects.iter().find(|effect| effect.factor == "memory").unwrap();
    assert!(memory.blocks >= 1 && memory.low.is_none(), "few pairs claim nothing: {memory:?}");
    let explained = result.explained.as_ref().unwrap();
    assert_eq!(explained.enough, None, "a factor without an interval leaves it open");
    let arm = |name: &str| result.arms.iter().find(|arm| arm.name == name).unwrap().samples.len();
    assert_eq!((arm("malloc/0/cold"), arm("malloc/0/warm")), (1, 1));
}

#[test]
fn an_injected_share_is_that_much_more_work() {
    let output =
        run(&["bench", "--size", "1MiB", "--arm", "injected:+25%", "--blocks", "2", "--json", "-"]);
    let result = result(&output);
    let faults = |name: &str| {
        result.arms.iter().find(|arm| arm.name == name).unwrap().samples[0].first_touch_minor_faults
            as f64
    };
    if result.machine.thp.as_deref() != Some("always") {
        let ratio = faults("injected:+25%") / faults("mmap");
        assert!((ratio - 1.25).abs() < 0.002, "{ratio}");
    }
    assert!(
        !text(&run(&["bench", "--list", "-v"]).stdout).contains("injected"),
        "it is no way of getting memory"
    );
}

#[test]
fn sweeps_without_an_end_are_refused_with_their_time() {
    let sizes: Vec<String> = (1..=10_000_u64).map(|page| (page * 4096).to_string()).collect();
    let output = run(&["bench", "--size", &sizes.join(",")]);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(
        error.contains("10000 point")
            && error.contains("--max-time")
            && error.contains("one block would take"),
        "{error}"
    );
    for (arguments, word) in [
        (&["--size", "4KiB,4096"][..], "twice"),
        (&["--size", "1GiB..64KiB"], "64KiB..1GiB"),
        (&["--size", "64KiB..512TiB"], "512 TiB"),
        (&["--threads", "0"], "at least 1"),
        (&["--threads", "2,2"], "twice"),
        (&["position", "--arm", "calloc"], "--arm"),
        (&["position", "--size", "4KiB,1MiB"], "one --size"),
        (&["position", "--threads", "2"], "--threads"),
        (&["--arm", "injected:5%"], "injected"),
    ] {
        let output = run(&[&["bench"][..], arguments].concat());
        let error = text(&output.stderr);
        assert!(
            matches!(output.status.code(), Some(1 | 2)) && error.contains(word),
            "{arguments:?}: {error}"
        );
    }
}

/// A file of one arm beside mmap.
fn with_arm(arm: &str) -> LabResult {
    let scratch = Scratch::new();
    let file = scratch.file("mine.toml");
    std::fs::write(&file, MINE.replace("\"malloc\"", arm)).unwrap();
    result(&run(&[
        "bench",
        file.to_str().unwrap(),
        "--blocks",
        "2",
        "--threads",
        "2",
        "--json",
        "-",
    ]))
}

/// A child that writes more to standard error than a pipe holds does not block.
#[test]
fn a_child_may_be_loud() {
    let loud = "{ name = \"loud\", source = \"malloc\", environment = { LD_DEBUG = \"all\" } }";
    assert_eq!(with_arm(loud).arms[1].samples.len(), 2);
}

/// Also where a thread touches many parts of it.
#[test]
fn one_mapping_is_for_all_blocks() {
    let result = with_arm("{ name = \"one\", source = \"mmap\", mapping = \"one\" }");
    assert!(result.refused.is_empty(), "{:?}", result.refused);
    let (sample, pages) = (&result.arms[1].samples[0], 512 * 64 / 4);
    if result.machine.page_bytes == 4096 && result.machine.thp.as_deref() != Some("always") {
        assert!((pages..pages + 40).contains(&sample.first_touch_minor_faults), "{sample:?}");
    }
}

/// An arm that is named stays in the run, whichever arms --allocator adds.
#[test]
fn arms_keep_what_they_are_compared_with() {
    let scratch = Scratch::new();
    let file = scratch.file("mine.toml");
    let arms = "{ name = \"a\", source = \"calloc\" }, \
                { name = \"b\", source = \"calloc\", against = \"a\" }, \
                { name = \"c\", source = \"malloc\", allocator = \"system\", against = \"b\" }";
    std::fs::write(&file, MINE.replace("\"malloc\"", arms)).unwrap();
    let file = file.to_str().unwrap();
    let of = |arguments: &[&str]| {
        let output = run(&[&["bench", file, "--blocks", "2", "--json", "-"], arguments].concat());
        let comparisons = result(&output).comparisons;
        let pairs = comparisons.into_iter().map(|c| format!("{} of {}", c.arm, c.baseline));
        pairs.collect::<Vec<String>>().join(", ")
    };
    assert_eq!(of(&[]), "a of mmap, b of a, c of b");
    assert_eq!(
        of(&["--arm", "c"]),
        "a of mmap, b of a, c of b",
        "an arm brings what it is compared with"
    );
    assert_eq!(of(&["--allocator", "system", "--arm", "b"]), "a of mmap, b of a, b@system of b");
}
