//! Memory for allocations before the allocator below is known: dlsym(3) itself may allocate. What
//! is here is never given back.

use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

const BYTES: usize = 32 << 10;
const ALIGNMENT: usize = 16;

#[repr(align(16))]
struct Arena(UnsafeCell<[u8; BYTES]>);

// SAFETY: each byte is given out once, by the counter below.
unsafe impl Sync for Arena {}

static ARENA: Arena = Arena(UnsafeCell::new([0; BYTES]));
static USED: AtomicUsize = AtomicUsize::new(0);

/// Zeroed memory with a header that holds its size; null when the arena is used up.
pub(crate) fn allocate(size: usize, alignment: usize) -> *mut c_void {
    let alignment = alignment.max(ALIGNMENT);
    let Some(wanted) = size.checked_add(alignment + ALIGNMENT) else { return ptr::null_mut() };
    let Some(wanted) = wanted.checked_next_multiple_of(ALIGNMENT) else { return ptr::null_mut() };
    let at = USED.fetch_add(wanted, Ordering::Relaxed);
    if at.checked_add(wanted).is_none_or(|end| end > BYTES) {
        return ptr::null_mut();
    }
    let first = base() + at + ALIGNMENT;
    let start = first.next_multiple_of(alignment);
    // SAFETY: the header lies in the piece that was just taken, before `start`.
    unsafe { ((start - size_of::<usize>()) as *mut usize).write(size) };
    start as *mut c_void
}

/// Whether `pointer` came from here.
#[inline]
pub(crate) fn holds(pointer: *const c_void) -> bool {
    (pointer as usize).wrapping_sub(base()) < BYTES
}

/// The size of an allocation of this arena.
pub(crate) fn size_of_allocation(pointer: *const c_void) -> usize {
    // SAFETY: `allocate` wrote the size before the pointer that it gave out.
    unsafe { ((pointer as usize - size_of::<usize>()) as *const usize).read() }
}

#[inline]
fn base() -> usize {
    ARENA.0.get() as usize
}
