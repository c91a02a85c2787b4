//! Screens of factorial runs.

use results::{Comparison, Effect, Explained, Factor, LabResult, Verdict};

use crate::injected::{arm, comparison, result};
use crate::{at_every_width, shown};
use report::View;

fn effect(
    factor: &str,
    levels: [&str; 2],
    ratio: f64,
    bounds: Option<(f64, f64)>,
    verdict: Verdict,
) -> Effect {
    Effect {
        factor: factor.to_owned(),
        levels: levels.map(str::to_owned),
        ratio,
        low: bounds.map(|b| b.0),
        high: bounds.map(|b| b.1),
        confidence: 0.97,
        blocks: 48,
        verdict,
        smallest_detectable: None,
    }
}

/// Two cells stand for eight: the screen shows what there is.
pub(crate) fn factorial() -> LabResult {
    let mut result = result();
    let factors =
        [("api", ["malloc", "mmap"]), ("fill", ["0", "1"]), ("position", ["first", "second"])];
    "position".clone_into(&mut result.experiment.name);
    result.experiment.factors = factors
        .map(|(name, levels)| Factor { name: name.to_owned(), levels: levels.map(str::to_owned) })
        .to_vec();
    result.arms = vec![
        arm("malloc/0/first", [0.011, 54.5, 3.9, 6.3], Some(25_601.0)),
        arm("mmap/1/second", [0.006, 53.6, 3.9, 6.2], Some(25_600.0)),
        arm("placebo", [0.006, 53.7, 3.9, 6.2], Some(25_600.0)),
    ];
    result.arms[1].baseline = true;
    result.comparisons = vec![Comparison {
        baseline: "mmap/1/second".to_owned(),
        ..comparison("malloc/0/first", 1.04, Some((1.02, 1.06)), Verdict::Different)
    }];
    result.effects = vec![
        effect("api", factors[0].1, 1.0, Some((0.99, 1.01)), Verdict::Equivalent),
        effect("fill", factors[1].1, 0.99, Some((0.96, 1.04)), Verdict::Inconclusive),
        effect("position", factors[2].1, 1.04, Some((1.02, 1.06)), Verdict::Different),
        effect("memory", ["cold", "warm"], 2.3, Some((1.9, 2.6)), Verdict::Different),
    ];
    result.spreads = vec![
        effect("api", factors[0].1, 1.1, Some((0.7, 1.6)), Verdict::Inconclusive),
        effect("position", factors[2].1, 1.9, Some((1.3, 2.8)), Verdict::Different),
    ];
    result.explained = Some(Explained {
        who: "the post".to_owned(),
        reference_low: 1.22,
        reference_high: 1.70,
        factors: ["api", "fill", "position", "memory"].map(str::to_owned).to_vec(),
        unmeasured: Vec::new(),
        at_most: Some(2.9),
        confidence: 0.92,
        enough: Some(true),
    });
    result
}

#[test]
fn a_factorial_run_tells_what_each_factor_could_explain() {
    at_every_width("a_factorial_run", &factorial());
}

#[test]
fn a_factorial_run_claims_nothing_that_it_did_not_measure() {
    let mut result = factorial();
    (result.effects[3].low, result.effects[3].high) = (None, None);
    result.spreads.iter_mut().for_each(|spread| (spread.low, spread.high) = (None, None));
    let explained = result.explained.as_mut().unwrap();
    (explained.at_most, explained.enough) = (Some(1.11), None);
    explained.factors.pop();
    let screen = shown(&result, View::verbose(None));
    let memory = screen.lines().find(|line| line.starts_with("memory")).unwrap();
    assert!(memory.contains("unknown"), "{screen}");
    assert!(screen.contains("whether they explain it is open"), "{screen}");
    assert!(screen.contains("too few to compare"), "{screen}");

    result.explained.as_mut().unwrap().enough = Some(false);
    let screen = shown(&result, View::verbose(None));
    assert!(screen.contains("The post saw 1.22x to 1.70x"), "{screen}");
    assert!(screen.contains("they do not explain it"), "{screen}");
    result.explained = None;
    let screen = shown(&result, View::verbose(None));
    assert!(!screen.contains("the post"), "a user's own factors have no post to explain");
}
