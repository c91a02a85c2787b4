//! A block of memory from any source: the interface that the phases of a measured child use.

use std::ops::Range;
use std::sync::Mutex;

use sys::Errno;
use sys::allocator::HeapBlock;
use sys::limits::page_bytes;
use sys::mapping::{MappingPart, OwnMapping, Policy};
use sys::memory::Memory;
use sys::program_break::BreakBlock;

/// A block of memory from any source; dropping it releases it.
pub(crate) trait Block {
    /// Creates what the blocks of a thread share, before anything is timed.
    fn prepare() {}
    /// Writes `value` to every byte.
    fn fill(&mut self, value: u8);
    /// Writes `value` to the byte at `offset`.
    fn write(&mut self, offset: usize, value: u8);
    /// Reads the byte at `offset`.
    fn read(&mut self, offset: usize);
    /// Reads every byte. Only file blocks do: other memory may be uninitialised.
    fn sum(&mut self) {}
    /// Reads the bytes of `range`, at most a page. Only file blocks do.
    fn sum_of(&mut self, _range: Range<usize>) {}
    /// The error of a touch that failed.
    fn failure(&self) -> Option<Errno> {
        None
    }
    fn address(&self) -> usize;
    fn len(&self) -> usize;
    /// Returns the pages to the kernel and keeps the addresses; `lazily`: when the kernel needs
    /// memory.
    fn give_back(&mut self, _lazily: bool) -> Result<(), Errno> {
        Err(Errno::NOT_SUPPORTED)
    }
}

/// The methods of every block that implements [`Memory`].
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

impl Block for OwnMapping {
    as_memory!();
    fn give_back(&mut self, lazily: bool) -> Result<(), Errno> {
        if lazily { self.free_pages() } else { self.forget_pages() }
    }
}

impl Block for MappingPart {
    as_memory!();
}

impl Block for HeapBlock {
    as_memory!();
}

impl Block for BreakBlock {
    as_memory!();
}

/// One mapping that several threads share, with one part for every block of memory. The first
/// thread that takes a part maps it, and again when all blocks are obtained anew.
pub(crate) struct OneMapping {
    blocks: usize,
    parts: Mutex<Vec<MappingPart>>,
}

impl OneMapping {
    pub(crate) fn new(blocks: u64) -> Self {
        OneMapping {
            blocks: usize::try_from(blocks).unwrap_or(usize::MAX).max(1),
            parts: Mutex::default(),
        }
    }

    /// A part of `len` bytes. Each starts at a page boundary, so that no two parts share a page.
    pub(crate) fn take(&self, len: usize) -> Result<MappingPart, Errno> {
        let mut parts = self.parts.lock().map_err(|_| Errno::NO_MEMORY)?;
        if parts.is_empty() {
            let step = usize::try_from(page_bytes())
                .ok()
                .and_then(|page| len.checked_next_multiple_of(page));
            let whole = step.and_then(|step| step.checked_mul(self.blocks));
            let (Some(step), Some(whole)) = (step, whole) else { return Err(Errno::NO_MEMORY) };
            *parts = OwnMapping::new(whole, Policy::Plain)?.split(step, len);
        }
        parts.pop().ok_or(Errno::NO_MEMORY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mapping_has_a_part_for_every_block_each_time() {
        let mapping = OneMapping::new(3);
        for len in [1, 4095, 4097] {
            let parts: Vec<MappingPart> = (0..3).map(|_| mapping.take(len).unwrap()).collect();
            let mut starts: Vec<usize> = parts.iter().map(Memory::address).collect();
            starts.sort_unstable();
            let step = len.next_multiple_of(usize::try_from(page_bytes()).unwrap());
            assert_eq!([starts[1] - starts[0], starts[2] - starts[1]], [step; 2]);
            assert!(parts.iter().all(|part| Memory::len(part) == len));
        }
    }
}
