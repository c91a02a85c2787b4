//! Details of verdicts that the table has no room for: the smallest difference that an undecided
//! comparison could have found, and differences within the margin.

use results::{Comparison, LabResult, Verdict};

use super::verdict::ratio;
use crate::number::percent;
use crate::text::clean;

/// A sentence for each comparison that has more to it than its row shows.
pub(super) fn sentences(result: &LabResult) -> Vec<String> {
    let margin = percent(result.experiment.margin);
    let sentence = |comparison: &Comparison| match comparison.verdict {
        Verdict::Inconclusive => Some(unclear(comparison, &margin)),
        Verdict::Equivalent => within_margin(comparison, &margin),
        Verdict::Different => None,
    };
    result.comparisons.iter().filter_map(sentence).collect()
}

/// An interval that excludes 1, in a comparison that counts as the same.
fn within_margin(comparison: &Comparison, margin: &str) -> Option<String> {
    let (low, high) = comparison.low.zip(comparison.high)?;
    (low > 1.0 || high < 1.0).then(|| {
        format!(
            "{} is {} of {}: a difference, but smaller than the margin of {margin}.",
            clean(&comparison.arm),
            ratio(comparison.ratio, comparison.low, comparison.high),
            clean(&comparison.baseline)
        )
    })
}

fn unclear(comparison: &Comparison, margin: &str) -> String {
    let (arm, baseline) = (clean(&comparison.arm), clean(&comparison.baseline));
    match comparison.smallest_detectable {
        Some(smallest) => format!(
            "{arm} against {baseline} is unclear: the interval includes 1 and reaches beyond \
             {margin}. The smallest difference that this run could have found is {}.",
            percent(smallest)
        ),
        None => format!(
            "{arm} against {baseline} is unclear: {} blocks are too few for an interval.",
            comparison.blocks
        ),
    }
}
