//! A block of memory from any source, as the phases of a measured child see it.

use std::ops::Range;
use std::sync::Mutex;

use sys::Errno;
use sys::allocator::HeapBlock;
use sys::mapping::{Mapping, Part, Policy};
use sys::memory::Memory;
use sys::program_break::BreakBlock;

/// A block of memory from any source; dropping it releases it.
pub(crate) trait Block {
    /// Makes what the blocks of a thread share, before anything is timed.
    fn prepare() {}
    /// Writes `value` to every byte.
    fn fill(&mut self, value: u8);
    /// Writes `value` to the byte at `offset`.
    fn write(&mut self, offset: usize, value: u8);
    /// Reads the byte at `offset`.
    fn read(&mut self, offset: usize);
    /// Reads every byte. Only files can: others may hold bytes that nobody has written.
    fn sum(&mut self) {}
    /// Reads the bytes of `range`, at most a page. Likewise.
    fn sum_of(&mut self, _range: Range<usize>) {}
    /// What a touch could not do.
    fn failure(&self) -> Option<Errno> {
        None
    }
    fn address(&self) -> usize;
    fn len(&self) -> usize;
    /// Gives the pages back and keeps the addresses; `lazily`: when the kernel needs them.
    fn give_back(&mut self, _lazily: bool) -> Result<(), Errno> {
        Err(Errno::NOT_SUPPORTED)
    }
}

/// What every kind of block does that is memory of its own.
macro_rules! as_memory {
    () => {
        #[inline]
        fn fill(&mut self, value: u8) {
            Memory::fill(self, value);
        }
        #[inline]
        fn write(&mut self, offset: usize, value: u8) {
            self.write_byte(offset, value);
        }
        #[inline]
        fn read(&mut self, offset: usize) {
            self.look_at(offset);
        }
        fn address(&self) -> usize {
            Memory::address(self)
        }
        fn len(&self) -> usize {
            Memory::len(self)
        }
    };
}
pub(crate) use as_memory;

impl Block for Mapping {
    as_memory!();
    fn give_back(&mut self, lazily: bool) -> Result<(), Errno> {
        if lazily { self.free_pages() } else { self.forget_pages() }
    }
}

impl Block for Part {
    as_memory!();
}

impl Block for HeapBlock {
    as_memory!();
}

impl Block for BreakBlock {
    as_memory!();
}

/// One mapping that several threads share, each with a part of it. Whoever comes first makes it.
pub(crate) struct OneMapping {
    threads: usize,
    parts: Mutex<Option<Vec<Part>>>,
}

impl OneMapping {
    pub(crate) fn new(threads: u64) -> Self {
        OneMapping { threads: usize::try_from(threads).unwrap_or(1).max(1), parts: Mutex::new(None) }
    }

    /// A part of `len` bytes.
    pub(crate) fn take(&self, len: usize) -> Result<Part, Errno> {
        let mut parts = self.parts.lock().map_err(|_| Errno::NO_MEMORY)?;
        if parts.is_none() {
            *parts = Some(Mapping::new(len.saturating_mul(self.threads), Policy::Plain)?.split(len));
        }
        parts.as_mut().and_then(Vec::pop).ok_or(Errno::NO_MEMORY)
    }
}
