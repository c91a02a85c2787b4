//! The functions of C: malloc(3), posix_memalign(3).

use core::ffi::{c_int, c_void};
use core::ptr;

use super::{Caller, Request, exchange, give_back, give_out, number, takes_place};
use crate::{arena, next, stack};

takes_place!(malloc(size: usize) -> *mut c_void, "rsi", "rdx", malloc_entry);
takes_place!(calloc(count: usize, size: usize) -> *mut c_void, "rdx", "rcx", calloc_entry);
takes_place!(realloc(old: *mut c_void, size: usize) -> *mut c_void, "rdx", "rcx", realloc_entry);
takes_place!(reallocarray(old: *mut c_void, count: usize, size: usize) -> *mut c_void,
    "rcx", "r8", reallocarray_entry);
takes_place!(free(old: *mut c_void) -> (), "rsi", "rdx", free_entry);
takes_place!(cfree(old: *mut c_void) -> (), "rsi", "rdx", free_entry);
takes_place!(free_sized(old: *mut c_void, size: usize) -> (), "rdx", "rcx", free_sized_entry);
takes_place!(free_aligned_sized(old: *mut c_void, alignment: usize, size: usize) -> (),
    "rcx", "r8", free_aligned_sized_entry);
takes_place!(posix_memalign(place: *mut *mut c_void, alignment: usize, size: usize) -> c_int,
    "rcx", "r8", posix_memalign_entry);
takes_place!(aligned_alloc(alignment: usize, size: usize) -> *mut c_void,
    "rdx", "rcx", aligned_alloc_entry);
takes_place!(memalign(alignment: usize, size: usize) -> *mut c_void,
    "rdx", "rcx", memalign_entry);
takes_place!(valloc(size: usize) -> *mut c_void, "rsi", "rdx", valloc_entry);
takes_place!(pvalloc(size: usize) -> *mut c_void, "rsi", "rdx", pvalloc_entry);

unsafe extern "C" fn malloc_entry(size: usize, sp: usize, fp: usize) -> *mut c_void {
    give_out(Caller { sp, fp }, Request::of(number::MALLOC, size), || match next::malloc() {
        // SAFETY: malloc(3) takes any size.
        Some(malloc) => unsafe { malloc(size) },
        None => arena::allocate(size, 0),
    })
}

unsafe extern "C" fn calloc_entry(count: usize, size: usize, sp: usize, fp: usize) -> *mut c_void {
    let all = count.saturating_mul(size);
    give_out(Caller { sp, fp }, Request::of(number::CALLOC, all), || match next::calloc() {
        // SAFETY: calloc(3) takes any sizes.
        Some(calloc) => unsafe { calloc(count, size) },
        None => arena::allocate(all, 0),
    })
}

unsafe extern "C" fn realloc_entry(
    old: *mut c_void,
    size: usize,
    sp: usize,
    fp: usize,
) -> *mut c_void {
    if arena::holds(old) {
        return moved_from_arena(old, size);
    }
    let request = Request::of(number::REALLOC, size);
    exchange(Caller { sp, fp }, request, old, || match next::realloc() {
        // SAFETY: the caller's promise is that of realloc(3).
        Some(realloc) => unsafe { realloc(old, size) },
        None => arena::allocate(size, 0),
    })
}

/// A larger allocation with the contents of one of the arena, whose memory is not given back.
fn moved_from_arena(old: *mut c_void, size: usize) -> *mut c_void {
    let new = match next::malloc() {
        // SAFETY: malloc(3) takes any size.
        Some(malloc) => unsafe { malloc(size) },
        None => arena::allocate(size, 0),
    };
    if !new.is_null() {
        let bytes = arena::size_of_allocation(old).min(size);
        // SAFETY: both are at least as long, and the new one is no part of the old one.
        unsafe { ptr::copy_nonoverlapping(old.cast::<u8>(), new.cast::<u8>(), bytes) };
    }
    new
}

unsafe extern "C" fn reallocarray_entry(
    old: *mut c_void,
    count: usize,
    size: usize,
    sp: usize,
    fp: usize,
) -> *mut c_void {
    let all = count.saturating_mul(size);
    if arena::holds(old) {
        return moved_from_arena(old, all);
    }
    let request = Request::of(number::REALLOCARRAY, all);
    exchange(Caller { sp, fp }, request, old, || match next::reallocarray() {
        // SAFETY: the caller's promise is that of reallocarray(3).
        Some(reallocarray) => unsafe { reallocarray(old, count, size) },
        None => ptr::null_mut(),
    })
}

unsafe extern "C" fn free_entry(old: *mut c_void, sp: usize, fp: usize) {
    if old.is_null() || arena::holds(old) {
        return;
    }
    if stack::goes_with(old as usize) {
        stack::forget_code();
    }
    give_back(Caller { sp, fp }, number::FREE, old, || {
        if let Some(free) = next::free() {
            // SAFETY: the caller's promise is that of free(3).
            unsafe { free(old) };
        }
    });
}

unsafe extern "C" fn free_sized_entry(old: *mut c_void, size: usize, sp: usize, fp: usize) {
    if old.is_null() || arena::holds(old) {
        return;
    }
    give_back(Caller { sp, fp }, number::FREE, old, || {
        if let Some(free_sized) = next::free_sized() {
            // SAFETY: the caller's promise is that of free_sized (C23).
            unsafe { free_sized(old, size) };
        } else if let Some(free) = next::free() {
            // SAFETY: it is what free(3) takes as well.
            unsafe { free(old) };
        }
    });
}

unsafe extern "C" fn free_aligned_sized_entry(
    old: *mut c_void,
    alignment: usize,
    size: usize,
    sp: usize,
    fp: usize,
) {
    if old.is_null() || arena::holds(old) {
        return;
    }
    give_back(Caller { sp, fp }, number::FREE, old, || {
        if let Some(free_aligned_sized) = next::free_aligned_sized() {
            // SAFETY: the caller's promise is that of free_aligned_sized (C23).
            unsafe { free_aligned_sized(old, alignment, size) };
        } else if let Some(free) = next::free() {
            // SAFETY: it is what free(3) takes as well.
            unsafe { free(old) };
        }
    });
}

unsafe extern "C" fn posix_memalign_entry(
    place: *mut *mut c_void,
    alignment: usize,
    size: usize,
    sp: usize,
    fp: usize,
) -> c_int {
    let request = Request::aligned(number::POSIX_MEMALIGN, size, alignment);
    let mut status = libc::ENOMEM;
    give_out(Caller { sp, fp }, request, || {
        let Some(posix_memalign) = next::posix_memalign() else { return ptr::null_mut() };
        // SAFETY: the caller's promise is that of posix_memalign(3).
        status = unsafe { posix_memalign(place, alignment, size) };
        // SAFETY: it has been written if it succeeded.
        if status == 0 { unsafe { place.read() } } else { ptr::null_mut() }
    });
    status
}

/// A function of an alignment and a size.
macro_rules! aligned {
    ($entry:ident, $number:ident, $next:ident) => {
        unsafe extern "C" fn $entry(
            alignment: usize,
            size: usize,
            sp: usize,
            fp: usize,
        ) -> *mut c_void {
            let request = Request::aligned(number::$number, size, alignment);
            give_out(Caller { sp, fp }, request, || match next::$next() {
                // SAFETY: it takes any numbers.
                Some(function) => unsafe { function(alignment, size) },
                None => arena::allocate(size, alignment),
            })
        }
    };
}

aligned!(aligned_alloc_entry, ALIGNED_ALLOC, aligned_alloc);
aligned!(memalign_entry, MEMALIGN, memalign);

/// A function of a size that aligns by pages.
macro_rules! page_aligned {
    ($entry:ident, $number:ident, $next:ident) => {
        unsafe extern "C" fn $entry(size: usize, sp: usize, fp: usize) -> *mut c_void {
            const PAGE: usize = 4096;
            let request = Request::aligned(number::$number, size, PAGE);
            give_out(Caller { sp, fp }, request, || match next::$next() {
                // SAFETY: it takes any size.
                Some(function) => unsafe { function(size) },
                None => arena::allocate(size, PAGE),
            })
        }
    };
}

page_aligned!(valloc_entry, VALLOC, valloc);
page_aligned!(pvalloc_entry, PVALLOC, pvalloc);
