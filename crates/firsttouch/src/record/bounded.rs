//! The thinning of a recording that must not exceed a size.

use std::hash::{BuildHasher, RandomState};

use events::{Allocation, Thinning};
use recording::{ProcessImage, Thinner, encode_call_counts, encode_thinning};

use super::file::ChunkSender;

/// A call takes some 3 to 10 bytes; how many its chunk takes is known when it is complete.
const CALL_BYTES: u64 = 10;
/// What the counts of a kind of calls take at most, as a rule.
const COUNTS_BYTES: u64 = 36;
/// The part of a file that is left for its end.
const END_SHARE: u64 = 16;

/// Decides which calls are written.
pub(super) struct Bounded {
    thinner: Thinner,
    chunks: ChunkSender,
    /// The bytes of calls that are not handed over yet, as they are foreseen.
    waiting_bytes: u64,
    /// The last level, and when the first one began.
    last: Option<Thinning>,
    from_ns: u64,
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
        let thinner = Thinner::new(size_bytes - size_bytes / END_SHARE, seed);
        Bounded { thinner, chunks, waiting_bytes: 0, last: None, from_ns: 0 }
    }

    /// Whether a call is written; it is counted anyway.
    #[inline]
    pub(super) fn keeps(&mut self, image: ProcessImage, time_ns: u64, call: &Allocation) -> bool {
        let is_kept = self.thinner.keeps(image, time_ns, call);
        if is_kept {
            self.waiting_bytes += CALL_BYTES;
            self.thinner.used(self.chunks.used_bytes() + self.waiting_bytes);
        }
        is_kept
    }

    /// The level in force.
    pub(super) fn level(&self) -> u8 {
        self.thinner.level()
    }

    /// Hands over what has to stand in the file before the calls, of which so many are not handed
    /// over yet.
    pub(super) fn flush(&mut self, waiting_calls: usize) {
        self.waiting_bytes = waiting_calls as u64 * CALL_BYTES;
        let levels = self.thinner.take_levels();
        if let (Some(first), Some(last)) = (levels.first(), levels.last()) {
            if self.last.is_none() {
                self.from_ns = first.from_ns;
            }
            self.last = Some(*last);
            self.chunks.send(encode_thinning(levels));
            // Those of a recorder that is killed later are not lost.
            self.chunks.send(encode_call_counts(&self.thinner.take_counts()));
        }
        self.chunks.reserve(self.thinner.kinds() * COUNTS_BYTES);
    }

    /// Hands over the rest of the counts.
    pub(super) fn finish(&mut self) -> Option<ThinnedTo> {
        self.chunks.send_reserved(encode_call_counts(&self.thinner.take_counts()));
        self.last.map(|last| ThinnedTo { from_ns: self.from_ns, one_in: last.one_in() })
    }
}
