//! The size from which on a block gets a mapping of its own, and how it moves: a free of such a
//! block raises it to the size of the block's mapping, up to 32 MiB, and the size from which on the
//! top of the heap is given back to twice that (`__libc_free` of glibc's malloc/malloc.c). A
//! setting of any threshold turns that off. The stream has no settings, so moves are believed until
//! a block contradicts them.

use events::{Call, Syscall};

/// `DEFAULT_MMAP_THRESHOLD` of malloc/malloc.c.
const DEFAULT_BYTES: u64 = 128 << 10;
/// `DEFAULT_MMAP_THRESHOLD_MAX` in 64-bit programs.
const MOST_BYTES: u64 = 32 << 20;
/// Smaller blocks that are given back are not remembered. A program may set a threshold this low.
const REMEMBERED_BYTES: u64 = 16 << 10;
/// Blocks that were given back, and whose munmap(2) may follow: one for each of so many threads.
const REMEMBERED: usize = 16;
/// What a chunk has beside the block: its header, and the rest of a page.
const CHUNK_MORE_BYTES: u64 = 4096 + 64;
/// Moves that are kept.
const MOVES: usize = 64;

/// A rise of the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThresholdMove {
    /// When, on the stream's clock.
    pub time_ns: u64,
    /// What it was, in bytes.
    pub from_bytes: u64,
    /// What it is since then, in bytes.
    pub to_bytes: u64,
    /// The number of the site of the block; `None` if it is not known.
    pub site: Option<usize>,
}

/// The thresholds of a process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MmapThresholds {
    /// The process.
    pub pid: u32,
    /// The largest block that had no mapping of its own, in bytes.
    pub largest_unmapped_bytes: u64,
    /// The smallest block that had one, in bytes; `None`: none had.
    pub smallest_mapped_bytes: Option<u64>,
    /// How the threshold rose, if it is dynamic: the first moves.
    pub moves: Vec<ThresholdMove>,
    /// Moves after those.
    pub more_moves: u64,
    /// Blocks that had a mapping although the moves put the threshold above their size: if there
    /// are any, it does not move. (A larger block without one says nothing: a heap with room comes
    /// first.)
    pub contradictions: u64,
}

/// A block that was given back.
#[derive(Debug, Clone, Copy)]
struct GivenBack {
    tid: u32,
    address: u64,
    bytes: u64,
    site: Option<usize>,
}

/// A block that may or may not have a mapping.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    address: u64,
    bytes: u64,
}

/// The thresholds while the stream is read.
#[derive(Debug)]
pub(in crate::allocations) struct Tracker {
    threshold_bytes: u64,
    known: MmapThresholds,
    given_back: Vec<GivenBack>,
    candidate: Option<Candidate>,
}

impl Default for Tracker {
    fn default() -> Tracker {
        Tracker {
            threshold_bytes: DEFAULT_BYTES,
            known: MmapThresholds::default(),
            given_back: Vec::new(),
            candidate: None,
        }
    }
}

impl Tracker {
    /// Whether a block of so many bytes is large enough to be of interest.
    #[inline]
    pub(in crate::allocations) fn is_large(bytes: u64) -> bool {
        bytes >= REMEMBERED_BYTES
    }

    /// A call gives a large block; whether by a mapping, a syscall inside the call tells.
    pub(in crate::allocations) fn give(&mut self, address: u64, bytes: u64) {
        self.settle();
        self.candidate = Some(Candidate { address, bytes });
    }

    /// The candidate had no mapping of its own.
    fn settle(&mut self) {
        let Some(candidate) = self.candidate.take() else { return };
        let known = &mut self.known;
        known.largest_unmapped_bytes = known.largest_unmapped_bytes.max(candidate.bytes);
    }

    /// The block at `address` has a mapping of its own.
    pub(super) fn map(&mut self, address: u64, bytes: u64) {
        if self.candidate.is_some_and(|candidate| candidate.address == address) {
            self.candidate = None;
        }
        let known = &mut self.known;
        let smallest = known.smallest_mapped_bytes.get_or_insert(bytes);
        *smallest = (*smallest).min(bytes);
        known.contradictions += u64::from(bytes + CHUNK_MORE_BYTES < self.threshold_bytes);
    }

    /// A call of thread `tid` only gives back a large block.
    pub(in crate::allocations) fn give_back(
        &mut self,
        tid: u32,
        address: u64,
        bytes: u64,
        site: Option<usize>,
    ) {
        self.given_back.retain(|block| block.tid != tid);
        if self.given_back.len() == REMEMBERED {
            self.given_back.remove(0);
        }
        self.given_back.push(GivenBack { tid, address, bytes, site });
    }

    /// A syscall of thread `tid`. Returns whether it unmaps the block that the thread gave back
    /// last, which raises the threshold.
    pub(in crate::allocations) fn unmap(
        &mut self,
        tid: u32,
        syscall: &Syscall,
        time_ns: u64,
    ) -> bool {
        if syscall.call != Call::Munmap || !syscall.arguments_known || syscall.result != Some(0) {
            return false;
        }
        let [start, length, ..] = syscall.arguments;
        let is_of = |block: &GivenBack| {
            let more = length.wrapping_sub(block.bytes);
            block.tid == tid
                && block.address.wrapping_sub(start) <= super::HEADER_BYTES
                && more <= CHUNK_MORE_BYTES
        };
        let Some(at) = self.given_back.iter().position(is_of) else { return false };
        let block = self.given_back.remove(at);
        if length > self.threshold_bytes && length <= MOST_BYTES {
            let from_bytes = std::mem::replace(&mut self.threshold_bytes, length);
            let moved = ThresholdMove { time_ns, from_bytes, to_bytes: length, site: block.site };
            if self.known.moves.len() < MOVES {
                self.known.moves.push(moved);
            } else {
                self.known.more_moves += 1;
            }
        }
        true
    }

    /// All that is known of process `pid`.
    pub(super) fn finish(mut self, pid: u32) -> MmapThresholds {
        self.settle();
        MmapThresholds { pid, ..self.known }
    }
}
