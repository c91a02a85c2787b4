//! When the program got new addresses. A call that began before can only concern the memory that
//! was there until then, however late its event arrives.

use std::collections::VecDeque;

use super::regions::MappedRegion;

/// How long a birth is remembered: longer than nearly any call takes.
const REMEMBERED_NS: u64 = 10_000_000_000;
/// The most remembered births.
const REMEMBERED: usize = 1 << 14;

/// The latest births.
#[derive(Debug, Clone, Default)]
pub(crate) struct Births(VecDeque<Birth>);

#[derive(Debug, Clone, Copy)]
struct Birth {
    start: u64,
    end: u64,
    time_ns: u64,
}

impl Births {
    /// The addresses from `start` to `end` are new to the program at `time_ns`.
    pub(crate) fn add(&mut self, start: u64, end: u64, time_ns: u64) {
        let outdated = |first: &Birth| time_ns.saturating_sub(first.time_ns) > REMEMBERED_NS;
        while self.0.len() >= REMEMBERED || self.0.front().is_some_and(outdated) {
            self.0.pop_front();
        }
        // Nearly always the last one.
        let later = self.0.iter().rev().take_while(|birth| birth.time_ns > time_ns).count();
        self.0.insert(self.0.len() - later, Birth { start, end, time_ns });
    }

    /// The parts of `parts` that were not new after `time_ns`.
    pub(crate) fn older(&self, parts: Vec<MappedRegion>, time_ns: u64) -> Vec<MappedRegion> {
        let mut old = parts;
        for birth in self.0.iter().rev().take_while(|birth| birth.time_ns > time_ns) {
            let overlaps = |part: &MappedRegion| birth.start < part.end && part.start < birth.end;
            if old.iter().any(overlaps) {
                old = old.iter().flat_map(|part| part.outside(birth.start, birth.end)).collect();
            }
        }
        old
    }

    /// Whether `address` was new after `time_ns`, or at that time.
    pub(crate) fn has(&self, address: u64, time_ns: u64) -> bool {
        let mut late = self.0.iter().rev().take_while(|birth| birth.time_ns >= time_ns);
        late.any(|birth| (birth.start..birth.end).contains(&address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use events::MappingKind;

    fn ranges(parts: &[MappedRegion]) -> Vec<(u64, u64)> {
        parts.iter().map(|part| (part.start, part.end)).collect()
    }

    #[test]
    fn a_call_does_not_concern_what_is_younger() {
        let mut births = Births::default();
        births.add(10, 20, 500);
        births.add(30, 40, 400);
        let all = || vec![MappedRegion::new(0, 50, MappingKind::Anonymous, 3)];
        assert_eq!(ranges(&births.older(all(), 500)), [(0, 50)]);
        assert_eq!(ranges(&births.older(all(), 450)), [(0, 10), (20, 50)]);
        assert_eq!(ranges(&births.older(all(), 300)), [(0, 10), (20, 30), (40, 50)]);
        assert!(births.has(35, 400) && !births.has(35, 401) && !births.has(20, 0));
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let mut births = Births::default();
        (0..2 * REMEMBERED as u64).for_each(|time_ns| births.add(0, 1, time_ns));
        assert_eq!(births.0.len(), REMEMBERED);
        births.add(0, 1, 2 * REMEMBERED_NS);
        assert_eq!(births.0.len(), 1);
    }
}
