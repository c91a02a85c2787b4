//! The thinning of a recording that must not exceed a size.

use std::hash::{BuildHasher, RandomState};

use events::{Allocation, Thinning};
use recording::{ProcessImage, Thinner, encode_call_counts, encode_thinning};

use super::file::ChunkSender;

/// A call takes some 3 to 10 bytes; how many its chunk takes is known when it is complete.
const CALL_BYTES: u64 = 6;
/// What the counts of a new kind of calls take at most, as a rule.
const COUNTS_BYTES: u64 = 32;
/// Counts are looked at when there are so many new ones.
const NEW_KINDS: u64 = 256;
/// Counts are written before the end, for the case that the recorder is killed, if they take at
/// most this part of what is left.
const EARLY_COUNTS_SHARE: u64 = 16;
/// The calls of a thread wait until they are this part of a file.
const WAITING_SHARE: u64 = 64;
/// The part of a file that is left for its end.
const END_SHARE: u64 = 16;

/// Decides which calls are written.
pub(super) struct Bounded {
    thinner: Thinner,
    chunks: ChunkSender,
    size_bytes: u64,
    /// The bytes of calls that were handed over, and of those that were not yet, as foreseen.
    call_bytes: u64,
    waiting_bytes: u64,
    /// The last level, and when the first one began.
    last: Option<Thinning>,
    from_ns: u64,
    /// What the counts took when they were looked at, and the number of their kinds.
    counts_bytes: u64,
    kinds: u64,
}

/// From when on a recording was thinned, and how much in the end.
#[derive(Debug, Clone, Copy)]
pub(super) struct ThinnedTo {
    /// On the stream's clock.
    pub(super) from_ns: u64,
    /// Of so many blocks one was followed.
    pub(super) one_in: u64,
}

impl Bounded {
    /// For a file of at most `size_bytes`.
    pub(super) fn new(size_bytes: u64, chunks: ChunkSender) -> Bounded {
        // The standard library's way to chance.
        let seed = RandomState::new().hash_one(size_bytes);
        let size_bytes = size_bytes - size_bytes / END_SHARE;
        Bounded {
            thinner: Thinner::new(size_bytes, seed),
            chunks,
            size_bytes,
            call_bytes: 0,
            waiting_bytes: 0,
            last: None,
            from_ns: 0,
            counts_bytes: 0,
            kinds: 0,
        }
    }

    /// Whether a call is written; it is counted anyway.
    #[inline]
    pub(super) fn keeps(&mut self, image: ProcessImage, time_ns: u64, call: &Allocation) -> bool {
        let is_kept = self.thinner.keeps(image, time_ns, call);
        if is_kept {
            self.waiting_bytes += CALL_BYTES;
            // The first call of a kind is written at every level.
            let first_bytes = self.thinner.kinds() * CALL_BYTES;
            let call_bytes = (self.call_bytes + self.waiting_bytes).saturating_sub(first_bytes);
            let used_bytes = self.chunks.used_bytes() + self.waiting_bytes;
            self.thinner.used(call_bytes, used_bytes.saturating_sub(call_bytes));
        }
        is_kept
    }

    /// So many calls of a thread are a chunk: in a small file, what waits must be little.
    pub(super) fn calls_min(&self) -> usize {
        usize::try_from(self.size_bytes / WAITING_SHARE / CALL_BYTES).unwrap_or(usize::MAX)
    }

    /// The level in force.
    pub(super) fn level(&self) -> u8 {
        self.thinner.level()
    }

    /// Hands over the level that was decided on, and takes note of the bytes of calls that are
    /// handed over with it, and of the number of those that are not yet. `is_due`: it has been some
    /// time.
    pub(super) fn flush(&mut self, call_bytes: u64, waiting_calls: usize, is_due: bool) {
        self.call_bytes += call_bytes;
        self.waiting_bytes = waiting_calls as u64 * CALL_BYTES;
        let counts_bytes = self.foreseen_counts_bytes(is_due);
        if let Some(level) = self.thinner.take_level() {
            self.from_ns = if self.last.is_none() { level.from_ns } else { self.from_ns };
            self.from_ns = self.from_ns.min(level.from_ns);
            self.last = Some(level);
            self.chunks.send_for_the_end(encode_thinning(&level));
            let left_bytes = self.size_bytes.saturating_sub(self.chunks.used_bytes());
            if counts_bytes <= left_bytes / EARLY_COUNTS_SHARE {
                self.chunks.send(encode_call_counts(&self.thinner.take_counts()));
            }
        }
        self.chunks.reserve(counts_bytes);
    }

    /// What the counts will take in the end. Since their figures grow until then, they are looked
    /// at now and then.
    fn foreseen_counts_bytes(&mut self, is_due: bool) -> u64 {
        let kinds = self.thinner.kinds();
        if is_due || kinds > self.kinds + self.kinds / 4 + NEW_KINDS {
            self.kinds = kinds;
            self.counts_bytes = encode_call_counts(&self.thinner.counts()).bytes().len() as u64;
        }
        let new = kinds.saturating_sub(self.kinds);
        self.counts_bytes + self.counts_bytes / 2 + new * COUNTS_BYTES
    }

    /// Hands over the rest of the counts.
    pub(super) fn finish(&mut self) -> Option<ThinnedTo> {
        let last = self.last?;
        self.chunks.reserve(0);
        self.chunks.send_for_the_end(encode_call_counts(&self.thinner.take_counts()));
        Some(ThinnedTo { from_ns: self.from_ns, one_in: last.one_in() })
    }
}
