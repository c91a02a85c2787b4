//! Which writes are visible after a fork.

use results::claims::Claim;
use stats::{compare, largest_rank};

use super::holds;
use crate::catalogue::claim;
use crate::facts::SharingFacts;
use crate::wording::{bytes, ratio};

/// Error probability of an interval.
const ALPHA: f64 = 0.05;

/// Times per page of the two faults, in one block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FaultPair {
    /// The first touch of fresh memory.
    pub first_touch_ns: f64,
    /// A write to a page that is shared with the child.
    pub copy_on_write_ns: f64,
}

/// The visible writes, and the cost of a copy (`pairs` of `batch_bytes` each; empty: not measured).
#[must_use]
pub fn shared(seen: &SharingFacts, pairs: &[FaultPair], batch_bytes: u64) -> Claim {
    let [shared, private] =
        [(seen.shared_up, seen.shared_down), (seen.private_up, seen.private_down)];
    let both = |(up, down): (bool, bool)| match (up, down) {
        (true, true) => "seen both ways".to_owned(),
        (false, false) => "seen neither way".to_owned(),
        (true, false) => "seen by the parent only".to_owned(),
        (false, true) => "seen by the child only".to_owned(),
    };
    let evidence = format!("MAP_SHARED writes {}, MAP_PRIVATE {}", both(shared), both(private));
    let logs: Vec<f64> =
        pairs.iter().map(|pair| (pair.copy_on_write_ns / pair.first_touch_ns).ln()).collect();
    let estimate = compare(&logs, largest_rank(logs.len(), ALPHA), ALPHA);
    let median =
        |value: fn(&FaultPair) -> f64| stats::median(&pairs.iter().map(value).collect::<Vec<_>>());
    let explanation = match &estimate {
        Some(estimate) => format!(
            "A private page is copied when parent or child writes to it: this fault takes {} as \
            long as a first touch ({} pairs of {} in small pages, 95 %).",
            ratio(estimate.ratio, estimate.interval),
            pairs.len(),
            bytes(batch_bytes)
        ),
        None => "A private page is copied when parent or child writes to it; the cost was not \
            measured."
            .to_owned(),
    };
    let holds_here = shared == (true, true) && private == (false, false);
    claim("shared", holds(holds_here), evidence, explanation)
        .figure("shared_seen_by_parent", seen.shared_up)
        .figure("shared_seen_by_child", seen.shared_down)
        .figure("private_seen_by_parent", seen.private_up)
        .figure("private_seen_by_child", seen.private_down)
        .figure("copy_on_write_over_first_touch", estimate.map(|estimate| estimate.ratio))
        .figure("low", estimate.and_then(|estimate| estimate.interval).map(|interval| interval.low))
        .figure(
            "high",
            estimate.and_then(|estimate| estimate.interval).map(|interval| interval.high),
        )
        .figure("confidence", 1.0 - ALPHA)
        .figure("blocks", pairs.len())
        .figure("batch_bytes", batch_bytes)
        .figure("first_touch_ns", median(|pair| pair.first_touch_ns))
        .figure("copy_on_write_ns", median(|pair| pair.copy_on_write_ns))
}
