//! Memory straight from sbrk(2).
//!
//! Safety story: the break is moved under a lock, a block is the range that one move added, and the
//! break goes back only when no block is left and no other code has moved it since. The C library's
//! allocator notices that its heap is not contiguous any more and copes (`sysmalloc` in
//! `malloc/malloc.c` of glibc).
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::{Mutex, PoisonError};

use crate::Errno;
use crate::memory::{Initialised, unsafe_memory_of};

/// The range between the break before the first block and the current break.
struct Added {
    base: usize,
    top: usize,
    blocks: usize,
}

static ADDED: Mutex<Added> = Mutex::new(Added { base: 0, top: 0, blocks: 0 });

/// A block of whole pages, added by moving the program break. When the last block is dropped, the
/// break goes back.
#[derive(Debug)]
pub struct BreakBlock {
    start: NonNull<c_void>,
    len: usize,
}

// SAFETY: the range belongs to the block alone, whichever thread has it.
unsafe impl Send for BreakBlock {}

impl BreakBlock {
    /// Moves the break by `len` bytes, rounded up to whole pages.
    ///
    /// # Errors
    /// ENOMEM: `RLIMIT_DATA`, or a mapping in the way (sbrk(2)).
    pub fn new(len: usize) -> Result<Self, Errno> {
        let page = rustix::param::page_size();
        let mut added = ADDED.lock().unwrap_or_else(PoisonError::into_inner);
        let now = move_by(0)?;
        let padding = now.next_multiple_of(page) - now;
        let more = len.checked_next_multiple_of(page).and_then(|len| len.checked_add(padding));
        let more = more.ok_or(Errno::NO_MEMORY)?;
        let old = move_by(isize::try_from(more).map_err(|_| Errno::NO_MEMORY)?)?;
        if added.blocks == 0 {
            added.base = old;
        }
        added.top = old + more;
        added.blocks += 1;
        let start = std::ptr::with_exposed_provenance_mut::<c_void>(old + padding);
        Ok(BreakBlock { start: NonNull::new(start).ok_or(Errno::NO_MEMORY)?, len })
    }
}

// SAFETY: the range was added for this block, and stays until the last block is dropped.
unsafe_memory_of!(BreakBlock);

// SAFETY: the kernel provides zeroed pages.
unsafe impl Initialised for BreakBlock {}

impl Drop for BreakBlock {
    fn drop(&mut self) {
        let mut added = ADDED.lock().unwrap_or_else(PoisonError::into_inner);
        added.blocks -= 1;
        if added.blocks == 0 && move_by(0) == Ok(added.top) {
            // If the break cannot go back, the memory stays until the process ends.
            let _ = isize::try_from(added.top - added.base).map(|bytes| move_by(-bytes));
        }
    }
}

/// Moves the break and returns where it was.
fn move_by(bytes: isize) -> Result<usize, Errno> {
    // SAFETY: moving up takes no memory away. It is moved down only to where it was before the
    // first block, and only if no other code has moved it since, so no memory of others is above.
    let old = unsafe { libc::sbrk(bytes) };
    if old.addr() == usize::MAX { Err(Errno::last()) } else { Ok(old.expose_provenance()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;

    /// One test, since the break belongs to the whole process.
    #[test]
    fn blocks_are_at_the_break_which_goes_back_after_the_last() {
        let before = move_by(0).unwrap();
        let mut one = BreakBlock::new(10_000).unwrap();
        let mut two = BreakBlock::new(4096).unwrap();
        assert!(one.address() >= before && two.address() >= one.address() + 10_000);
        assert_eq!((one.read_byte(9_999), one.address() % rustix::param::page_size()), (0, 0));
        one.fill(1);
        two.fill(2);
        two.write_byte(4095, 3);
        assert_eq!((one.read_byte(9_999), two.read_byte(0), two.read_byte(4095)), (1, 2, 3));
        let top = move_by(0).unwrap();
        drop(one);
        assert_eq!(move_by(0).unwrap(), top, "a block above is still alive");
        drop(two);
        let after = move_by(0).unwrap();
        // The allocator of another test's thread may have moved the break too; then it stays.
        assert!(after == before || after >= top, "{before:#x} {after:#x} {top:#x}");
        assert_eq!(BreakBlock::new(usize::MAX / 2).unwrap_err(), Errno::NO_MEMORY);
    }
}
