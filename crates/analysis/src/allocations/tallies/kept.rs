//! The costliest of many, and the rest as a sum, in bounded memory.

use super::tally::{ProcessTally, ThreadTally, ThreadWork};

/// So many are kept in the end; in between twice as many.
const KEPT: usize = 1000;

/// Those that are not kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Others {
    /// How many.
    pub count: u64,
    /// What they did together.
    pub tally: ThreadWork,
}

/// What has a tally.
pub(super) trait Tallied {
    fn tally(&self) -> &ThreadWork;
}

impl Tallied for ThreadTally {
    fn tally(&self) -> &ThreadWork {
        &self.tally
    }
}

impl Tallied for ProcessTally {
    fn tally(&self) -> &ThreadWork {
        &self.tally
    }
}

/// The costliest so far.
#[derive(Debug)]
pub(super) struct Kept<T> {
    kept: Vec<T>,
    others: Others,
}

impl<T> Default for Kept<T> {
    fn default() -> Kept<T> {
        Kept { kept: Vec::new(), others: Others::default() }
    }
}

impl<T: Tallied> Kept<T> {
    pub(super) fn add(&mut self, value: T) {
        self.kept.push(value);
        if self.kept.len() == 2 * KEPT {
            self.shrink();
        }
    }

    /// At most so many, and the others.
    pub(super) fn finish(mut self) -> (Vec<T>, Others) {
        if self.kept.len() > KEPT {
            self.shrink();
        }
        (self.kept, self.others)
    }

    fn shrink(&mut self) {
        self.kept.sort_by_key(|value| std::cmp::Reverse(value.tally().known_ns()));
        for gone in self.kept.drain(KEPT..) {
            self.others.count += 1;
            self.others.tally.add_all(gone.tally());
        }
    }
}
