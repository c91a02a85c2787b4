//! dlclose(3): other code may come to the same addresses.

use core::ffi::{c_int, c_void};
use core::mem::transmute;
use core::sync::atomic::{AtomicUsize, Ordering};

use crate::stack;

type Dlclose = unsafe extern "C" fn(*mut c_void) -> c_int;

static NEXT: AtomicUsize = AtomicUsize::new(0);

/// See its manual page.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dlclose(handle: *mut c_void) -> c_int {
    let mut next = NEXT.load(Ordering::Relaxed);
    if next == 0 {
        // SAFETY: the name is a C string.
        next = unsafe { libc::dlsym(libc::RTLD_NEXT, c"dlclose".as_ptr()) } as usize;
        NEXT.store(next, Ordering::Relaxed);
    }
    // SAFETY: it is zero, which is `None`, or the function of this type.
    let Some(dlclose) = (unsafe { transmute::<usize, Option<Dlclose>>(next) }) else { return -1 };
    // SAFETY: the caller's promise is that of dlclose(3).
    let status = unsafe { dlclose(handle) };
    stack::forget_code();
    status
}
