//! Claims about time, from injected results of the lab.

use claims::judge::timed::{large_equal, malloc_slower, malloc_varies};
use results::LabResult;
use results::claims::ClaimVerdict::{CannotTest, DoesNotHold, Holds, Inconclusive};
use serde_json::{Value, json};

use crate::is;

/// An otherwise empty result of the lab, after `change`.
fn result(change: impl FnOnce(&mut Value)) -> LabResult {
    let mut value = json!({
        "schema": results::SCHEMA, "version": "0", "started": "", "elapsed_ns": 1, "seed": 7,
        "machine": { "cpus": 2 }, "warnings": [], "looks": [], "arms": [], "dropped": [],
        "refused": [], "comparisons": [],
        "experiment": {
            "name": "x", "question": "?", "metric": "total_ns", "margin": 0.05,
            "size_bytes": 33_554_432,
        },
        "placebo": { "ratio": 1.0, "low": 0.99, "high": 1.01, "confidence": 0.99, "trusted": true },
    });
    change(&mut value);
    serde_json::from_value(value).expect("a result")
}

fn comparison(ratio: f64, verdict: &str) -> Value {
    json!({
        "arm": "malloc", "baseline": "mmap", "metric": "total_ns", "size_bytes": 33_554_432,
        "ratio": ratio, "low": ratio - 0.01, "high": ratio + 0.01, "confidence": 0.95,
        "blocks": 48, "verdict": verdict, "smallest_detectable": 0.01,
    })
}

#[test]
fn large_blocks() {
    let check = |comparison: Value, trusted: bool, verdict, words: &[&str]| {
        let result = result(|value| {
            value["comparisons"] = json!([comparison]);
            value["placebo"]["trusted"] = json!(trusted);
        });
        is(&large_equal(&result), verdict, words);
    };
    check(
        comparison(1.0, "equivalent"),
        true,
        Holds,
        &["1.00x [0.99, 1.01] of mmap at 32 MiB, margin 5 %", "no difference larger"],
    );
    check(comparison(1.2, "different"), true, DoesNotHold, &["the interval excludes 1"]);
    check(comparison(1.0, "inconclusive"), true, Inconclusive, &["exclude neither 1"]);
    check(comparison(1.0, "equivalent"), false, Inconclusive, &["mmap differed from itself"]);
    let vague = result(|value| {
        value["comparisons"] = json!([comparison(1.0, "equivalent")]);
        value["placebo"]["low"] = json!(0.55);
        value["placebo"]["trusted"] = json!(null);
    });
    is(&large_equal(&vague), Inconclusive, &["by [0.55, 1.01]x"]);
    is(&large_equal(&result(|_| ())), CannotTest, &["no block was complete"]);
    let refused =
        result(|value| value["refused"] = json!([{ "arm": "malloc", "reason": "malloc: ENOMEM" }]));
    is(&large_equal(&refused), CannotTest, &["malloc: ENOMEM"]);
}

/// With THP `always`, malloc's mapping is a page longer than the request and not aligned to huge
/// pages.
#[test]
fn huge_pages_are_in_the_explanation() {
    let arm = |name: &str, faults: u64, huge_mib: u64| {
        let sample = json!({
            "block": 0, "position": 0, "operations": 2, "obtain_ns": 0, "first_touch_ns": 1,
            "second_touch_ns": 0, "release_ns": 0, "total_ns": 1, "minor_faults": faults,
            "major_faults": 0, "first_touch_minor_faults": faults, "huge_bytes": huge_mib << 20,
        });
        json!({ "name": name, "baseline": name == "mmap", "placebo": false, "samples": [sample] })
    };
    let explanation = |arms: Value| {
        let result = result(|value| {
            value["arms"] = arms;
            value["comparisons"] = json!([comparison(1.2, "different")]);
        });
        large_equal(&result).explanation
    };
    let apart = explanation(json!([arm("mmap", 34, 64), arm("malloc", 2080, 56)]));
    assert!(
        apart.contains(
            "a malloc block took 1,040 faults, 28 MiB of it in huge pages, an mmap block 17"
        ),
        "{apart}"
    );
    let alike = explanation(json!([arm("mmap", 8192, 0), arm("malloc", 8193, 0)]));
    assert!(alike.ends_with("the interval excludes 1."), "{alike}");
    assert!(
        explanation(json!([arm("mmap", 8192, 0), arm("malloc", 10, 0)]))
            .contains("took 5 faults, an mmap block 4,096 faults.")
    );
}

fn effect(factor: &str, ratio: f64, verdict: &str) -> Value {
    json!({
        "factor": factor, "levels": ["a", "b"], "ratio": ratio, "low": ratio - 0.02,
        "high": ratio + 0.02, "confidence": 0.97, "blocks": 48, "verdict": verdict,
        "smallest_detectable": 0.02,
    })
}

#[test]
fn slower_or_not() {
    let check = |effects: Vec<Value>, trusted: bool, verdict, words: &[&str]| {
        let result = result(|value| {
            value["effects"] = Value::Array(effects);
            value["placebo"]["trusted"] = json!(trusted);
        });
        is(&malloc_slower(&result), verdict, words);
    };
    let api = |ratio, verdict| effect("api", ratio, verdict);
    let slow_start = effect("position", 1.1, "different");
    check(
        vec![api(1.0, "equivalent"), slow_start.clone()],
        true,
        DoesNotHold,
        &["1.00x", "the first arm in a process is 1.10x", "always ran malloc first"],
    );
    check(
        vec![api(1.0, "equivalent"), effect("position", 1.0, "equivalent")],
        true,
        DoesNotHold,
        &["no clear effect of position"],
    );
    check(vec![api(1.3, "different")], true, Holds, &["1.30x", "position was not measured"]);
    check(vec![api(0.7, "different")], true, DoesNotHold, &["0.70x"]);
    check(vec![api(1.04, "inconclusive")], true, Inconclusive, &["1.04x"]);
    check(vec![api(0.98, "inconclusive")], true, DoesNotHold, &["0.98x"]);
    check(vec![api(1.3, "different")], false, Inconclusive, &["mmap differed from itself"]);
    let cold = effect("memory", 2.3, "different");
    check(
        vec![api(1.0, "equivalent"), slow_start, cold],
        true,
        DoesNotHold,
        &["cold memory 2.30x"],
    );
    check(vec![], true, CannotTest, &["out of time"]);
}

/// Samples of an arm whose logarithms alternate by `scatter`.
fn arm(name: &str, baseline: bool, scatter: f64, blocks: u32) -> Value {
    let sample = |block: u32| {
        let sign = if block.is_multiple_of(2) { 1.0 } else { -1.0 };
        let total_ns = 1e7 * f64::exp(sign * scatter * (1.0 + 0.01 * f64::from(block)));
        json!({
            "block": block, "position": 0, "operations": 1, "obtain_ns": 0, "first_touch_ns": 0,
            "second_touch_ns": 0, "release_ns": 0, "minor_faults": 0, "major_faults": 0,
            "total_ns": format!("{total_ns:.0}").parse::<u64>().expect("digits"),
        })
    };
    json!({
        "name": name, "baseline": baseline, "placebo": false,
        "samples": (0..blocks).map(sample).collect::<Vec<_>>(),
    })
}

#[test]
fn scatter() {
    let check = |mmap: f64, malloc: f64, blocks, trusted: bool, verdict, words: &[&str]| {
        let result = result(|value| {
            value["arms"] =
                json!([arm("mmap", true, mmap, blocks), arm("malloc", false, malloc, blocks)]);
            value["comparisons"] = json!([comparison(1.0, "equivalent")]);
            value["placebo"]["trusted"] = json!(trusted);
        });
        is(&malloc_varies(&result), verdict, words);
    };
    check(
        0.01,
        0.01,
        48,
        true,
        DoesNotHold,
        &["spread of malloc 1.00x", "32 MiB 1.00x [0.99, 1.01]"],
    );
    check(0.01, 0.05, 48, true, Holds, &["spread of malloc 5.00x"]);
    check(0.01, 0.05, 48, false, Inconclusive, &["untrusted"]);
    check(0.01, 0.05, 8, true, Inconclusive, &["[no interval]"]);
    check(0.01, 0.01, 1, true, CannotTest, &["fewer than two blocks"]);
}
