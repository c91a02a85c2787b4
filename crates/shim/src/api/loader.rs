//! dlclose(3): other code may come to the same addresses. dlopen(3): a library may be bound to the
//! allocator below.

use core::ffi::{c_char, c_int, c_void};
use core::mem::transmute;
use core::sync::atomic::{AtomicUsize, Ordering};

use crate::{stack, start};

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

static NEXT_OPEN: AtomicUsize = AtomicUsize::new(0);

/// Looks up the function below.
pub(crate) fn find() {
    // SAFETY: the name is a C string.
    let next = unsafe { libc::dlsym(libc::RTLD_NEXT, c"dlopen".as_ptr()) } as usize;
    NEXT_OPEN.store(next, Ordering::Relaxed);
}

/// See its manual page. It jumps to the loader's, which looks at its caller.
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub extern "C" fn dlopen(path: *const c_char, flags: c_int) -> *mut c_void {
    core::arch::naked_asm!(
        "push rdi",
        "push rsi",
        "sub rsp, 8",
        "mov edi, esi",
        "call {note}",
        "add rsp, 8",
        "pop rsi",
        "pop rdi",
        "jmp rax",
        note = sym note_open,
    )
}

/// Notes a library that will not call us; returns the function to jump to.
extern "C" fn note_open(flags: c_int) -> usize {
    if flags & libc::RTLD_DEEPBIND != 0
        && let Some(region) = start::region()
    {
        region.add(wire::header::DEEP_LIBRARIES, 1);
    }
    if NEXT_OPEN.load(Ordering::Relaxed) == 0 {
        find();
    }
    NEXT_OPEN.load(Ordering::Relaxed)
}
