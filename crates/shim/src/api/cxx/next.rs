//! The operators below: those of the C++ runtime, or of an allocator. The runtime may be loaded
//! after the program has started, so they are looked up when one is first called.

use core::cell::UnsafeCell;
use core::ffi::{CStr, c_void};
use core::mem::transmute;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::thread::Guard;

/// The operators, in the order of [`NAMES`].
#[derive(Clone, Copy)]
pub(super) enum Operator {
    New,
    NewArray,
    NewAligned,
    NewArrayAligned,
    Delete,
    DeleteArray,
    DeleteSized,
    DeleteArraySized,
    DeleteNothrow,
    DeleteArrayNothrow,
    DeleteAligned,
    DeleteArrayAligned,
    DeleteSizedAligned,
    DeleteArraySizedAligned,
    DeleteAlignedNothrow,
    DeleteArrayAlignedNothrow,
}

/// `new` in the forms that return null.
const NAMES: [&CStr; 16] = [
    c"_ZnwmRKSt9nothrow_t",
    c"_ZnamRKSt9nothrow_t",
    c"_ZnwmSt11align_val_tRKSt9nothrow_t",
    c"_ZnamSt11align_val_tRKSt9nothrow_t",
    c"_ZdlPv",
    c"_ZdaPv",
    c"_ZdlPvm",
    c"_ZdaPvm",
    c"_ZdlPvRKSt9nothrow_t",
    c"_ZdaPvRKSt9nothrow_t",
    c"_ZdlPvSt11align_val_t",
    c"_ZdaPvSt11align_val_t",
    c"_ZdlPvmSt11align_val_t",
    c"_ZdaPvmSt11align_val_t",
    c"_ZdlPvSt11align_val_tRKSt9nothrow_t",
    c"_ZdaPvSt11align_val_tRKSt9nothrow_t",
];

static FOUND: [AtomicUsize; NAMES.len()] = [const { AtomicUsize::new(0) }; NAMES.len()];
static IS_FOUND: AtomicBool = AtomicBool::new(false);

/// A throwing operator that is jumped to. Before it is found: [`find_and_throw`].
#[repr(transparent)]
pub(super) struct Throwing(UnsafeCell<usize>);

// SAFETY: a word that is only accessed as a whole, by the atomic below and by a jump.
unsafe impl Sync for Throwing {}

impl Throwing {
    const fn unknown() -> Throwing {
        Throwing(UnsafeCell::new(0))
    }

    fn set(&self, address: usize) {
        // SAFETY: an aligned word that lives for ever.
        unsafe { AtomicUsize::from_ptr(self.0.get()) }.store(address, Ordering::Relaxed);
    }
}

pub(super) static NEW: Throwing = Throwing::unknown();
pub(super) static NEW_ARRAY: Throwing = Throwing::unknown();
pub(super) static NEW_ALIGNED: Throwing = Throwing::unknown();
pub(super) static NEW_ARRAY_ALIGNED: Throwing = Throwing::unknown();

/// Looks all of them up, unless that was done: in the objects after this one, and where they have
/// none, in a C++ runtime that was loaded for a plugin alone.
#[inline]
pub(super) fn find_once() {
    if !IS_FOUND.load(Ordering::Acquire) {
        find();
    }
}

#[cold]
#[inline(never)]
fn find() {
    let _quiet = Guard::enter_quietly();
    let runtime = runtime();
    for (place, name) in FOUND.iter().zip(NAMES) {
        place.store(symbol(runtime, name), Ordering::Relaxed);
    }
    let throwing = [
        (&NEW, c"_Znwm"),
        (&NEW_ARRAY, c"_Znam"),
        (&NEW_ALIGNED, c"_ZnwmSt11align_val_t"),
        (&NEW_ARRAY_ALIGNED, c"_ZnamSt11align_val_t"),
    ];
    for (place, name) in throwing {
        let found = symbol(runtime, name);
        place.set(if found == 0 { out_of_memory as *const () as usize } else { found });
    }
    IS_FOUND.store(true, Ordering::Release);
}

/// Where operators are looked for.
fn runtime() -> *mut c_void {
    if symbol(libc::RTLD_NEXT, c"_Znwm") != 0 {
        return libc::RTLD_NEXT;
    }
    for name in [c"libstdc++.so.6", c"libc++.so.1"] {
        // SAFETY: the name is a C string; what is not loaded is not loaded now.
        let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_LAZY | libc::RTLD_NOLOAD) };
        if !handle.is_null() {
            return handle;
        }
    }
    libc::RTLD_NEXT
}

fn symbol(handle: *mut c_void, name: &CStr) -> usize {
    // SAFETY: the name is a C string; the handle is the loader's.
    unsafe { libc::dlsym(handle, name.as_ptr()) as usize }
}

/// There is neither memory nor a runtime that could throw.
extern "C" fn out_of_memory() -> ! {
    // SAFETY: abort(3) takes nothing and does not return.
    unsafe { libc::abort() }
}

/// Calls `new`; null: there is no memory. Without a runtime it is malloc.
pub(super) fn new(operator: Operator, size: usize, alignment: usize) -> *mut c_void {
    type Plain = unsafe extern "C" fn(usize, *const c_void) -> *mut c_void;
    type Aligned = unsafe extern "C" fn(usize, usize, *const c_void) -> *mut c_void;
    // `std::nothrow_t` is empty: its reference is never followed.
    let mark: *const c_void = (&raw const IS_FOUND).cast();
    let address = FOUND[operator as usize].load(Ordering::Relaxed);
    if alignment == 0 {
        // SAFETY: it is zero, which is `None`, or the operator of this type.
        return match unsafe { transmute::<usize, Option<Plain>>(address) } {
            // SAFETY: it takes any size.
            Some(new) => unsafe { new(size, mark) },
            None => crate::next::malloc().map_or(core::ptr::null_mut(), |malloc| {
                // SAFETY: malloc(3) takes any size; operator new never returns one address twice.
                unsafe { malloc(size.max(1)) }
            }),
        };
    }
    // SAFETY: as above.
    match unsafe { transmute::<usize, Option<Aligned>>(address) } {
        // SAFETY: it takes any size, and the caller's alignment.
        Some(new) => unsafe { new(size, alignment, mark) },
        None => crate::next::memalign().map_or(core::ptr::null_mut(), |memalign| {
            // SAFETY: memalign(3) takes any numbers.
            unsafe { memalign(alignment, size.max(1)) }
        }),
    }
}

/// Calls `delete` with its further arguments. Without a runtime it is free.
pub(super) fn delete(operator: Operator, old: *mut c_void, further: &[usize]) {
    type Delete = unsafe extern "C" fn(*mut c_void, usize, usize);
    let address = FOUND[operator as usize].load(Ordering::Relaxed);
    // SAFETY: it is zero, which is `None`, or an operator that takes the pointer and at most two
    // further integers or references in registers; those that it does not take are ignored.
    match unsafe { transmute::<usize, Option<Delete>>(address) } {
        Some(delete) => {
            let argument = |at: usize| further.get(at).copied().unwrap_or(0);
            // SAFETY: the caller's promise is that of the operator.
            unsafe { delete(old, argument(0), argument(1)) };
        }
        None => {
            if let Some(free) = crate::next::free() {
                // SAFETY: what malloc gave out, free takes.
                unsafe { free(old) };
            }
        }
    }
}
