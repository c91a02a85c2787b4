//! Times in which nothing was recorded.

use std::ops::Range;

/// The pauses of a recording, in order and apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Pauses {
    /// Those that have begun by now, and the next ones.
    all: Vec<Range<u64>>,
    begun: usize,
}

impl Pauses {
    /// Those of a stream, in any order; overlapping ones are one.
    pub(super) fn new(mut pauses: Vec<Range<u64>>) -> Pauses {
        pauses.retain(|pause| pause.start < pause.end);
        pauses.sort_unstable_by_key(|pause| pause.start);
        pauses.dedup_by(|next, before| {
            let overlaps = next.start <= before.end;
            before.end = if overlaps { before.end.max(next.end) } else { before.end };
            overlaps
        });
        Pauses { all: pauses, begun: 0 }
    }

    /// The stream has come to `time_ns`. Returns the number of pauses that have begun.
    pub(super) fn advance(&mut self, time_ns: u64) -> u32 {
        while self.all.get(self.begun).is_some_and(|pause| pause.start <= time_ns) {
            self.begun += 1;
        }
        self.begun()
    }

    /// The number of pauses that have begun.
    pub(super) fn begun(&self) -> u32 {
        u32::try_from(self.begun).unwrap_or(u32::MAX)
    }

    /// When the last pause that has begun began.
    pub(super) fn last_began_ns(&self) -> Option<u64> {
        self.begun.checked_sub(1).map(|last| self.all[last].start)
    }

    /// The time from `from_ns` to `to_ns` less that in pauses, in nanoseconds.
    pub(super) fn recorded_ns(&self, from_ns: u64, to_ns: u64) -> u64 {
        to_ns.saturating_sub(from_ns).saturating_sub(self.paused_ns(from_ns, to_ns))
    }

    /// The part of the time from `from_ns` to `to_ns` that is in pauses, in nanoseconds.
    pub(super) fn paused_ns(&self, from_ns: u64, to_ns: u64) -> u64 {
        let first = self.all.partition_point(|pause| pause.end <= from_ns);
        let overlap =
            |pause: &Range<u64>| pause.end.min(to_ns).saturating_sub(pause.start.max(from_ns));
        let within = self.all[first..].iter().take_while(|pause| pause.start < to_ns);
        within.map(overlap).fold(0, u64::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_pauses_are_one_and_their_time_counts_once() {
        let mut pauses = Pauses::new(vec![30..u64::MAX, 10..20, 5..12, 7..7]);
        assert_eq!(pauses.all, [5..20, 30..u64::MAX]);
        let begun = [4, 5, 29, 30].map(|time_ns| pauses.advance(time_ns));
        assert_eq!(begun, [0, 1, 1, 2]);
        for (from_ns, to_ns, paused_ns) in
            [(0, 5, 0), (0, 6, 1), (6, 8, 2), (0, 40, 25), (20, 30, 0), (35, 36, 1), (9, 3, 0)]
        {
            assert_eq!(pauses.paused_ns(from_ns, to_ns), paused_ns, "{from_ns} to {to_ns}");
        }
    }
}
