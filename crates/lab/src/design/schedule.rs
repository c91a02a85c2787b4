//! When to look at the data, and when to stop.

use std::time::Duration;

use stats::{LOOKS, Look};

/// The total error probability that a whole run may spend.
pub const ALPHA: f64 = 0.05;

/// The number of blocks at the first scheduled look.
#[must_use]
pub fn first_look() -> usize {
    LOOKS[0].blocks
}

/// When to look at the data, and when to stop.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// The looks, in order.
    pub looks: Vec<Look>,
    /// The time cap, from the start of the run; `None`: no cap.
    pub cap: Option<Duration>,
}

impl Schedule {
    /// The looks of docs/method.md.
    #[must_use]
    pub fn sequential(cap: Duration) -> Self {
        Schedule { looks: LOOKS.to_vec(), cap: Some(cap) }
    }

    /// Exactly `blocks` blocks and one look at the end, which may spend all of [`ALPHA`].
    #[must_use]
    pub fn fixed(blocks: usize, cap: Option<Duration>) -> Self {
        Schedule { looks: vec![Look { blocks, alpha: ALPHA }], cap }
    }

    /// The last look for which there is time, if `kept` blocks are done at `now` and each takes
    /// `block`. `None` if there is time for none.
    #[must_use]
    pub fn last_that_fits(&self, kept: usize, now: Duration, block: Duration) -> Option<Look> {
        let Some(cap) = self.cap else { return self.looks.last().copied() };
        let needed = |look: &Look| now + block.mul_f64(look.blocks.saturating_sub(kept) as f64);
        self.looks.iter().rev().find(|look| needed(look) <= cap).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cap_determines_the_last_look() {
        let schedule = Schedule::sequential(Duration::from_mins(1));
        let last = |block_ms| {
            let block = Duration::from_millis(block_ms);
            schedule.last_that_fits(2, block * 2, block).map(|look| look.blocks)
        };
        assert_eq!(last(500), Some(96));
        assert_eq!(last(700), Some(48));
        assert_eq!(last(2_000), Some(24));
        assert_eq!(last(5_000), Some(12));
        assert_eq!(last(6_000), None);
        let fixed = Schedule::fixed(7, None);
        assert_eq!(
            fixed.last_that_fits(2, Duration::ZERO, Duration::from_secs(100)).map(|l| l.blocks),
            Some(7)
        );
    }
}
