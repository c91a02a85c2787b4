//! The C allocator of this process: malloc(3), calloc(3), free(3), and the file they come from.
//!
//! Safety story: a [`HeapBlock`] owns what malloc returned, is freed once, and is written only
//! within its size.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::hint::black_box;
use std::ptr::NonNull;

use crate::Errno;
use crate::memory::{Memory, fill, unsafe_memory_of};

/// A block of the C heap. Freed when dropped.
#[derive(Debug)]
pub struct HeapBlock {
    start: NonNull<c_void>,
    len: usize,
}

impl HeapBlock {
    /// `malloc(len)`.
    ///
    /// # Errors
    /// The errno of malloc(3): ENOMEM.
    #[inline]
    pub fn malloc(len: usize) -> Result<Self, Errno> {
        // SAFETY: malloc takes any size. black_box hides the size, and the pointer below, from an
        // optimiser that knows malloc and free and would drop a pair of them.
        Self::from_allocator(unsafe { libc::malloc(black_box(len)) }, len)
    }

    /// `calloc(1, len)`.
    ///
    /// # Errors
    /// The errno of calloc(3): ENOMEM.
    #[inline]
    pub fn calloc(len: usize) -> Result<Self, Errno> {
        // SAFETY: calloc takes any sizes.
        Self::from_allocator(unsafe { libc::calloc(1, black_box(len)) }, len)
    }

    /// `aligned_alloc(alignment, len)`, `len` rounded up to a multiple of `alignment` as the C
    /// standard requires.
    ///
    /// # Errors
    /// The errno of `aligned_alloc(3)`: ENOMEM, or EINVAL if `alignment` is not a power of two.
    #[inline]
    pub fn aligned(alignment: usize, len: usize) -> Result<Self, Errno> {
        let rounded = len.checked_next_multiple_of(alignment.max(1)).ok_or(Errno::NO_MEMORY)?;
        // SAFETY: aligned_alloc takes any sizes.
        Self::from_allocator(
            unsafe { libc::aligned_alloc(black_box(alignment), black_box(rounded)) },
            len,
        )
    }

    /// A block that starts at one page (or one step) and grows by realloc(3) to `len` bytes; the
    /// bytes that each step adds are filled with `value`.
    ///
    /// # Errors
    /// The errno of malloc(3) and realloc(3): ENOMEM.
    pub fn grown(len: usize, value: u8, growth: Growth) -> Result<Self, Errno> {
        let first = match growth {
            Growth::Doubling => rustix::param::page_size(),
            Growth::Steps(step) => step.max(1),
        };
        let mut block = HeapBlock::malloc(len.min(first))?;
        block.fill(value);
        while block.len < len {
            let (old, more) =
                (block.len, if growth == Growth::Doubling { block.len } else { first });
            let new = old.saturating_add(more).min(len);
            // SAFETY: the pointer came from malloc or realloc and is replaced by what realloc
            // returns.
            let start = unsafe { libc::realloc(black_box(block.start.as_ptr()), black_box(new)) };
            // If realloc fails, the old block is still valid, and `block` frees it when dropped.
            block.start = NonNull::new(black_box(start)).ok_or_else(Errno::last)?;
            block.len = new;
            // SAFETY: `old` is inside the block.
            let added = unsafe { block.start.byte_add(old) };
            // SAFETY: realloc has just added these bytes, and the block is ours.
            unsafe { fill(added, new - old, value) };
        }
        Ok(block)
    }

    fn from_allocator(start: *mut c_void, len: usize) -> Result<Self, Errno> {
        NonNull::new(black_box(start)).map(|start| HeapBlock { start, len }).ok_or_else(Errno::last)
    }

    /// The usable bytes of the block: its size plus what the allocator added by rounding up
    /// (`malloc_usable_size(3)`).
    #[must_use]
    pub fn usable_bytes(&self) -> usize {
        // SAFETY: the block is ours and not freed.
        unsafe { libc::malloc_usable_size(self.start.as_ptr()) }
    }
}

// SAFETY: memory from malloc is writable and ours until it is freed, which happens when the block
// is dropped.
unsafe_memory_of!(HeapBlock);

/// How a block grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Growth {
    /// Each step doubles the size.
    Doubling,
    /// Each step adds this many bytes.
    Steps(usize),
}

impl Drop for HeapBlock {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the pointer came from malloc or calloc and is freed only here.
        unsafe { libc::free(black_box(self.start.as_ptr())) };
    }
}

/// The file that this process's `malloc` came from: the C library, a preloaded allocator, or the
/// program itself.
#[must_use]
pub fn malloc_origin() -> Option<String> {
    origin(c"malloc")
}

/// Whether `malloc_trim(3)` comes from the same library as `malloc`. One from another library would
/// trim a heap that is not in use.
#[must_use]
pub fn trims() -> bool {
    let trim = origin(c"malloc_trim");
    trim.is_some() && trim == malloc_origin()
}

/// The file that the function called `name` came from; `None` if there is none.
fn origin(name: &CStr) -> Option<String> {
    // SAFETY: an all-zero Dl_info is valid (null pointers).
    let mut info: libc::Dl_info = unsafe { std::mem::zeroed() };
    // Through dlsym, because the address of an imported function may be a stub in this program.
    // SAFETY: the name is NUL-terminated.
    let function = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    // SAFETY: dladdr takes any address and fills `info` when it returns non-zero.
    let found = unsafe { libc::dladdr(function, &raw mut info) } != 0;
    // SAFETY: dli_fname of a found address is a NUL-terminated string that lives as long as the
    // object is loaded.
    (found && !info.dli_fname.is_null()).then(|| unsafe { text(info.dli_fname) })
}

/// `malloc_trim(3)`: returns free memory at the end of the heap, and whole free pages within it, to
/// the kernel. `false` if nothing could be returned, or if the C library has no such call (musl).
pub fn trim() -> bool {
    // SAFETY: the name is NUL-terminated.
    let Some(found) =
        NonNull::new(unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"malloc_trim".as_ptr()) })
    else {
        return false;
    };
    // SAFETY: under this name C libraries export `int (size_t)` (`malloc_trim(3)`).
    let malloc_trim: extern "C" fn(usize) -> c_int = unsafe { std::mem::transmute(found) };
    malloc_trim(0) == 1
}

/// The program break; `None` if sbrk(2) fails.
#[must_use]
pub fn program_break() -> Option<usize> {
    // SAFETY: sbrk(0) moves nothing.
    let current = unsafe { libc::sbrk(0) };
    (current.addr() != usize::MAX).then(|| current.addr())
}

/// Moves the program break by `delta` bytes and returns where it is then. Calls brk(2) directly:
/// the C library keeps its own record of the break, which this does not update. A caller that moves
/// the break up must move it back before anything else allocates.
///
/// # Errors
/// ENOMEM: the kernel did not move the break.
pub fn move_break(delta: isize) -> Result<usize, Errno> {
    // Must come first: the C library records the break when it is first asked for it.
    let known = program_break();
    #[expect(
        clippy::cast_sign_loss,
        clippy::cast_possible_truncation,
        reason = "a long is as wide as an address"
    )]
    let address = |answer: libc::c_long| answer as usize;
    // SAFETY: 0 is not a valid break: the kernel changes nothing and returns the current one.
    let now = address(unsafe { libc::syscall(libc::SYS_brk, 0) });
    let wanted = now.wrapping_add_signed(delta);
    // A break below the one that the C library has recorded would unmap memory that is in use.
    if delta < 0 && known.is_some_and(|known| wanted < known) {
        return Err(Errno(libc::EINVAL));
    }
    // SAFETY: moving the break up adds memory; down, it takes away only what this function added.
    let moved = address(unsafe { libc::syscall(libc::SYS_brk, wanted) });
    if moved == wanted { Ok(moved) } else { Err(Errno::NO_MEMORY) }
}

/// Fixes glibc's threshold between brk and mmap (mallopt(3), `M_MMAP_THRESHOLD`). `false` if there
/// is no mallopt, or if it fails.
#[must_use]
pub fn fix_mmap_threshold(bytes: i32) -> bool {
    const M_MMAP_THRESHOLD: i32 = -3;
    // SAFETY: the name is NUL-terminated.
    let mallopt = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"mallopt".as_ptr()) };
    let Some(mallopt) = NonNull::new(mallopt) else { return false };
    // SAFETY: every library that exports this name exports `int (int, int)` (malloc.h).
    let mallopt: extern "C" fn(i32, i32) -> i32 = unsafe { std::mem::transmute(mallopt) };
    mallopt(M_MMAP_THRESHOLD, bytes) == 1
}

/// The C library and its version: `glibc 2.36`. `None` for a C library that does not report its
/// version (musl).
#[must_use]
pub fn libc_version() -> Option<String> {
    // SAFETY: the name is NUL-terminated.
    let version = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"gnu_get_libc_version".as_ptr()) };
    let version = NonNull::new(version)?;
    // SAFETY: under this name glibc exports `const char *(void)` (gnu/libc-version.h), and no other
    // library does.
    let version: extern "C" fn() -> *const c_char = unsafe { std::mem::transmute(version) };
    // SAFETY: it returns a static NUL-terminated string.
    Some(format!("glibc {}", unsafe { text(version()) }))
}

/// # Safety
/// `start` must be a NUL-terminated string.
unsafe fn text(start: *const c_char) -> String {
    // SAFETY: as the caller promises.
    unsafe { CStr::from_ptr(start) }.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_distinct_and_calloc_is_zero() {
        let mut one = HeapBlock::malloc(100).unwrap();
        let two = HeapBlock::calloc(100).unwrap();
        one.fill(9);
        assert_ne!(one.address(), two.address());
        // SAFETY: the block is 100 bytes long and calloc initialised it.
        let bytes = unsafe { std::slice::from_raw_parts(two.start.cast::<u8>().as_ptr(), two.len) };
        assert_eq!(bytes, [0; 100]);
    }

    #[test]
    fn an_impossible_size_is_enomem() {
        assert_eq!(HeapBlock::malloc(usize::MAX / 2 + 1).unwrap_err(), Errno(libc::ENOMEM));
    }

    #[test]
    fn the_break_moves_by_the_requested_bytes() {
        let before = move_break(0).unwrap();
        // Another test's thread may move it meanwhile, but only up.
        assert!(move_break(1 << 20).unwrap() >= before + (1 << 20));
        assert!(move_break(-(1 << 20)).unwrap() >= before);
        assert_eq!(move_break(-(1 << 40)).unwrap_err(), Errno(libc::EINVAL));
    }

    #[test]
    fn more_may_be_usable_than_was_asked_for() {
        let mut block = HeapBlock::malloc(100).unwrap();
        block.write_byte(99, 1);
        assert!(block.usable_bytes() >= 100);
    }

    #[test]
    fn the_origin_of_malloc_is_a_path() {
        let origin = malloc_origin().expect("dladdr finds malloc");
        assert!(origin.contains('/'), "{origin}");
    }
}
