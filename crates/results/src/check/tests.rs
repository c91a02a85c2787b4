use crate::{Arm, Block, Comparison, Placebo, Sample, Verdict};

use super::*;

/// A run of two arms and one block, as small as it can be.
pub(super) fn sound() -> LabResult {
    let sample =
        Sample { operations: 1, obtain_ns: 1, first_touch_ns: 2, total_ns: 3, ..Sample::default() };
    let arm =
        |name: &str| Arm { name: name.into(), samples: vec![sample.clone()], ..Arm::default() };
    let mut result = LabResult {
        version: "1".into(),
        started: "2026-01-01T00:00:00Z".into(),
        arms: vec![Arm { baseline: true, ..arm("mmap") }, arm("malloc")],
        blocks: vec![Block::default()],
        comparisons: vec![Comparison {
            arm: "malloc".into(),
            baseline: "mmap".into(),
            metric: "total_ns".into(),
            size_bytes: 4096,
            threads: None,
            passes: None,
            ratio: 1.0,
            low: Some(0.9),
            high: Some(1.1),
            confidence: 0.95,
            blocks: 1,
            verdict: Verdict::Inconclusive,
            smallest_detectable: None,
            sensitivity: None,
        }],
        placebo: Some(Placebo {
            ratio: 1.0,
            low: Some(0.98),
            high: Some(1.02),
            confidence: 0.99,
            trusted: Some(true),
        }),
        ..LabResult::default()
    };
    result.experiment.name = "anonymous".into();
    result.experiment.metric = "total_ns".into();
    result
}

#[test]
fn a_sound_result_is_accepted() {
    assert_eq!(check(&sound()), Ok(()));
}

#[test]
fn impossible_values_are_named() {
    type Damage = fn(&mut LabResult);
    let cases: [(Damage, &str); 18] = [
        (|r| r.comparisons[0].ratio = 1e300, "comparisons[0].ratio: 1e300 is no ratio of times"),
        (|r| r.comparisons[0].ratio = -1.0, "comparisons[0].ratio: -1e0 is no ratio of times"),
        (|r| r.comparisons[0].ratio = 0.0, "comparisons[0].ratio: 0e0 is no ratio of times"),
        (|r| r.comparisons[0].ratio = f64::NAN, "comparisons[0].ratio: NaN is no ratio of times"),
        (|r| r.comparisons[0].low = Some(1.05), "comparisons[0].low: 1.05 is more than the ratio"),
        (|r| r.comparisons[0].high = Some(0.95), "comparisons[0].high: 0.95 is less than"),
        (|r| r.comparisons[0].high = None, "comparisons[0].high: missing"),
        (|r| r.comparisons[0].confidence = 0.0, "comparisons[0].confidence: 0e0 is not between"),
        (|r| r.comparisons[0].blocks = 2, "comparisons[0].blocks: 2, and the run has 1"),
        (|r| r.comparisons[0].arm.clear(), "comparisons[0].arm: empty"),
        (|r| r.placebo.as_mut().unwrap().low = Some(1.5), "placebo.low: 1.5 is more than"),
        (|r| r.placebo.as_mut().unwrap().trusted = None, ""),
        (|r| r.arms[1].name = "x".repeat(5000), "arms[1].name: 5000 letters are too many"),
        (|r| r.arms[0].samples[0].total_ns = 4, "arms[0].samples[0].total_ns: 4, and obtain_ns"),
        (|r| r.arms[0].samples[0].block = 1, "arms[0].samples[0].block: 1, and the run has 1"),
        (|r| r.experiment.margin = -0.1, "experiment.margin: -1e-1 is no share"),
        (|r| r.elapsed_ns = u64::MAX, "elapsed_ns: 18446744073709551615 is too much to be true"),
        (|r| r.machine.page_bytes = 3, "machine.page_bytes: 3 is no power of two"),
    ];
    for (damage, expect) in cases {
        let mut result = sound();
        damage(&mut result);
        let said = check(&result).err().map(|wrong| wrong.to_string()).unwrap_or_default();
        let is_expected =
            if expect.is_empty() { said.is_empty() } else { said.starts_with(expect) };
        assert!(is_expected, "{said:?} instead of {expect:?}");
    }
    let mut twice = sound();
    let first = twice.arms[0].samples[0].clone();
    twice.arms[0].samples.push(first);
    assert_eq!(check(&twice).unwrap_err().key, "arms[0].samples[1].block");
}
