//! Results in the forms of other tools, and the forms of a program's comparison, from injected
//! results.

use std::collections::BTreeMap;

use report::Document;
use results::compare::{
    Gate, GateOutcome, MetricSummary, ProgramArm, ProgramExperiment, ProgramResult, ProgramSample,
};
use results::{
    Arm, Comparison, Dropped, ExperimentRecord, LabResult, Machine, Placebo, Sample, Verdict,
};

fn machine() -> Machine {
    Machine {
        kernel: Some("6.18.0".to_owned()),
        arch: Some("x86_64".to_owned()),
        cpu: Some(" A processor\n".to_owned()),
        cpus: 2,
        ..Machine::default()
    }
}

fn sample(block: u64, first_touch_ns: u64, size_bytes: Option<u64>) -> Sample {
    Sample {
        block,
        operations: 4,
        size_bytes,
        obtain_ns: 100,
        first_touch_ns,
        total_ns: first_touch_ns + 100,
        minor_faults: 10,
        rss_bytes: Some(1 << 20),
        ..Sample::default()
    }
}

fn lab(metric: &str, arms: Vec<Arm>) -> LabResult {
    LabResult {
        version: "0.1.0".to_owned(),
        seed: 7,
        machine: machine(),
        experiment: ExperimentRecord {
            name: "small-churn".to_owned(),
            metric: metric.to_owned(),
            ..ExperimentRecord::default()
        },
        arms,
        ..LabResult::default()
    }
}

fn arm(name: &str, samples: Vec<Sample>) -> Arm {
    Arm {
        name: name.to_owned(),
        baseline: name == "mmap",
        placebo: name == "placebo",
        samples,
        ..Arm::default()
    }
}

/// Two arms and the placebo.
fn arms() -> LabResult {
    let runs = |times: &[u64]| {
        times.iter().zip(0..).map(|(time, block)| sample(block, *time, None)).collect()
    };
    lab(
        "first_touch_ns",
        vec![
            arm("mmap", runs(&[4_000, 1_000, 3_000, 2_000])),
            arm("arena-2", runs(&[8_000])),
            arm("placebo", runs(&[4_000, 4_000])),
            arm("never ran", Vec::new()),
        ],
    )
}

fn sweep() -> LabResult {
    let at = |size_bytes: u64, time: u64| sample(0, time, Some(size_bytes));
    lab("total_ns", vec![arm("mmap", vec![at(1 << 20, 900), at(4096, 100), at(1 << 20, 1_100)])])
}

/// The JSON of the hyperfine form.
fn hyperfine(document: Document) -> serde_json::Value {
    let mut text = Vec::new();
    results::write(&document.hyperfine(), &mut text).expect("memory takes it");
    let mut json: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    let benchmarks = json["results"].as_array_mut().expect("a list");
    for key in ["mean", "stddev", "median", "user", "system"] {
        // A sum of seconds has the error of binary fractions in its last digit.
        for value in benchmarks.iter_mut().filter_map(|one| one.get_mut(key)) {
            let rounded = value.as_f64().map(|value| format!("{value:.9e}").parse::<f64>());
            *value = rounded.map_or(serde_json::Value::Null, |value| value.unwrap().into());
        }
    }
    json
}

#[test]
fn hyperfine_has_its_keys_and_what_is_unknown_is_null() {
    let json = hyperfine(Document::Lab(&arms()));
    assert_eq!(
        json,
        serde_json::json!({ "results": [
            {
                "command": "mmap", "mean": 2.5e-6, "stddev": 1.290_994_449e-6,
                "median": 2.5e-6, "user": null, "system": null, "min": 1e-6, "max": 4e-6,
                "times": [4e-6, 1e-6, 3e-6, 2e-6], "exit_codes": [0, 0, 0, 0]
            },
            {
                "command": "arena-2", "mean": 8e-6, "stddev": null, "median": 8e-6, "user": null,
                "system": null, "min": 8e-6, "max": 8e-6, "times": [8e-6], "exit_codes": [0]
            }
        ] }),
        "the metric of each sample; neither the placebo nor an arm without a run"
    );
}

#[test]
fn hyperfine_has_a_benchmark_for_each_point() {
    let json = hyperfine(Document::Lab(&sweep()));
    let of = |key: &str| -> Vec<&serde_json::Value> {
        json["results"].as_array().unwrap().iter().map(|one| &one[key]).collect()
    };
    assert_eq!(of("command"), ["mmap, 4KiB", "mmap, 1MiB"]);
    assert_eq!(of("times"), [&serde_json::json!([2e-7]), &serde_json::json!([1e-6, 1.2e-6])]);
    assert_eq!(of("parameters")[1], &serde_json::json!({ "size_bytes": "1048576" }));
}

/// A line of a run, by the grammar of the format: the name, the iterations, then values and units.
fn parsed(line: &str) -> (String, u64, BTreeMap<String, f64>) {
    let fields: Vec<&str> = line.split_whitespace().collect();
    assert!(fields.len() >= 4 && fields.len().is_multiple_of(2), "{line}");
    let name = fields[0].strip_prefix("Benchmark").expect("a name");
    assert!(name.starts_with(|c: char| c.is_ascii_uppercase()), "{line}");
    let values = fields[2..].chunks(2).map(|pair| {
        let value: f64 = pair[0].parse().expect("a number");
        (pair[1].to_owned(), value)
    });
    (name.to_owned(), fields[1].parse().expect("a count"), values.collect())
}

fn runs(text: &str) -> Vec<(String, u64, BTreeMap<String, f64>)> {
    text.lines().filter(|line| line.starts_with("Benchmark")).map(parsed).collect()
}

/// Every other line is one that the format knows, or a comment.
fn check_head(text: &str) {
    for line in text.lines().filter(|line| !line.starts_with("Benchmark")) {
        let is_unit = line.starts_with("Unit ") && line.ends_with(" better=lower");
        let is_key = line.split_once(": ").is_some_and(|(key, value)| {
            key.chars().all(|c| c.is_ascii_lowercase()) && !value.trim().is_empty()
        });
        assert!(is_unit || is_key || line.starts_with("# "), "{line:?}");
    }
}

#[test]
fn go_has_a_line_for_each_sample() {
    let text = Document::Lab(&arms()).go();
    check_head(&text);
    assert!(
        text.starts_with("goos: linux\ngoarch: amd64\npkg: firsttouch\ncpu: A processor\n# Linux"),
        "{text}"
    );
    let runs = runs(&text);
    let names: Vec<&str> = runs.iter().map(|(name, ..)| name.as_str()).collect();
    let mmap = ["SmallChurn/arm=mmap"; 4];
    let others = ["SmallChurn/arm=arena%2D2", "SmallChurn/arm=placebo", "SmallChurn/arm=placebo"];
    assert_eq!(names, [&mmap[..], &others[..]].concat());
    let (_, operations, figures) = &runs[0];
    assert_eq!(*operations, 4);
    let expect = [
        ("first-touch-ns/op", 1000.0),
        ("minor-faults/op", 2.5),
        ("ns/op", 1000.0),
        ("obtain-ns/op", 25.0),
        ("rss-bytes", 1_048_576.0),
    ];
    let figures: Vec<(&str, f64)> = figures.iter().map(|(unit, v)| (unit.as_str(), *v)).collect();
    assert_eq!(figures, expect, "per operation, but memory; nothing that is 0 throughout");
    for (unit, _) in expect {
        assert!(text.contains(&format!("Unit {unit} better=lower\n")), "{unit}: {text}");
    }
}

#[test]
fn go_names_each_point() {
    let runs = runs(&Document::Lab(&sweep()).go());
    let names: Vec<&str> = runs.iter().map(|(name, ..)| name.as_str()).collect();
    let large = "SmallChurn/size=1MiB/arm=mmap";
    assert_eq!(names, ["SmallChurn/size=4KiB/arm=mmap", large, large]);
}

fn program_sample(block: u64, wall_ns: u64) -> ProgramSample {
    ProgramSample {
        block,
        position: 1,
        wall_ns,
        user_ns: wall_ns / 2,
        sys_ns: wall_ns / 4,
        max_rss_bytes: (64 << 20) + block,
        minor_faults: 300,
        exit_code: Some(0),
        ..ProgramSample::default()
    }
}

fn compared(arm: &str, metric: &str, ratio: f64, bounds: Option<[f64; 2]>) -> Comparison {
    let is_one = bounds.is_some_and(|[low, high]| low <= 1.0 && high >= 1.0);
    Comparison {
        arm: arm.to_owned(),
        baseline: "system".to_owned(),
        metric: metric.to_owned(),
        size_bytes: 0,
        threads: None,
        passes: None,
        ratio,
        low: bounds.map(|bounds| bounds[0]),
        high: bounds.map(|bounds| bounds[1]),
        confidence: 0.95,
        blocks: 12,
        verdict: match bounds {
            None => Verdict::Inconclusive,
            Some(_) if is_one => Verdict::Equivalent,
            Some(_) => Verdict::Different,
        },
        smallest_detectable: None,
        sensitivity: None,
    }
}

fn program_arm(name: &str, walls_ns: &[u64]) -> ProgramArm {
    let median = |median: f64| MetricSummary { median, spread: 0.01 };
    ProgramArm {
        name: name.to_owned(),
        baseline: name == "system",
        placebo: name == "placebo",
        command: ["/opt/my-app", "two words"].map(str::to_owned).to_vec(),
        summary: [("wall_ns", 12e6), ("max_rss_bytes", 67e6), ("faults", 300.0)]
            .map(|(metric, value)| (metric.to_owned(), median(value)))
            .into(),
        samples: walls_ns.iter().zip(0..).map(|(ns, block)| program_sample(block, *ns)).collect(),
        ..ProgramArm::default()
    }
}

fn program() -> ProgramResult {
    let mut jemalloc = program_arm("jemalloc", &[9_000_000, 11_000_000]);
    let preload = Some("/lib/my libjemalloc.so".to_owned());
    jemalloc.environment =
        [("LD_PRELOAD".to_owned(), preload), ("MALLOC_ARENA_MAX".to_owned(), None)].into();
    let mut odd = program_arm("a|b, \"c\"", &[7_000_000]);
    odd.huge_pages_off = true;
    odd.command = ["./app", "it's"].map(str::to_owned).to_vec();
    odd.samples[0].exit_code = None;
    odd.samples[0].signal = Some(9);
    odd.samples[0].figure = Some(1.5);
    ProgramResult {
        seed: 7,
        machine: machine(),
        experiment: ProgramExperiment {
            name: "compare".to_owned(),
            question: "Which *allocator* for ./app?".to_owned(),
            metric: "wall_ns".to_owned(),
            metrics: ["wall_ns", "max_rss_bytes"].map(str::to_owned).to_vec(),
            margin: 0.03,
            command: ["/opt/my-app", "two words"].map(str::to_owned).to_vec(),
            aslr: Some(false),
            ..ProgramExperiment::default()
        },
        arms: vec![
            program_arm("system", &[12_000_000, 10_000_000]),
            jemalloc,
            odd,
            program_arm("placebo", &[12_000_000]),
        ],
        comparisons: vec![
            compared("jemalloc", "wall_ns", 0.9, Some([0.85, 0.95])),
            compared("jemalloc", "max_rss_bytes", 1.2, Some([1.1, 1.3])),
            compared("jemalloc", "faults", 0.5, Some([0.4, 0.6])),
            compared("a|b, \"c\"", "wall_ns", 1.0, None),
            compared("a|b, \"c\"", "max_rss_bytes", 1.0, Some([0.99, 1.01])),
        ],
        placebo: Some(Placebo {
            ratio: 1.0,
            low: Some(0.98),
            high: Some(1.02),
            confidence: 0.95,
            trusted: Some(true),
        }),
        dropped: vec![Dropped { block: 5, reason: "steal".to_owned(), samples: Vec::new() }],
        gates: vec![Gate {
            metric: "max_rss_bytes".to_owned(),
            arm: "jemalloc".to_owned(),
            limit: 0.05,
            outcome: GateOutcome::Failed,
        }],
        ..ProgramResult::empty("0.1.0")
    }
}

#[test]
fn hyperfine_has_what_is_known_of_a_program() {
    let json = hyperfine(Document::Program(&program()));
    assert_eq!(
        json["results"][0],
        serde_json::json!({
            "command": "system", "mean": 0.011, "stddev": 0.001_414_213_562,
            "median": 0.011, "user": 0.0055, "system": 0.00275, "min": 0.01, "max": 0.012,
            "times": [0.012, 0.01], "memory_usage_byte": [67_108_864, 67_108_865],
            "exit_codes": [0, 0]
        })
    );
    assert_eq!(json["results"][2]["exit_codes"], serde_json::json!([null]), "a signal");
    assert_eq!(json["results"].as_array().map(Vec::len), Some(3), "without the placebo");
}

#[test]
fn go_has_the_figures_of_a_program() {
    let text = Document::Program(&program()).go();
    check_head(&text);
    let runs = runs(&text);
    assert_eq!(runs.len(), 6);
    let (name, iterations, figures) = &runs[4];
    assert_eq!((name.as_str(), *iterations), ("MyApp/arm=a|b,%20\"c\"", 1));
    let expect = [
        ("figure", 1.5),
        ("max-rss-bytes", 67_108_864.0),
        ("minor-faults/op", 300.0),
        ("ns/op", 7e6),
        ("sys-ns/op", 1.75e6),
        ("user-ns/op", 3.5e6),
    ];
    let figures: Vec<(&str, f64)> = figures.iter().map(|(unit, v)| (unit.as_str(), *v)).collect();
    assert_eq!(figures, expect, "what is unknown is left out, and is not 0");
    assert!(!text.contains("Unit figure"), "it may be better either way");
}

#[test]
fn a_row_of_csv_for_each_run_of_a_program() {
    let csv = Document::Program(&program()).csv(false);
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 7, "a header and six samples");
    assert_eq!(
        lines[0],
        "experiment,arm,baseline,placebo,block,position,wall_ns,user_ns,sys_ns,max_rss_bytes,\
         tree_peak_bytes,settled_rss_bytes,figure,minor_faults,major_faults,involuntary_switches,\
         exit_code,signal"
    );
    let second = "compare,system,true,false,1,1,10000000,5000000,2500000,67108865,,,,300,0,0,0,";
    assert_eq!(lines[2], second);
    let odd = "compare,\"a|b, \"\"c\"\"\",false,false,0,1,7000000,3500000,1750000,67108864,,,1.5,\
               300,0,0,,9";
    assert_eq!(lines[5], odd);
}

#[test]
fn tables_of_a_program() {
    insta::assert_snapshot!(Document::Program(&program()).markdown());
}

#[test]
fn a_program_is_drawn_metric_by_metric() {
    let drawing = Document::Program(&program()).svg().expect("comparisons to draw");
    assert_eq!(drawing.matches("<circle").count(), 5, "four comparisons, and the placebo");
    for head in ["wall time", "peak RSS"] {
        assert!(drawing.contains(&format!(">{head}</text>")), "{head}: {drawing}");
    }
    for word in ["faster", "slower", "same", "unclear", "placebo"] {
        assert!(drawing.contains(&format!("<circle class=\"{word}\"")), "{word}: {drawing}");
    }
    assert!(Document::Program(&ProgramResult::empty("0.1.0")).svg().is_none());
}
