//! Touching memory byte by byte or as a whole, wherever it came from.
//!
//! Safety story: who implements [`Memory`] promises that its range is there and its own; all
//! accesses lie inside the range and are volatile or the C library's, so that none is dropped, and
//! no reference to the bytes is ever made.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

/// A range of memory with one owner.
///
/// # Safety
/// From `start` on, `len` bytes are mapped, readable and writable as long as the value lives;
/// nothing else in this process writes to them, and nobody holds a reference into them.
#[expect(clippy::len_without_is_empty, reason = "what has no bytes has an address too")]
pub unsafe trait Memory {
    /// Where it begins.
    fn start(&self) -> NonNull<c_void>;

    /// Its size in bytes, as asked for.
    fn len(&self) -> usize;

    /// The address of the first byte.
    fn address(&self) -> usize {
        self.start().as_ptr().addr()
    }

    /// Writes `value` to every byte.
    #[inline]
    fn fill(&mut self, value: u8) {
        // SAFETY: the whole range is writable and ours.
        unsafe { fill(self.start(), self.len(), value) };
    }

    /// Writes `value` at `offset`.
    ///
    /// # Panics
    /// If it is not inside the range.
    #[inline]
    fn write_byte(&mut self, offset: usize, value: u8) {
        assert!(offset < self.len(), "an offset inside the memory");
        // SAFETY: the offset is inside the range.
        let byte = unsafe { self.start().cast::<u8>().add(offset) };
        // SAFETY: the range is writable and ours.
        unsafe { byte.write_volatile(value) };
    }

    /// Reads the byte at `offset`, which nobody may have written yet.
    ///
    /// # Panics
    /// If it is not inside the range.
    #[inline]
    fn look_at(&self, offset: usize) {
        assert!(offset < self.len(), "an offset inside the memory");
        // SAFETY: the offset is inside the range.
        let byte = unsafe { self.start().cast::<MaybeUninit<u8>>().add(offset) };
        // SAFETY: the range is readable, and what was never written may be read as such.
        black_box(unsafe { byte.read_volatile() });
    }
}

/// Makes a type with the fields `start` and `len` [`Memory`]. Who writes it promises what that asks
/// for.
macro_rules! unsafe_memory_of {
    ($owner:ty) => {
        // SAFETY: who writes the macro says why.
        unsafe impl $crate::memory::Memory for $owner {
            #[inline]
            fn start(&self) -> std::ptr::NonNull<std::ffi::c_void> {
                self.start
            }

            #[inline]
            fn len(&self) -> usize {
                self.len
            }
        }
    };
}
pub(crate) use unsafe_memory_of;

/// Memory whose every byte the kernel has initialised.
///
/// # Safety
/// As it says: of an allocator only what was written is.
pub unsafe trait Initialised: Memory {
    /// The byte at `offset`.
    ///
    /// # Panics
    /// If it is not inside the range.
    #[inline]
    #[allow(clippy::must_use_candidate, reason = "a page is touched by it")]
    fn read_byte(&self, offset: usize) -> u8 {
        assert!(offset < self.len(), "an offset inside the memory");
        // SAFETY: the offset is inside the range.
        let byte = unsafe { self.start().cast::<u8>().add(offset) };
        // SAFETY: the range is readable and initialised.
        black_box(unsafe { byte.read_volatile() })
    }
}

/// Writes `value` to `len` bytes from `start`, in a way that the compiler may neither drop nor
/// merge with another.
///
/// # Safety
/// The range must be valid for writes and not otherwise in use.
#[inline]
pub(crate) unsafe fn fill(start: NonNull<c_void>, len: usize, value: u8) {
    let start = black_box(start.as_ptr());
    // SAFETY: as the caller promises.
    unsafe { start.write_bytes(black_box(value), black_box(len)) };
    black_box(start);
}
