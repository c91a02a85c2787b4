//! Units: pieces of memory that a thread takes, fills and leaves.

use crate::node;

/// The number of words of a unit: 64 KiB.
pub const WORDS: usize = 8192;
/// The first word of a unit that is not its own.
pub const FIRST: usize = 8;

/// Words of a unit, from its beginning.
/// A [`state`], and the thread's number above it.
pub const STATE: usize = 0;
/// The process (low half) and the thread (high half), as they number themselves.
pub const OWNER: usize = 1;
/// The number of words that are written, these included.
pub const COMMITTED: usize = 2;
/// The number of units that the thread had before.
pub const SEQUENCE: usize = 3;
/// The number of the process among those that write here (low half), and [`IS_GUESS`].
pub const INSTANCE: usize = 4;
/// The process of [`OWNER`] may be another one: it was cloned without the C library, which knows
/// its number, and asking the kernel may be forbidden.
pub const IS_GUESS: u64 = 1 << 32;

/// The states of a unit: the low byte of its first word.
pub mod state {
    /// Nobody's.
    pub const FREE: u64 = 0;
    /// A thread is taking it.
    pub const TAKEN: u64 = 1;
    /// A thread writes records to it.
    pub const ACTIVE: u64 = 2;
    /// It has all the records that it will have; the recorder frees it.
    pub const FULL: u64 = 3;
    /// A thread's own memory, without records.
    pub const PRIVATE: u64 = 4;
    /// As [`FULL`], and its thread has ended.
    pub const LAST: u64 = 5;

    /// The first word of a unit of this thread.
    #[must_use]
    pub fn of(state: u64, thread: u32) -> u64 {
        state | u64::from(thread) << 32
    }

    /// The state and the thread of a first word.
    #[must_use]
    pub fn parts(word: u64) -> (u64, u32) {
        (word & 0xff, crate::high(word))
    }
}

/// The first word of a unit.
#[must_use]
pub fn word(unit: usize) -> usize {
    node::END + unit * WORDS
}

/// The number of words of the whole memory with `units` units.
#[must_use]
pub fn words(units: usize) -> usize {
    word(units)
}
