//! The other forms of a result: CSV, Markdown, SVG and those of other tools, from `bench` and from
//! `report`.

use std::process::Command;

use results::LabResult;
use results::hyperfine::Summary;

use crate::program::{Scratch, firsttouch, run, skip, text};

const BENCH: [&str; 7] = ["bench", "--size", "64KiB", "--blocks", "1", "--arm", "malloc"];

/// Runs the program and expects success.
fn output_of(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn report_writes_the_forms_that_bench_wrote() {
    let scratch = Scratch::new();
    let path = |name: &str| scratch.file(name).to_str().unwrap().to_owned();
    let (json, csv, svg) = (path("r.json"), path("r.csv"), path("r.svg"));
    let forms = ["--json", &json, "--csv", &csv, "--svg", &svg, "--markdown"];
    let markdown = output_of(&[&BENCH[..], &forms].concat());
    let read = |path: &str| std::fs::read_to_string(path).expect("a file that bench wrote");

    assert!(markdown.starts_with("**") && markdown.contains("| `malloc` |"), "{markdown}");
    assert_eq!(read(&csv).lines().count(), 4, "a header, and a sample of each arm");
    assert!(read(&svg).starts_with("<svg "), "{}", read(&svg));

    assert_eq!(output_of(&["report", &json, "--markdown"]), markdown);
    assert_eq!(output_of(&["report", &json, "--csv", "-"]), read(&csv));
    assert_eq!(output_of(&["report", &json, "--svg", "-"]), read(&svg));
    let again = path("again.svg");
    let screen = output_of(&["report", &json, "--svg", &again]);
    assert_eq!(screen, output_of(&["report", &json]), "the screen, besides the file");
    assert_eq!(read(&again), read(&svg));
}

#[test]
fn standard_output_takes_one_document() {
    let scratch = Scratch::new();
    let file = scratch.file("both");
    let file = file.to_str().unwrap();
    for (arguments, words) in [
        (&["--csv", "-", "--json", "-"][..], "--json - and --csv -"),
        (&["--csv", "-", "--markdown"], "--csv - and --markdown"),
        (&["--svg", "-", "--json", "-"], "--json - and --svg -"),
        (&["--csv", file, "--svg", file], "name the same file"),
        (&["--export", "go", "--json", "-"], "--json - and --export go -"),
        (&["--export", "go", "--export", "hyperfine=-"], "--export go - and --export hyperfine -"),
        (&["--csv", file, "--export", "go=both"], "--csv and --export go name the same file"),
        (&["--export", "parquet=x"], "there is no format parquet; there are hyperfine, go, csv"),
        (&["--export", "go="], "no file: go=FILE"),
    ] {
        let arguments = [&BENCH[..], arguments].concat();
        let mut command = firsttouch(&arguments);
        let output = command.current_dir(&scratch.0).output().expect("the program starts");
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
        assert!(errors.contains(words) && output.stdout.is_empty(), "{arguments:?}: {errors}");
    }
}

#[test]
fn a_survey_has_no_ratios_to_draw() {
    let scratch = Scratch::new();
    let svg = scratch.file("floors.svg");
    let output = run(&["bench", "floors", "--svg", svg.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("compares none"), "{}", text(&output.stderr));
    assert!(!svg.exists(), "refused before a file is made");
}

#[test]
fn a_result_is_not_written_over() {
    let scratch = Scratch::new();
    let file = scratch.file("r.json");
    std::fs::write(&file, "precious").unwrap();
    let file = file.to_str().unwrap();
    let export = format!("go={file}");
    for option in [["--csv", file], ["--export", &export]] {
        let output = run(&[&["report", file][..], &option].concat());
        assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains("would overwrite"), "{}", text(&output.stderr));
        assert_eq!(std::fs::read_to_string(file).unwrap(), "precious");
    }
}

/// The samples of a result that hyperfine's form has.
fn check_hyperfine(summary: &Summary, result: &LabResult) {
    let arms: Vec<_> = result.arms.iter().filter(|arm| !arm.placebo).collect();
    assert_eq!(summary.results.len(), arms.len());
    for (benchmark, arm) in summary.results.iter().zip(arms) {
        assert_eq!(benchmark.command, arm.name);
        let times: Vec<f64> =
            arm.samples.iter().map(|sample| sample.total_ns as f64 / 1e9).collect();
        assert_eq!(benchmark.times, times);
        assert!(times.contains(&benchmark.min) && times.contains(&benchmark.max));
        assert!(benchmark.min <= benchmark.median && benchmark.median <= benchmark.max);
        assert!(benchmark.stddev.is_some() && benchmark.user.is_none());
        assert_eq!(benchmark.exit_codes, vec![Some(0); times.len()]);
    }
}

/// The lines of a result that Go's form has.
fn check_go(lines: &str, result: &LabResult) {
    let mut runs = lines.lines().filter(|line| line.starts_with("Benchmark"));
    for arm in &result.arms {
        for sample in &arm.samples {
            let fields: Vec<&str> = runs.next().expect("a line").split_whitespace().collect();
            assert_eq!(fields[0], format!("BenchmarkAnonymous/arm={}", arm.name));
            assert_eq!(fields[1], sample.operations.to_string());
            let per_operation = sample.total_ns as f64 / sample.operations as f64;
            assert_eq!((fields[2].parse(), fields[3]), (Ok(per_operation), "ns/op"));
        }
    }
    assert_eq!(runs.next(), None);
}

#[test]
fn the_forms_of_other_tools_have_every_sample() {
    let scratch = Scratch::new();
    let path = |name: &str| scratch.file(name).to_str().unwrap().to_owned();
    let names = ["hyperfine", "go", "csv", "markdown", "svg"];
    let exports = names.map(|name| format!("{name}={}", path(name)));
    let json = path("r.json");
    let mut arguments = vec!["bench", "--size", "1MiB", "--blocks", "6", "--arm", "malloc"];
    arguments.extend(["--json", &json]);
    arguments.extend(exports.iter().flat_map(|export| ["--export", export]));
    let screen = output_of(&arguments);
    assert_eq!(screen, output_of(&["report", &json]), "the screen, besides the files");

    let read = |path: &str| std::fs::read_to_string(path).expect("a file that bench wrote");
    let result = results::read(read(&json).as_bytes()).expect("a result");
    let summary: Summary = serde_json::from_str(&read(&path("hyperfine"))).expect("JSON");
    check_hyperfine(&summary, &result);
    check_go(&read(&path("go")), &result);
    for name in names {
        assert_eq!(output_of(&["report", &json, "--export", name]), read(&path(name)), "{name}");
    }
    assert_eq!(output_of(&["report", &json, "--csv", "-"]), read(&path("csv")));
    assert_eq!(output_of(&["report", &json, "--markdown"]), read(&path("markdown")));

    let benchstat = Command::new("benchstat").args(["-col", "/arm", &path("go")]).output();
    let Ok(output) = benchstat else { return skip("no benchstat") };
    let table = text(&output.stdout);
    assert!(output.status.success() && output.stderr.is_empty(), "{}", text(&output.stderr));
    for words in ["mmap", "malloc", "placebo", "sec/op", "Anonymous"] {
        assert!(table.contains(words), "{words}: {table}");
    }
}
