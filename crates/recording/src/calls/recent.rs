//! The blocks that a thread got recently, and where the next one will be.

/// The number of blocks that are remembered.
pub(crate) const BLOCKS: usize = 1024;
/// Sizes up to a KiB in steps of 16 bytes, and larger ones by their log2. A power of two.
const CLASSES: usize = 128;

#[derive(Debug, Clone, Copy, Default)]
struct Block {
    address: u64,
    class: u16,
    /// One more than the place of the block of its class that was given back before it; 0: none.
    next: u16,
}

/// The last blocks that were given out, and for each size class those of them that were given back,
/// as a stack: allocators give out the newest first.
#[derive(Debug)]
pub(crate) struct Recent {
    /// A power of two of them, so that a place is a few bits of a number.
    blocks: Box<[Block]>,
    given: u64,
    /// One more than the place of the block given back last.
    free: [u16; CLASSES],
    /// Behind the block given out last: where an allocator goes on in fresh memory.
    fresh: u64,
}

impl Recent {
    /// Of a chunk without calls yet, which has at most `calls`.
    pub(crate) fn new(calls: u32) -> Self {
        let calls = usize::try_from(calls).unwrap_or(BLOCKS).clamp(1, BLOCKS);
        let blocks = vec![Block::default(); calls.next_power_of_two()].into();
        Recent { blocks, given: 0, free: [0; CLASSES], fresh: 0 }
    }

    /// Starts with a new chunk.
    pub(crate) fn clear(&mut self) {
        let used = usize::try_from(self.given).unwrap_or(BLOCKS).min(self.blocks.len());
        self.blocks[..used].fill(Block::default());
        (self.given, self.free, self.fresh) = (0, [0; CLASSES], 0);
    }

    /// The number of blocks given out so far.
    #[inline]
    pub(crate) fn given(&self) -> u64 {
        self.given
    }

    /// Where a block of this size is expected: the newest of its class that was given back, or else
    /// behind the last one. That block is no longer expected afterwards.
    #[inline]
    pub(crate) fn foresee(&mut self, size: &SizeClass) -> u64 {
        let newest = &mut self.free[usize::from(size.number) % CLASSES];
        match usize::from(*newest).checked_sub(1) {
            Some(place) => {
                let block = self.blocks[place & (self.blocks.len() - 1)];
                *newest = block.next;
                block.address
            }
            None => self.fresh,
        }
    }

    /// A block was given out.
    #[inline]
    pub(crate) fn give(&mut self, address: u64, size: &SizeClass) {
        let block = Block { address, class: size.number, next: 0 };
        let place = self.place(self.given);
        self.blocks[place] = block;
        self.given += 1;
        self.fresh = address.wrapping_add(size.taken_bytes);
    }

    /// The address of the block that `age` blocks were given out after; `None`: not remembered.
    #[inline]
    pub(crate) fn of_age(&self, age: u64) -> Option<u64> {
        let number = self.given.checked_sub(age)?.checked_sub(1)?;
        (age < BLOCKS as u64).then(|| self.blocks[self.place(number)].address)
    }

    /// The block with this age was given back.
    #[inline]
    pub(crate) fn release(&mut self, age: u64) {
        let place = self.place(self.given.wrapping_sub(age).wrapping_sub(1));
        let block = &mut self.blocks[place];
        let newest = &mut self.free[usize::from(block.class) % CLASSES];
        block.next = *newest;
        *newest = u16::try_from(place + 1).unwrap_or_default();
    }

    #[inline]
    fn place(&self, number: u64) -> usize {
        let last = self.blocks.len() - 1;
        usize::try_from(number & last as u64).unwrap_or_default()
    }
}

/// The class of a size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SizeClass {
    number: u16,
    /// What a block takes in glibc: a word before it, in steps of 16 bytes, at least 32.
    taken_bytes: u64,
}

impl SizeClass {
    /// The class of blocks of this size.
    #[inline]
    pub(crate) fn of(size_bytes: u64) -> SizeClass {
        let taken_bytes = (size_bytes.saturating_add(23) & !15).max(32);
        let number = if taken_bytes <= 1024 {
            taken_bytes / 16
        } else {
            // 1040 bytes are class 65.
            u64::from(65 + 53 - taken_bytes.leading_zeros())
        };
        SizeClass { number: u16::try_from(number).unwrap_or_default(), taken_bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_distinct_and_within_bounds() {
        let number = |size| SizeClass::of(size).number;
        assert_eq!([0, 24, 25, 40, 41].map(number), [2, 2, 3, 3, 4]);
        assert_eq!([1000, 1001, 1016, 1017, 2024, 2025].map(number), [63, 64, 64, 65, 65, 66]);
        assert!(usize::from(number(u64::MAX)) < CLASSES);
    }

    #[test]
    fn the_newest_block_that_came_back_is_foreseen() {
        let size = SizeClass::of(24);
        let mut recent = Recent::new(5);
        recent.give(0x1000, &size);
        recent.give(0x1020, &size);
        assert_eq!(recent.foresee(&size), 0x1040, "behind the last one");
        assert_eq!((recent.of_age(0), recent.of_age(1)), (Some(0x1020), Some(0x1000)));
        assert_eq!(recent.of_age(2), None);
        recent.release(0);
        recent.release(1);
        assert_eq!(recent.foresee(&SizeClass::of(100)), 0x1040);
        assert_eq!(
            [recent.foresee(&SizeClass::of(20)), recent.foresee(&SizeClass::of(20))],
            [0x1000, 0x1020]
        );
        recent.clear();
        assert_eq!((recent.of_age(0), recent.foresee(&size)), (None, 0));
    }
}
