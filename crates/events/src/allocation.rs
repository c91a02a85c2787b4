//! Calls of the allocator, and of mmap(2) by the program itself.

use core::num::NonZeroU64;

use crate::StackId;

/// A call of an allocation function, complete. It gives back what it gives back when it begins, and
/// gives out what it gives out when it ends: between these two moments no other thread can have got
/// the memory that it holds (an allocator gives an address out again only after the call that gave
/// it back has begun, and before the call that got it has ended).
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allocation {
    /// The address that it gave out; 0: none, since it failed or only gives back.
    pub address: u64,
    /// The address that it gave back; 0: none. A reallocation that fails gives none back.
    pub released: u64,
    /// The size that was asked for, in bytes. A product (calloc) that does not fit is `u64::MAX`.
    pub size_bytes: u64,
    /// The time from its call to its return. `None`: not measured.
    pub latency_ns: Option<NonZeroU64>,
    /// The stack of its caller; [`StackId::NOT_TAKEN`] where not all are taken.
    pub stack: StackId,
    /// The function.
    pub function: AllocationFunction,
    /// The alignment that was asked for, as a power of two: 4 is 16 bytes. 0: none.
    pub alignment_log2: u8,
}

impl Allocation {
    /// Whether it only gives back, as realloc(3) with a size of zero does, too.
    #[must_use]
    pub fn only_gives_back(&self) -> bool {
        self.function.only_releases() || (self.address == 0 && self.released != 0)
    }
}

/// The functions of allocators: malloc(3), `posix_memalign(3)`, and operators of C++. Those that
/// map memory are among them where the program calls them itself, outside of the others.
#[repr(u8)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is its own name")]
pub enum AllocationFunction {
    Malloc = 1,
    Calloc,
    Realloc,
    Reallocarray,
    Free,
    PosixMemalign,
    AlignedAlloc,
    Memalign,
    Valloc,
    Pvalloc,
    /// `operator new` and `operator new[]`.
    New,
    /// `operator delete` and `operator delete[]`.
    Delete,
    Mmap,
    /// It gives back the whole mapping at the old address, as far as the size that it was given for
    /// that reaches.
    Mremap,
    /// It gives back `size_bytes` from an address on, which need not be what one call gave out.
    Munmap,
}

impl AllocationFunction {
    /// All of them, in the order of their numbers.
    pub const ALL: [AllocationFunction; 15] = [
        AllocationFunction::Malloc,
        AllocationFunction::Calloc,
        AllocationFunction::Realloc,
        AllocationFunction::Reallocarray,
        AllocationFunction::Free,
        AllocationFunction::PosixMemalign,
        AllocationFunction::AlignedAlloc,
        AllocationFunction::Memalign,
        AllocationFunction::Valloc,
        AllocationFunction::Pvalloc,
        AllocationFunction::New,
        AllocationFunction::Delete,
        AllocationFunction::Mmap,
        AllocationFunction::Mremap,
        AllocationFunction::Munmap,
    ];

    /// The function with this number, which is its discriminant.
    #[must_use]
    pub fn from_number(number: u8) -> Option<AllocationFunction> {
        AllocationFunction::ALL.get(usize::from(number).checked_sub(1)?).copied()
    }

    /// Its name in C or C++.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            AllocationFunction::Malloc => "malloc",
            AllocationFunction::Calloc => "calloc",
            AllocationFunction::Realloc => "realloc",
            AllocationFunction::Reallocarray => "reallocarray",
            AllocationFunction::Free => "free",
            AllocationFunction::PosixMemalign => "posix_memalign",
            AllocationFunction::AlignedAlloc => "aligned_alloc",
            AllocationFunction::Memalign => "memalign",
            AllocationFunction::Valloc => "valloc",
            AllocationFunction::Pvalloc => "pvalloc",
            AllocationFunction::New => "operator new",
            AllocationFunction::Delete => "operator delete",
            AllocationFunction::Mmap => "mmap",
            AllocationFunction::Mremap => "mremap",
            AllocationFunction::Munmap => "munmap",
        }
    }

    /// Whether it only gives back.
    #[must_use]
    pub fn only_releases(self) -> bool {
        matches!(
            self,
            AllocationFunction::Free | AllocationFunction::Delete | AllocationFunction::Munmap
        )
    }

    /// Whether it is one of the C library's functions that map memory and unmap it: what they give
    /// out are mappings, and not blocks of an allocator.
    #[must_use]
    pub fn maps(self) -> bool {
        self >= AllocationFunction::Mmap
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_places_in_the_list() {
        for function in AllocationFunction::ALL {
            assert_eq!(AllocationFunction::from_number(function as u8), Some(function));
        }
        assert_eq!([0, 16].map(AllocationFunction::from_number), [None, None]);
    }
}
