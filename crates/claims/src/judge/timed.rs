//! Claims about time, from results of the lab.

use results::claims::{Claim, ClaimVerdict};
use results::{Effect, LabResult, Sample, Verdict};
use serde_json::{Value, json};
use stats::{Interval, compare, largest_rank, median};

use crate::catalogue::{cannot, claim};
use crate::wording::{bytes, count, ratio};

/// Error probability of an interval.
const ALPHA: f64 = 0.05;
/// "A lot" is more than twice as much.
const A_LOT: f64 = 2.0;
/// Differences of logarithms below this are clock noise.
const LEAST_DIFFERENCE: f64 = 1e-6;

/// The reason not to use a result, if there is one.
fn untrusted(result: &LabResult) -> Option<String> {
    let placebo = result.placebo.as_ref()?;
    match (placebo.trusted, placebo.low.zip(placebo.high)) {
        (Some(false), _) => Some(format!("mmap differed from itself ({:.2}x)", placebo.ratio)),
        (None, Some((low, high))) => Some(format!(
            "mmap differs from itself by [{low:.2}, {high:.2}]x, which could hide anything"
        )),
        _ => None,
    }
}

/// How the faults of malloc differ from those of mmap, if they do: their number, and how much of a
/// block is in huge pages (with THP `always`, only whole aligned ranges of a block are).
fn served_otherwise(result: &LabResult) -> Option<String> {
    let of = |api: &str| {
        let arms = result
            .arms
            .iter()
            .filter(|arm| !arm.placebo && arm.name.split('/').next() == Some(api));
        let samples: Vec<&Sample> = arms.flat_map(|arm| &arm.samples).collect();
        let median = |value: fn(&Sample) -> u64| {
            let each =
                samples.iter().map(|sample| value(sample) as f64 / sample.operations.max(1) as f64);
            median(&each.collect::<Vec<f64>>())
        };
        let faults = median(|sample| sample.obtain_minor_faults + sample.first_touch_minor_faults)?;
        Some((faults, median(|sample| sample.huge_bytes.unwrap_or(0))?))
    };
    let ((malloc, malloc_huge), (mmap, mmap_huge)) = (of("malloc")?, of("mmap")?);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole numbers of faults and bytes"
    )]
    let text = |faults: f64, huge: f64| {
        let pages = if huge > 0.0 {
            format!(", {} of it in huge pages", bytes(huge as u64))
        } else {
            String::new()
        };
        format!("{} faults{pages}", count(faults.round() as u64))
    };
    (malloc.max(mmap) > 1.1 * malloc.min(mmap)).then(|| {
        format!(
            "a malloc block took {}, an mmap block {}",
            text(malloc, malloc_huge),
            text(mmap, mmap_huge)
        )
    })
}

fn interval(low: Option<f64>, high: Option<f64>) -> Option<Interval> {
    low.zip(high).map(|(low, high)| Interval { low, high })
}

/// Log ratios of the spread of malloc over the spread of mmap, over all sizes. Two consecutive
/// blocks make a pair; its spread is the distance between the logarithms of its two times. Each
/// value is the mean over the sizes.
fn spread_ratios(result: &LabResult) -> Vec<f64> {
    let Some((mmap, malloc)) = arms(result) else { return Vec::new() };
    let times = |arm: &results::Arm, size: u64| -> Vec<f64> {
        let of_size =
            arm.samples.iter().filter(|sample| sample.size_bytes.is_none_or(|own| own == size));
        of_size.map(|sample| (sample.total_ns.max(1) as f64).ln()).collect()
    };
    let sizes = sizes(result);
    let logs: Vec<[Vec<f64>; 2]> =
        sizes.iter().map(|&size| [times(malloc, size), times(mmap, size)]).collect();
    let blocks = logs.iter().flatten().map(Vec::len).min().unwrap_or(0);
    let apart = |times: &[f64], pair: usize| {
        (times[2 * pair] - times[2 * pair + 1]).abs().max(LEAST_DIFFERENCE).ln()
    };
    let value = |pair: usize| {
        let differences = logs.iter().map(|[malloc, mmap]| apart(malloc, pair) - apart(mmap, pair));
        differences.sum::<f64>() / logs.len() as f64
    };
    (0..blocks / 2).map(value).collect()
}

fn sizes(result: &LabResult) -> Vec<u64> {
    let all = &result.experiment.sizes_bytes;
    if all.is_empty() { vec![result.experiment.size_bytes] } else { all.clone() }
}

fn arms(result: &LabResult) -> Option<(&results::Arm, &results::Arm)> {
    let baseline = result.arms.iter().find(|arm| arm.baseline)?;
    let other = result.arms.iter().find(|arm| !arm.baseline && !arm.placebo)?;
    Some((baseline, other))
}

/// Location and spread over a sweep of sizes.
#[must_use]
pub fn malloc_varies(result: &LabResult) -> Claim {
    const ID: &str = "malloc-varies";
    let ratios = spread_ratios(result);
    let Some(spread) = compare(&ratios, largest_rank(ratios.len(), ALPHA), A_LOT - 1.0) else {
        return cannot(ID, "out of time: fewer than two blocks");
    };
    let verdict = match (spread.interval, untrusted(result)) {
        (Some(bounds), None) if bounds.low > A_LOT => ClaimVerdict::Holds,
        (Some(bounds), None) if bounds.high < A_LOT => ClaimVerdict::DoesNotHold,
        _ => ClaimVerdict::Inconclusive,
    };
    let of_size: Vec<String> = result
        .comparisons
        .iter()
        .map(|c| format!("{} {}", bytes(c.size_bytes), ratio(c.ratio, interval(c.low, c.high))))
        .collect();
    let evidence = format!(
        "spread of malloc {} that of mmap, {} sizes",
        ratio(spread.ratio, spread.interval),
        sizes(result).len(),
    );
    let explanation = format!(
        "\"Varies\" means a spread more than {A_LOT} times that of mmap; times as a ratio to mmap: \
        {}{}.",
        of_size.join(", "),
        untrusted(result).map(|why| format!("; untrusted: {why}")).unwrap_or_default()
    );
    claim(ID, verdict, evidence, explanation)
        .figure("spread_ratio", spread.ratio)
        .figure("spread_low", spread.interval.map(|i| i.low))
        .figure("spread_high", spread.interval.map(|i| i.high))
        .figure("confidence", 1.0 - ALPHA)
        .figure("pairs_of_blocks", ratios.len())
        .figure("a_lot", A_LOT)
        .figure("fill", result.experiment.fill)
        .figure("sizes", size_rows(result))
}

fn size_rows(result: &LabResult) -> Vec<Value> {
    let summary = |arm: &results::Arm, size: u64| {
        arm.points
            .iter()
            .find(|point| point.size_bytes == size)
            .and_then(|point| point.summary.clone())
    };
    let row = |comparison: &results::Comparison| {
        let size = comparison.size_bytes;
        let of = |arm: Option<&results::Arm>| arm.and_then(|arm| summary(arm, size));
        let (mmap, malloc) = arms(result).unzip();
        let [mmap, malloc] = [of(mmap), of(malloc)];
        json!({
            "size_bytes": size,
            "ratio": comparison.ratio,
            "low": comparison.low,
            "high": comparison.high,
            "blocks": comparison.blocks,
            "mmap_total_ns": mmap.as_ref().map(|s| s.median.total_ns),
            "mmap_spread": mmap.as_ref().map(|s| s.total_spread),
            "malloc_total_ns": malloc.as_ref().map(|s| s.median.total_ns),
            "malloc_spread": malloc.as_ref().map(|s| s.total_spread),
        })
    };
    result.comparisons.iter().map(row).collect()
}

/// The effect of the API, separated from fill value and position.
#[must_use]
pub fn malloc_slower(result: &LabResult) -> Claim {
    const ID: &str = "malloc-slower";
    let effect = |factor: &str| result.effects.iter().find(|effect| effect.factor == factor);
    let Some(api) = effect("api") else {
        return cannot(ID, "out of time before the first look");
    };
    let text = |effect: &Effect| ratio(effect.ratio, interval(effect.low, effect.high));
    let verdict = match (api.verdict, untrusted(result)) {
        (_, Some(_)) => ClaimVerdict::Inconclusive,
        (Verdict::Different, _) if api.ratio > 1.0 => ClaimVerdict::Holds,
        (Verdict::Different | Verdict::Equivalent, _) => ClaimVerdict::DoesNotHold,
        (Verdict::Inconclusive, _)
            if api.high.is_some_and(|high| high <= 1.0 + result.experiment.margin) =>
        {
            ClaimVerdict::DoesNotHold
        }
        (Verdict::Inconclusive, _) => ClaimVerdict::Inconclusive,
    };
    let size = bytes(result.experiment.size_bytes);
    let evidence = format!("malloc {} of mmap at {size}", text(api));
    let position = match effect("position") {
        Some(position) if position.verdict == Verdict::Different && position.ratio > 1.0 => {
            format!(
                "the first arm in a process is {} of the second, and the post always ran malloc \
                first",
                text(position)
            )
        }
        Some(position) => format!("no clear effect of position: {}", text(position)),
        None => "position was not measured".to_owned(),
    };
    let cold = effect("memory").map(|cold| format!("; cold memory {} of warm", text(cold)));
    let explanation = format!(
        "API crossed with fill value and position ({} blocks); {position}{}{}{}.",
        api.blocks,
        cold.unwrap_or_default(),
        served_otherwise(result).map(|how| format!("; {how}")).unwrap_or_default(),
        untrusted(result).map(|why| format!("; untrusted: {why}")).unwrap_or_default()
    );
    let row = |effect: &Effect| {
        json!({
            "factor": effect.factor,
            "levels": effect.levels,
            "ratio": effect.ratio,
            "low": effect.low,
            "high": effect.high,
            "confidence": effect.confidence,
            "blocks": effect.blocks,
            "verdict": effect.verdict,
        })
    };
    claim(ID, verdict, evidence, explanation)
        .figure("ratio", api.ratio)
        .figure("low", api.low)
        .figure("high", api.high)
        .figure("size_bytes", result.experiment.size_bytes)
        .figure("margin", result.experiment.margin)
        .figure("effects", result.effects.iter().map(row).collect::<Vec<_>>())
        .figure("spreads", result.spreads.iter().map(row).collect::<Vec<_>>())
}

/// Equivalence at one large size.
#[must_use]
pub fn large_equal(result: &LabResult) -> Claim {
    const ID: &str = "large-equal";
    let Some(comparison) = result.comparisons.first() else {
        let refused =
            result.refused.first().map_or("no block was complete".to_owned(), |r| r.reason.clone());
        return cannot(ID, refused);
    };
    let doubt = untrusted(result);
    let verdict = match (comparison.verdict, &doubt) {
        (_, Some(_)) | (Verdict::Inconclusive, None) => ClaimVerdict::Inconclusive,
        (Verdict::Equivalent, None) => ClaimVerdict::Holds,
        (Verdict::Different, None) => ClaimVerdict::DoesNotHold,
    };
    let share = format!("{:.0} %", result.experiment.margin * 100.0);
    let evidence = format!(
        "malloc {} of mmap at {}, margin {share}",
        ratio(comparison.ratio, interval(comparison.low, comparison.high)),
        bytes(comparison.size_bytes)
    );
    let meaning = match (verdict, &doubt) {
        (_, Some(why)) => format!("untrusted: {why}"),
        (ClaimVerdict::Holds, _) => format!("no difference larger than {share}"),
        (ClaimVerdict::DoesNotHold, _) => "the interval excludes 1".to_owned(),
        _ => format!("the data exclude neither 1 nor a difference of {share}"),
    };
    let how = served_otherwise(result).map(|how| format!("; {how}")).unwrap_or_default();
    claim(
        ID,
        verdict,
        evidence,
        format!("Obtaining and first touch, {} blocks: {meaning}{how}.", comparison.blocks),
    )
    .figure("ratio", comparison.ratio)
    .figure("low", comparison.low)
    .figure("high", comparison.high)
    .figure("confidence", comparison.confidence)
    .figure("margin", result.experiment.margin)
    .figure("size_bytes", comparison.size_bytes)
    .figure("blocks", comparison.blocks)
    .figure("placebo_ratio", result.placebo.as_ref().map(|placebo| placebo.ratio))
}
