//! The results of a factorial experiment: the effect of each factor on the time, and on the spread
//! of the time.

use results::{Effect, Explained, Factor, Sample};
use stats::{Estimate, compare, largest_rank};

use crate::design::schedule::ALPHA;
use crate::design::{Contrast, Design};
use crate::judge::comparison::verdict;
use crate::question::experiment::Reference;
use crate::run::Run;

/// Smaller differences of logarithms are due to the clock's resolution.
const LEAST_DIFFERENCE: f64 = 1e-6;

/// The effect of every factor of `design`, judged at the last look of `run`.
#[must_use]
pub fn effects(design: &Design, run: &Run) -> Vec<Effect> {
    let Some(look) = run.looks.last() else { return Vec::new() };
    let effect = |(contrast, estimate): (&Contrast, &Option<Estimate>)| {
        let (factor, estimate) = (&design.factors[contrast.factor?], estimate.as_ref()?);
        Some(effect(factor, estimate, 1.0 - look.alpha, look.blocks))
    };
    design.contrasts.iter().zip(&run.estimates).filter_map(effect).collect()
}

/// The effect of every factor on the spread. Two consecutive blocks are a pair. The distance
/// between the logarithms of a cell's two samples measures its spread; the mean logarithm of that
/// over the cells of one level, less that of the other level, is one value of the ratio of spreads.
/// If a level only stretches the distribution, that value is symmetric around the logarithm of the
/// stretch, so the sign interval is exact; drift from block to block cancels.
#[must_use]
pub fn spreads(design: &Design, samples: &[Vec<Sample>]) -> Vec<Effect> {
    let factors: Vec<&Contrast> =
        design.contrasts.iter().filter(|contrast| contrast.factor.is_some()).collect();
    let spread = |contrast: &&Contrast| {
        let ratios = spread_ratios(design, samples, contrast);
        let rank = largest_rank(ratios.len(), ALPHA / factors.len() as f64);
        let estimate = compare(&ratios, rank, design.margin)?;
        Some(effect(&design.factors[contrast.factor?], &estimate, 1.0 - ALPHA, ratios.len()))
    };
    factors.iter().filter_map(spread).collect()
}

/// The logarithm of the ratio of spreads of each pair of blocks.
fn spread_ratios(design: &Design, samples: &[Vec<Sample>], contrast: &Contrast) -> Vec<f64> {
    let blocks = contrast.arms().map(|arm| samples[arm].len()).min().unwrap_or(0);
    let value = |sample: &Sample| (design.metric().of(sample).max(1) as f64).ln();
    let apart = |arm: usize, pair: usize| {
        let [first, second] = [2 * pair, 2 * pair + 1].map(|block| value(&samples[arm][block]));
        (first - second).abs().max(LEAST_DIFFERENCE).ln()
    };
    let mean = |arms: &[usize], pair: usize| {
        arms.iter().map(|&arm| apart(arm, pair)).sum::<f64>() / arms.len() as f64
    };
    (0..blocks / 2).map(|pair| mean(&contrast.plus, pair) - mean(&contrast.minus, pair)).collect()
}

fn effect(factor: &Factor, estimate: &Estimate, confidence: f64, blocks: usize) -> Effect {
    Effect {
        factor: factor.name.clone(),
        levels: factor.levels.clone(),
        ratio: estimate.ratio,
        low: estimate.interval.map(|i| i.low),
        high: estimate.interval.map(|i| i.high),
        confidence,
        blocks: blocks as u64,
        verdict: verdict(estimate.verdict),
        smallest_detectable: estimate.smallest_detectable,
    }
}

/// Whether `effects` together could cause a ratio as large as `reference`: the product of the upper
/// bounds of all their intervals. `unmeasured` factors leave the question open. The probability
/// that all bounds hold is 1 less the error probabilities of the sessions.
#[must_use]
pub fn explained(reference: &Reference, effects: &[Effect], unmeasured: Vec<String>) -> Explained {
    let bounds: Vec<(&Effect, f64)> =
        effects.iter().filter_map(|effect| Some((effect, effect.high?))).collect();
    // Effects of one session share one confidence; the pairs of cold and warm samples are a
    // separate session.
    let of_session =
        |memory: bool| bounds.iter().find(|(effect, _)| (effect.factor == "memory") == memory);
    let sessions =
        [true, false].into_iter().filter_map(of_session).map(|(effect, _)| 1.0 - effect.confidence);
    let error: f64 = sessions.sum();
    let at_most =
        (!bounds.is_empty()).then(|| bounds.iter().map(|(_, high)| high.max(1.0)).product::<f64>());
    let whole = bounds.len() == effects.len() && unmeasured.is_empty();
    Explained {
        who: reference.who.clone(),
        reference_low: reference.low,
        reference_high: reference.high,
        factors: bounds.iter().map(|(effect, _)| effect.factor.clone()).collect(),
        unmeasured,
        at_most,
        confidence: 1.0 - error,
        enough: at_most.filter(|_| whole).map(|most| most >= reference.low),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use results::Verdict;

    fn effect(factor: &str, high: Option<f64>, confidence: f64) -> Effect {
        Effect {
            factor: factor.to_owned(),
            levels: ["a".to_owned(), "b".to_owned()],
            ratio: 1.0,
            low: high.map(|_| 0.9),
            high,
            confidence,
            blocks: 48,
            verdict: Verdict::Inconclusive,
            smallest_detectable: None,
        }
    }

    fn explained(effects: &[Effect], unmeasured: &[&str]) -> Explained {
        let reference = Reference { who: "the post".to_owned(), low: 1.22, high: 1.7 };
        super::explained(&reference, effects, unmeasured.iter().map(ToString::to_string).collect())
    }

    fn check(effects: &[Effect], at_most: Option<f64>, enough: Option<bool>, confidence: f64) {
        let explained = explained(effects, &[]);
        assert_eq!(explained.enough, enough);
        assert!((explained.confidence - confidence).abs() < 1e-9, "{}", explained.confidence);
        match (explained.at_most, at_most) {
            (Some(is), Some(expect)) => assert!((is - expect).abs() < 1e-9, "{is}"),
            (is, expect) => assert_eq!(is, expect),
        }
    }

    #[test]
    fn bounds_multiply_and_missing_ones_leave_it_open() {
        let [api, position] =
            [effect("api", Some(1.02), 0.97), effect("position", Some(1.1), 0.97)];
        let cold = effect("memory", Some(2.5), 0.95);
        check(&[api.clone(), position.clone()], Some(1.02 * 1.1), Some(false), 0.97);
        check(&[api.clone(), cold.clone()], Some(1.02 * 2.5), Some(true), 0.92);
        check(&[cold], Some(2.5), Some(true), 0.95);
        check(&[api.clone(), effect("memory", None, 0.95)], Some(1.02), None, 0.97);
        let api_again = effect("api", Some(0.9), 0.97);
        check(&[api_again.clone(), position], Some(1.1), Some(false), 0.97);
        check(&[], None, None, 1.0);
        assert_eq!(
            explained(&[api_again], &["memory"]).enough,
            None,
            "an unmeasured factor leaves it open"
        );
    }
}
