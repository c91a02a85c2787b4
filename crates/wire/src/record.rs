//! A record: four words.
//!
//! ```text
//!   0   when it began, in ticks of the time stamp counter
//!   1   the address: given out; of free, given back
//!   2   how long it took, in ticks (low half); the stack's node (high half)
//!   3   size (48 bits), alignment (8 bits), function (8 bits)
//! ```
//! A reallocation is two records: what it gives back (function [`RELEASED_BY_REALLOC`], untimed, at
//! the same beginning), then what it gives out.

use crate::{high, low};

/// The number of words of a record.
pub const WORDS: usize = 4;
/// The latency of a call that was not timed.
pub const UNTIMED: u32 = 0;
/// The node of a call whose stack was not taken, since the call was not chosen
/// ([`crate::sampling`]).
pub const NOT_TAKEN: u32 = u32::MAX;
/// The function number of what a reallocation gives back. The others are in [`crate::function`].
pub const RELEASED_BY_REALLOC: u8 = 0x80;
/// The largest size that a record holds; larger ones are this one.
pub const SIZE_MAX: u64 = (1 << 48) - 1;

/// A record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CallRecord {
    /// When it began, in ticks.
    pub begin_ticks: u64,
    /// The address.
    pub address: u64,
    /// The latency in ticks; [`UNTIMED`]: not measured; `u32::MAX`: that, or longer.
    pub latency_ticks: u32,
    /// The node of its stack; 0: none; [`NOT_TAKEN`].
    pub node: u32,
    /// The size that was asked for, in bytes.
    pub size_bytes: u64,
    /// The alignment that was asked for, as a power of two; 0: none.
    pub alignment_log2: u8,
    /// The number of the function.
    pub function: u8,
}

impl CallRecord {
    /// As words.
    #[must_use]
    #[inline]
    pub fn to_words(self) -> [u64; WORDS] {
        let size = if self.size_bytes > SIZE_MAX { SIZE_MAX } else { self.size_bytes };
        [
            self.begin_ticks,
            self.address,
            u64::from(self.latency_ticks) | u64::from(self.node) << 32,
            size | u64::from(self.alignment_log2) << 48 | u64::from(self.function) << 56,
        ]
    }

    /// From words.
    #[must_use]
    #[inline]
    pub fn from_words([begin_ticks, address, latency_node, packed]: [u64; WORDS]) -> CallRecord {
        let [.., alignment, function] = packed.to_le_bytes();
        CallRecord {
            begin_ticks,
            address,
            latency_ticks: low(latency_node),
            node: high(latency_node),
            size_bytes: packed & SIZE_MAX,
            alignment_log2: alignment,
            function,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_written_and_read_back() {
        let record = CallRecord {
            begin_ticks: u64::MAX - 7,
            address: 0x7fff_1234_5678,
            latency_ticks: 81,
            node: 70_000,
            size_bytes: 100 << 20,
            alignment_log2: 21,
            function: 12,
        };
        assert_eq!(CallRecord::from_words(record.to_words()), record);
        let huge = CallRecord { size_bytes: u64::MAX, ..record };
        assert_eq!(CallRecord::from_words(huge.to_words()).size_bytes, SIZE_MAX);
    }
}
