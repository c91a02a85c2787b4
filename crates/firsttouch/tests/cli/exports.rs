//! The other forms of a result: CSV, Markdown and SVG, from `bench` and from `report`.

use crate::program::{Scratch, run, text};

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
    ] {
        let output = run(&[&BENCH[..], arguments].concat());
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
    let output = run(&["report", file, "--csv", file]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("would overwrite"), "{}", text(&output.stderr));
    assert_eq!(std::fs::read_to_string(file).unwrap(), "precious");
}
