//! What the examples share.

use events::{Clock, Header, Sees, ThpPolicy};

/// The calls of a chunk.
pub(crate) const CHUNK_CALLS: usize = 16_384;

/// A small generator of pseudo-random numbers (xorshift).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }
}

/// The header of a recording that begins at `began_ns` and has what `sees` says.
pub(crate) fn header(began_ns: u64, sees: Sees) -> Header {
    Header {
        clock: Clock::Monotonic,
        began_ns,
        page_bytes: 4096,
        huge_pages: ThpPolicy::Advised,
        can_swap: false,
        sees,
    }
}
