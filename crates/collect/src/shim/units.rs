//! The units of a process's memory, from the reader's side.

use std::sync::atomic::{AtomicU64, Ordering};

use wire::unit::{self, state};
use wire::{CallRecord, header, record};

/// A unit with records, as it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FoundUnit {
    /// The number of its thread among those of this memory.
    pub(super) thread: u32,
    /// The number of units that the thread had before.
    pub(super) sequence: u64,
    /// Its place.
    pub(super) place: usize,
    /// Whether nothing more comes.
    pub(super) is_full: bool,
    /// Whether its thread has ended.
    pub(super) is_last: bool,
}

/// Who writes to a unit, as it numbers itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) pid: u32,
    pub(super) tid: u32,
    pub(super) instance: u64,
    /// Whether the process may be another one.
    pub(super) is_guess: bool,
}

/// The units.
#[derive(Debug)]
pub(super) struct Units {
    /// How far each has been read, in words.
    read: Vec<usize>,
}

impl Units {
    /// Units that nobody has taken yet.
    pub(super) fn new(count: usize) -> Units {
        Units { read: vec![unit::FIRST; count] }
    }

    /// The number of units that are in use: the first ones.
    pub(super) fn in_use(&self, words: &[AtomicU64]) -> usize {
        let in_use = words[header::UNITS_IN_USE].load(Ordering::Relaxed);
        usize::try_from(in_use).unwrap_or(usize::MAX).min(self.read.len())
    }

    /// The state of a unit, and its thread.
    pub(super) fn state(words: &[AtomicU64], place: usize) -> (u64, u32) {
        state::parts(words[unit::word(place) + unit::STATE].load(Ordering::Acquire))
    }

    /// The units that have records, those of each thread in its order.
    pub(super) fn with_records(&self, words: &[AtomicU64], found: &mut Vec<FoundUnit>) {
        found.clear();
        for place in 0..self.in_use(words) {
            let (state, thread) = Units::state(words, place);
            if matches!(state, state::ACTIVE | state::FULL | state::LAST) {
                let sequence = own(words, place, unit::SEQUENCE).load(Ordering::Relaxed);
                let (is_full, is_last) = (state != state::ACTIVE, state == state::LAST);
                found.push(FoundUnit { thread, sequence, place, is_full, is_last });
            }
        }
        found.sort_unstable();
    }

    /// Whose unit it is.
    pub(super) fn owner(words: &[AtomicU64], place: usize) -> Owner {
        let owner = own(words, place, unit::OWNER).load(Ordering::Relaxed);
        let instance = own(words, place, unit::INSTANCE).load(Ordering::Relaxed);
        let is_guess = instance & unit::IS_GUESS != 0;
        let instance = instance & !unit::IS_GUESS;
        Owner { pid: wire::low(owner), tid: wire::high(owner), instance, is_guess }
    }

    /// Reads the new records of a unit.
    #[inline]
    pub(super) fn read(
        &mut self,
        words: &[AtomicU64],
        place: usize,
        mut each: impl FnMut(CallRecord),
    ) {
        let committed = own(words, place, unit::COMMITTED).load(Ordering::Acquire);
        // A process that writes nonsense there cannot lead us out of the unit.
        let committed = usize::try_from(committed).unwrap_or(usize::MAX).min(unit::WORDS);
        let read = &mut self.read[place];
        let first = unit::word(place);
        let new = words.get(first + *read..first + committed.max(*read)).unwrap_or_default();
        let (records, _) = new.as_chunks::<{ record::WORDS }>();
        for record in records {
            let [first, second, third, fourth] = record;
            let word = |word: &AtomicU64| word.load(Ordering::Relaxed);
            let words = [word(first), word(second), word(third), word(fourth)];
            each(CallRecord::from_words(words));
        }
        *read += records.len() * record::WORDS;
    }

    /// Takes a unit from a thread that is gone: what it wrote is read, and nothing more comes.
    pub(super) fn take_from(&mut self, words: &[AtomicU64], place: usize) {
        let (kind, thread) = Units::state(words, place);
        if kind == state::PRIVATE {
            self.free(words, place);
        } else {
            let last = state::of(state::LAST, thread);
            own(words, place, unit::STATE).store(last, Ordering::Release);
        }
    }

    /// Gives a unit back, whose records have been read.
    pub(super) fn free(&mut self, words: &[AtomicU64], place: usize) {
        self.read[place] = unit::FIRST;
        own(words, place, unit::STATE).store(state::FREE, Ordering::Release);
    }
}

fn own(words: &[AtomicU64], place: usize, word: usize) -> &AtomicU64 {
    &words[unit::word(place) + word]
}
