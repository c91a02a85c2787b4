//! Touches memory from any source, byte by byte or as a whole.
//!
//! Safety story: an implementation of [`Memory`] promises that it owns a mapped range. All accesses
//! are inside the range and are volatile or done by the C library, so that the compiler drops none,
//! and no reference to the bytes is ever made.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

/// A range of memory with one owner.
///
/// # Safety
/// From `start` on, `len` bytes are mapped, readable and writable as long as the value lives;
/// nothing else in this process writes to them, and no reference into them exists.
#[expect(clippy::len_without_is_empty, reason = "what has no bytes has an address too")]
pub unsafe trait Memory {
    /// The address of the first byte, as a pointer.
    fn start(&self) -> NonNull<c_void>;

    /// Its size in bytes, as requested.
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
    /// If `offset` is not inside the range.
    #[inline]
    fn write_byte(&mut self, offset: usize, value: u8) {
        assert!(offset < self.len(), "offset outside the memory");
        // SAFETY: the offset is inside the range.
        let byte = unsafe { self.start().cast::<u8>().add(offset) };
        // SAFETY: the range is writable and ours.
        unsafe { byte.write_volatile(value) };
    }

    /// Reads the byte at `offset`, which may be uninitialised, and discards it.
    ///
    /// # Panics
    /// If `offset` is not inside the range.
    #[inline]
    fn look_at(&self, offset: usize) {
        assert!(offset < self.len(), "offset outside the memory");
        // SAFETY: the offset is inside the range.
        let byte = unsafe { self.start().cast::<MaybeUninit<u8>>().add(offset) };
        // SAFETY: the range is readable, and a `MaybeUninit` may be read without being initialised.
        black_box(unsafe { byte.read_volatile() });
    }
}

/// Implements [`Memory`] for a type with the fields `start` and `len`. The user of the macro
/// guarantees what the trait requires.
macro_rules! unsafe_memory_of {
    ($owner:ty) => {
        // SAFETY: argued where the macro is used.
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
/// Every byte of the range must be initialised. Memory from an allocator is not, before it is
/// written.
pub unsafe trait Initialised: Memory {
    /// The byte at `offset`.
    ///
    /// # Panics
    /// If `offset` is not inside the range.
    #[inline]
    #[allow(clippy::must_use_candidate, reason = "a page is touched by it")]
    fn read_byte(&self, offset: usize) -> u8 {
        assert!(offset < self.len(), "offset outside the memory");
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
