//! How a call of the allocator was served, by the memory syscalls inside it.

use events::{Call, Syscall};

use crate::address_space::returns_pages;

/// Maps over what was there before (`<asm-generic/mman-common.h>`). Memory that may not be
/// accessed, mapped over other memory, is how glibc shrinks an arena.
pub(super) const MAP_FIXED: u64 = 0x10;

/// How a call was served. Of several, the one further down counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum ServedBy {
    /// From memory that the allocator had.
    #[default]
    Allocator,
    /// By another memory syscall.
    Other,
    /// Memory was returned to the kernel.
    Return,
    /// Reserved memory was made usable.
    Protection,
    /// The heap grew.
    Break,
    /// New memory was mapped.
    Mapping,
}

impl ServedBy {
    /// How many there are.
    pub const COUNT: usize = 6;

    /// What `call` shows; `returns`: it gave memory back.
    pub(super) fn of(call: &Syscall, returns: bool) -> ServedBy {
        match call.call {
            _ if returns => ServedBy::Return,
            Call::Mmap if call.arguments[3] & MAP_FIXED != 0 && call.arguments[2] == 0 => {
                ServedBy::Return
            }
            Call::Mmap | Call::Mremap => ServedBy::Mapping,
            Call::Brk => ServedBy::Break,
            Call::Mprotect | Call::PkeyMprotect => ServedBy::Protection,
            Call::Munmap => ServedBy::Return,
            Call::Madvise if returns_pages(call.arguments[2]) => ServedBy::Return,
            _ => ServedBy::Other,
        }
    }
}
