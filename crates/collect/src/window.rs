//! Puts what comes from several rings into the order of time.
//!
//! ```text
//!   round 1: read the clock (t1), then every ring      keeps all
//!   round 2: read the clock (t2), then every ring      passes on what is older than t1
//! ```
//! What was written before t1 was in its ring when round 2 read it, so nothing older than t1 can still come, except from a
//! processor that was stopped between stamping a record and publishing it. Such a straggler is passed on when it comes.

use crate::half::Half;

/// Keeps halves until their turn.
#[derive(Debug, Default)]
pub(crate) struct Window {
    waiting: Vec<Half>,
    /// When the round before this one began.
    settled_ns: u64,
}

impl Window {
    /// Adds one half of the round that is being read.
    pub(crate) fn add(&mut self, half: Half) {
        self.waiting.push(half);
    }

    /// Ends the round that began at `began_ns`: gives what is settled to `each`, in order.
    pub(crate) fn settle(&mut self, began_ns: u64, each: impl FnMut(Half)) {
        // Each ring is in order by itself, which a merging sort makes use of; it is stable, so that halves of the same
        // nanosecond stay in the order of their ring.
        self.waiting.sort_by_key(|half| half.time_ns);
        let settled = self.waiting.partition_point(|half| half.time_ns < self.settled_ns);
        self.waiting.drain(..settled).for_each(each);
        self.settled_ns = began_ns;
    }

    /// Gives everything that is left to `each`: there will be no further round.
    pub(crate) fn finish(&mut self, each: impl FnMut(Half)) {
        self.settled_ns = u64::MAX;
        self.settle(u64::MAX, each);
    }
}

#[cfg(test)]
mod tests {
    use events::Thread;

    use super::*;
    use crate::half::Piece;

    fn at(time_ns: u64) -> Half {
        Half { time_ns, thread: Thread { pid: 1, tid: 1 }, what: Piece::SwitchIn }
    }

    #[test]
    fn what_a_later_round_may_still_precede_waits() {
        let mut window = Window::default();
        let mut seen = Vec::new();
        let mut round = |began, times: &[u64]| {
            for &time in times {
                window.add(at(time));
            }
            window.settle(began, |half| seen.push(half.time_ns));
            std::mem::take(&mut seen)
        };
        assert_eq!(round(100, &[10, 40, 20, 105]), [] as [u64; 0], "the other ring may hold 15");
        assert_eq!(round(200, &[15, 101, 150]), [10, 15, 20, 40]);
        assert_eq!(round(300, &[5]), [5, 101, 105, 150], "a straggler is not held back");
        window.add(at(250));
        window.finish(|half| seen.push(half.time_ns));
        assert_eq!(seen, [250]);
    }
}
