//! The numbers of allocation functions in records: those of `events::AllocationFunction`, which
//! this crate does not know. A test of `collect` compares them.

#![expect(missing_docs, reason = "each is its own name")]

pub const MALLOC: u8 = 1;
pub const CALLOC: u8 = 2;
pub const REALLOC: u8 = 3;
pub const REALLOCARRAY: u8 = 4;
pub const FREE: u8 = 5;
pub const POSIX_MEMALIGN: u8 = 6;
pub const ALIGNED_ALLOC: u8 = 7;
pub const MEMALIGN: u8 = 8;
pub const VALLOC: u8 = 9;
pub const PVALLOC: u8 = 10;
pub const NEW: u8 = 11;
pub const DELETE: u8 = 12;
pub const MMAP: u8 = 13;
pub const MREMAP: u8 = 14;
pub const MUNMAP: u8 = 15;
