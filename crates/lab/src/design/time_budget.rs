//! How the time of a run is divided, and how messages print times.

use std::time::Duration;

/// The wait before a sample of cold memory. The kernel reports free pages to the host every 2 s at
/// most (`PAGE_REPORTING_DELAY` in `mm/page_reporting.c`) and a sixteenth of them at a time.
pub(crate) const COLDNESS: Duration = Duration::from_secs(6);
/// The pairs that a single comparison needs for a 99 % interval, from the smallest ratio to the
/// largest: 2 / 2^8 is less than 0.01.
pub(crate) const PAIRS: usize = 8;
/// The time of a pair besides its wait: two children and a warm-up.
pub(crate) const PAIR_TIME: Duration = Duration::from_secs(1);
/// The share of a time cap that is reserved for bisections.
const BISECTION_SHARE: f64 = 0.4;

/// The part of `cap` for the sweep itself, before the bisections.
#[must_use]
pub(crate) fn cap_before_bisections(cap: Duration) -> Duration {
    cap.mul_f64(1.0 - BISECTION_SHARE)
}

/// The cap that leaves `needed` to the sweep.
#[must_use]
pub(crate) fn cap_with_bisections(needed: Duration) -> Duration {
    needed.div_f64(1.0 - BISECTION_SHARE)
}

/// The part of `cap` for the cells, before the pairs: all but what the pairs need, at least half.
#[must_use]
pub(crate) fn cap_before_pairs(cap: Duration) -> Duration {
    cap.saturating_sub(pairs_time()).max(cap / 2)
}

/// The time of all pairs.
#[must_use]
pub(crate) fn pairs_time() -> Duration {
    (COLDNESS + PAIR_TIME) * u32::try_from(PAIRS).unwrap_or(u32::MAX)
}

/// The cap that `blocks` blocks need after `before`.
#[must_use]
pub fn cap_for(blocks: usize, block_time: Duration, before: Duration) -> Duration {
    before + block_time.mul_f64(1.1 * blocks as f64)
}

/// A cap as the user gave it.
#[must_use]
pub fn exactly(time: Duration) -> String {
    format!("{}s", time.as_secs_f64())
}

/// Whole seconds, rounded up to a round number.
#[must_use]
pub fn rounded(time: Duration) -> Duration {
    let step = if time.as_secs() >= 100 { 10 } else { 5 };
    Duration::from_secs((time.as_secs() + 1).next_multiple_of(step))
}

/// As [`rounded`], as an option takes it.
#[must_use]
pub fn seconds(time: Duration) -> String {
    exactly(rounded(time))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design::Design;
    use crate::design::tests::empty;
    use crate::question::experiment::by_name;

    #[test]
    fn pairs_get_what_they_need_and_at_most_half() {
        assert_eq!(cap_before_pairs(Duration::from_secs(100)), Duration::from_secs(50));
        assert_eq!(cap_before_pairs(Duration::from_secs(200)), Duration::from_secs(144));
        assert_eq!(cap_before_pairs(Duration::from_secs(10)), Duration::from_secs(5));
        let experiment = by_name("position").unwrap();
        let design = Design { pairs_follow: true, ..empty(experiment) };
        for needed in [1, 30, 56, 100, 1000].map(Duration::from_secs) {
            assert_eq!(
                cap_before_pairs(design.whole_cap(needed)),
                needed,
                "the suggestion \
                                                                            suffices"
            );
        }
    }

    #[test]
    fn the_suggested_cap_suffices_for_the_sweep() {
        let experiment = by_name("map-or-copy").unwrap();
        let design = empty(experiment);
        let needed = Duration::from_secs(30);
        assert_eq!(cap_before_bisections(design.whole_cap(needed)).as_millis(), needed.as_millis());
    }
}
