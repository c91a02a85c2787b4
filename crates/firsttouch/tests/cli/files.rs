//! Files and forks: what the page cache and copy-on-write guarantee must be in the figures.

use std::path::Path;

use results::{Arm, LabResult, Sample};

use crate::program::{Scratch, result, run, skip, text};

fn bench(arguments: &[&str]) -> LabResult {
    let fixed = ["--blocks", "2", "--seed", "7", "--json", "-"];
    result(&run(&[&["bench"][..], arguments, &fixed].concat()))
}

fn arm<'a>(result: &'a LabResult, name: &str) -> Option<&'a Arm> {
    let found = result.arms.iter().find(|arm| arm.name == name);
    if found.is_none() {
        let refused = result.refused.iter().find(|refused| refused.arm == name);
        let reason =
            refused.map_or("the arm is missing without a reason", |refused| &refused.reason);
        assert!(refused.is_some_and(|refused| !refused.failed), "{name}: {reason}");
        skip(&format!("{name}: {reason}"));
    }
    found
}

fn of_each(result: &LabResult, name: &str, check: impl Fn(&Sample)) {
    let Some(arm) = arm(result, name) else { return };
    assert_eq!(arm.samples.len(), 2, "{name}");
    arm.samples.iter().for_each(check);
}

/// The bytes of a sample with its whole batch, and the number of its pages.
fn amount(result: &LabResult) -> (u64, u64) {
    let bytes = result.experiment.size_bytes * result.experiment.operations;
    (bytes, bytes / result.machine.page_bytes)
}

#[test]
fn a_scan_finds_the_cache_as_it_was_wanted() {
    let result = bench(&["file-scan", "--size", "4MiB"]);
    let (bytes, pages) = amount(&result);
    let all = Some(bytes);
    for name in ["read", "file", "tmpfs"] {
        of_each(&result, name, |s| {
            assert_eq!((s.cached_before_bytes, s.cached_after_bytes), (all, all), "{name}");
            assert!(s.major_faults <= 2, "{name}: {} waits for the disk", s.major_faults);
        });
    }
    // A fault maps at least 16 pages around it (fault_around_bytes); 8 leaves room for edges.
    of_each(&result, "file", |s| {
        assert!(s.first_touch_minor_faults <= pages / 8, "{} faults", s.first_touch_minor_faults);
    });
    of_each(&result, "file+populate", |s| assert!(s.first_touch_minor_faults <= 4, "{s:?}"));
    for name in ["cold read", "cold file", "cold file+sequential"] {
        of_each(&result, name, |s| {
            assert_eq!((s.cached_before_bytes, s.cached_after_bytes), (Some(0), all), "{name}");
        });
    }
    of_each(&result, "cold file", |s| {
        assert!(s.first_touch_major_faults >= 1, "no fault waited for the disk");
    });
    of_each(&result, "direct", |s| {
        assert_eq!((s.cached_before_bytes, s.cached_after_bytes), (Some(0), Some(0)));
    });
    let seen = arm(&result, "file").unwrap().observed.as_ref().unwrap();
    assert!(seen.pages_per_fault.is_some_and(|pages| pages >= 8.0), "{seen:?}");
    assert_eq!(arm(&result, "read").unwrap().observed.as_ref().unwrap().pages_per_fault, None);
}

#[test]
fn in_no_order_the_kernel_reads_ahead_unless_told_not_to() {
    let result = bench(&["file-random", "--size", "1MiB"]);
    let (_, pages) = amount(&result);
    let waits = |name| {
        arm(&result, name)
            .map(|arm| arm.samples.iter().map(|s| s.first_touch_major_faults).sum::<u64>())
    };
    of_each(&result, "cold file+random", |s| {
        assert!(
            s.first_touch_major_faults >= pages * 9 / 10,
            "{} waits for {pages} pages",
            s.first_touch_major_faults
        );
    });
    if let (Some(ahead), Some(alone)) = (waits("cold file"), waits("cold file+random")) {
        assert!(ahead * 2 < alone, "{ahead} waits with reading ahead, {alone} without");
    }
    if let Some(arm) = arm(&result, "cold file+random") {
        let seen = arm.observed.as_ref().unwrap();
        assert!(seen.pages_per_wait.is_some_and(|pages| (0.9..1.2).contains(&pages)), "{seen:?}");
    }
}

/// A file written page by page is mapped in no larger pieces than a file written at once. No arm
/// here evicts the file from the page cache: reading it back would make pieces of another size.
#[test]
fn pages_are_mapped_as_they_were_written() {
    let result = bench(&["file-random", "--size", "1MiB", "--arm", "file", "--arm", "file+pieces"]);
    let faults = |name: &str| {
        let arm = arm(&result, name).unwrap();
        arm.samples.iter().map(|s| s.first_touch_minor_faults).min().unwrap()
    };
    assert!(
        faults("file+pieces") >= faults("file"),
        "{} and {}",
        faults("file+pieces"),
        faults("file")
    );
}

#[test]
fn the_screen_says_what_a_fault_brought() {
    let scratch = Scratch::new();
    let file = scratch.file("files.json");
    let shown = run(&[
        "bench",
        "file-scan",
        "--size",
        "2MiB",
        "--blocks",
        "2",
        "--json",
        file.to_str().unwrap(),
    ]);
    let screen = text(&shown.stdout);
    assert!(screen.contains("Pages of a file: one fault mapped "), "{screen}");
    assert!(
        !screen.contains("read faulted"),
        "its buffer is not the memory that was asked for: {screen}"
    );
    assert_eq!(screen, text(&run(&["report", file.to_str().unwrap()]).stdout));
}

#[test]
fn who_writes_after_a_fork_copies() {
    let result = bench(&["cow", "--size", "2MiB"]);
    let (_, pages) = amount(&result);
    for name in ["parent writes", "child writes", "private file"] {
        of_each(&result, name, |s| {
            let copies = s.second_touch_minor_faults;
            assert!(
                (pages..pages + pages / 10 + 20).contains(&copies),
                "{name}: {copies} copies of {pages} pages"
            );
            assert!(s.between_ns > 0 && s.second_touch_ns > 0, "{name}: {s:?}");
        });
    }
    // No other process maps the pages any more: a write makes them writable without a copy.
    of_each(&result, "shared", |s| {
        assert!(s.second_touch_minor_faults <= pages / 10, "handed over: {s:?}");
    });
    of_each(&result, "child is gone", |s| {
        assert!(s.between_ns > 0 && s.second_touch_ns > 0, "{s:?}");
    });
}

#[test]
fn a_fork_takes_time_and_grows_with_memory() {
    const SMALL: u64 = 32 << 20;
    const LARGE: u64 = 256 << 20;
    let result = bench(&["fork", "--size", "32MiB,256MiB"]);
    for name in ["mmap", "mmap+shared", "vfork", "placebo"] {
        let arm = arm(&result, name).unwrap();
        assert_eq!(arm.samples.len(), 4, "{name}");
        assert!(arm.samples.iter().all(|s| s.between_ns > 0 && s.second_touch_ns == 0), "{name}");
    }
    let least = |name: &str, size: u64| {
        let samples = &arm(&result, name).unwrap().samples;
        samples.iter().filter(|s| s.size_bytes == Some(size)).map(|s| s.between_ns).min().unwrap()
    };
    assert!(
        least("mmap", LARGE) > least("mmap", SMALL),
        "page tables of eight times as much memory"
    );
    assert!(least("vfork", LARGE) < least("mmap", LARGE), "none of them");
    assert_eq!(result.comparisons.iter().filter(|c| c.arm == "vfork").count(), 2);
}

#[test]
fn what_cannot_be_had_of_a_file_is_refused_with_what_to_do() {
    let direct = ["bench", "file-scan", "--size", "1MiB", "--blocks", "2", "--arm"];
    let refusal =
        |dir: &str, arm: &str| text(&run(&[&direct[..], &[arm, "--dir", dir]].concat()).stderr);
    let nowhere = refusal("/nowhere/at/all", "file");
    assert!(
        nowhere.contains("baseline read")
            && nowhere.contains("ENOENT")
            && nowhere.contains("--dir"),
        "{nowhere}"
    );
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    if mounts
        .lines()
        .any(|line| line.split(' ').nth(1) == Some("/dev/shm") && line.starts_with("tmpfs "))
    {
        let bypass = refusal("/dev/shm", "direct");
        assert!(bypass.contains("tmpfs has no disk that O_DIRECT could read past"), "{bypass}");
        let cold = refusal("/dev/shm", "cold file");
        assert!(cold.contains("never cold") && cold.contains("--dir"), "{cold}");
    } else {
        skip("/dev/shm is no tmpfs");
    }
    for (mistake, word) in [
        ("{ name = \"x\", source = \"read\", touch = \"fill\" }", "touch = \\\"sum\\\""),
        ("{ name = \"x\", source = \"mmap\", cache = \"cold\" }", "about files"),
        ("{ name = \"x\", source = \"memfd\", cache = \"cold\" }", "exists only in memory"),
        (
            "{ name = \"x\", source = \"mmap\", between = \"fork-child\", passes = 1 }",
            "second touch",
        ),
    ] {
        let scratch = Scratch::new();
        let file = scratch.file("mine.toml");
        let head = "name = \"mine\"\nquestion = \"Q?\"\nmetric = \"total_ns\"\nsize = \"64KiB\"\n\
                    margin = 0.03\nfill = 1\n";
        std::fs::write(&file, format!("{head}baseline = \"mmap\"\narms = [{mistake}]\n")).unwrap();
        let output = run(&["bench", file.to_str().unwrap()]);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(
            error.contains("mine.toml:8:") && error.contains(&word.replace('\\', "")),
            "{word}: {error}"
        );
    }
}

#[test]
fn nothing_is_left_of_a_file() {
    let scratch = Scratch::new();
    let directory = scratch.0.to_str().unwrap();
    let output = run(&[
        "bench",
        "file-scan",
        "--size",
        "1MiB",
        "--blocks",
        "2",
        "--dir",
        directory,
        "--json",
        "-",
    ]);
    assert_eq!(result(&output).arms[0].samples.len(), 2);
    assert_eq!(std::fs::read_dir(Path::new(directory)).unwrap().count(), 0);
}

#[test]
fn every_kind_of_file_takes_what_is_written() {
    let scratch = Scratch::new();
    let file = scratch.file("mine.toml");
    let arms = "{ name = \"private\", source = \"file+private\", between = \"dontneed\" }, \
                \"file\", \"file+willneed\", \
                \"tmpfs\", { name = \"anew\", source = \"file\", between = \"anew\" }";
    std::fs::write(
        &file,
        format!(
            "name = \"mine\"\nquestion = \"Q?\"\nmetric = \"total_ns\"\nsize = \"1MiB\"\n\
             threads = [1, 2]\nmargin = 0.03\n\
             fill = 1\nbaseline = \"memfd\"\narms = [{arms}]\n"
        ),
    )
    .unwrap();
    let result = bench(&[file.to_str().unwrap()]);
    for name in ["memfd", "private", "file", "file+willneed", "anew"] {
        let arm = arm(&result, name).unwrap_or_else(|| panic!("{name}: {:?}", result.refused));
        assert_eq!(arm.samples.len(), 4, "{name}");
        assert!(
            arm.samples.iter().all(|s| s.first_touch_minor_faults > 0),
            "{name}: every page is made writable"
        );
    }
    let again = |name| {
        arm(&result, name)
            .unwrap()
            .samples
            .iter()
            .map(|s| s.second_touch_minor_faults)
            .min()
            .unwrap()
    };
    assert!(again("private") > 0 && again("anew") > 0, "pages that went away come back by faults");
}
