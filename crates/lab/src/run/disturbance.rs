//! Blocks that do not count: only for causes outside the arms, by a rule fixed beforehand.

use std::time::Duration;

use results::Block;

/// Stolen processor time, as a share of the block's duration, from which the block is dropped.
const STEAL_SHARE: f64 = 0.05;
/// Processor time of other processes, also as a share of the block's duration: a quarter of one
/// processor.
const OTHERS_SHARE: f64 = 0.25;
/// The kernel counts both in ticks of 10 ms; fewer than three are not significant.
const LEAST: Duration = Duration::from_millis(30);

/// The outside cause for which `block` should be dropped, if there is one.
#[must_use]
pub fn outside_cause(block: &Block) -> Option<String> {
    let share = |used_ns: Option<u64>| {
        let used_ns = used_ns.filter(|&ns| u128::from(ns) >= LEAST.as_nanos())?;
        Some(used_ns as f64 / block.elapsed_ns.max(1) as f64)
    };
    let percent = |share: f64| format!("{:.0} % of the block's time", 100.0 * share);
    if let Some(steal) = share(block.steal_ns).filter(|&share| share >= STEAL_SHARE) {
        return Some(format!("steal: the hypervisor gave {} to others", percent(steal)));
    }
    let others = share(block.others_cpu_ns).filter(|&share| share >= OTHERS_SHARE)?;
    Some(format!("neighbours: other processes used a processor for {}", percent(others)))
}

/// Whether one more block may be dropped before `goal` blocks count: at most one in five of all.
#[must_use]
pub fn may_drop(dropped: usize, goal: usize) -> bool {
    (dropped + 1) * 4 <= goal
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(steal_ms: u64, others_ms: u64) -> Block {
        let ns = |ms: u64| Some(ms * 1_000_000);
        Block {
            elapsed_ns: 500_000_000,
            steal_ns: ns(steal_ms),
            others_cpu_ns: ns(others_ms),
            ..Block::default()
        }
    }

    #[test]
    fn only_clear_outside_disturbances_count() {
        assert_eq!(outside_cause(&block(0, 0)), None);
        assert_eq!(outside_cause(&block(20, 120)), None);
        assert!(outside_cause(&block(30, 0)).unwrap().starts_with("steal"));
        assert!(outside_cause(&block(0, 130)).unwrap().starts_with("neighbours"));
        assert_eq!(outside_cause(&Block::default()), None, "unknown times are not a cause");
    }

    #[test]
    fn at_most_one_in_five() {
        for goal in [12, 24, 48, 96] {
            let dropped = (0..goal).take_while(|&dropped| may_drop(dropped, goal)).count();
            assert!(dropped * 5 <= (dropped + goal), "{dropped} of {}", dropped + goal);
            assert_eq!(dropped, goal / 4);
        }
    }
}
