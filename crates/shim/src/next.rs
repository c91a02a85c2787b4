//! The allocator and the C library below: what the program would have called without us.

use core::ffi::{CStr, c_int, c_void};
use core::mem::transmute;
use core::sync::atomic::{AtomicUsize, Ordering};

/// The functions, in the order of [`NAMES`].
#[derive(Clone, Copy)]
pub(crate) enum Function {
    Malloc,
    Free,
    Calloc,
    Realloc,
    Reallocarray,
    PosixMemalign,
    AlignedAlloc,
    Memalign,
    Valloc,
    Pvalloc,
    FreeSized,
    FreeAlignedSized,
    Mmap,
    Mremap,
    Munmap,
}

const NAMES: [&CStr; 15] = [
    c"malloc",
    c"free",
    c"calloc",
    c"realloc",
    c"reallocarray",
    c"posix_memalign",
    c"aligned_alloc",
    c"memalign",
    c"valloc",
    c"pvalloc",
    c"free_sized",
    c"free_aligned_sized",
    c"mmap",
    c"mremap",
    c"munmap",
];

static FOUND: [AtomicUsize; NAMES.len()] = [const { AtomicUsize::new(0) }; NAMES.len()];

/// Looks all of them up. It may allocate. A name that nobody has leaves a message for dlerror(3)
/// until the program's next call of the loader: asking for it would take the lock of setlocale(3),
/// inside which this may be.
pub(crate) fn find() {
    for (place, name) in FOUND.iter().zip(NAMES) {
        // SAFETY: the name is a C string; RTLD_NEXT is resolved by this object's place.
        let address = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
        place.store(address as usize, Ordering::Relaxed);
    }
}

#[inline]
fn found(function: Function) -> usize {
    FOUND[function as usize].load(Ordering::Relaxed)
}

/// A function of the type that its name has in C; `None` as long as it is not known.
macro_rules! function {
    ($name:ident, $function:ident, ($($argument:ty),*) -> $result:ty) => {
        #[inline]
        pub(crate) fn $name() -> Option<unsafe extern "C" fn($($argument),*) -> $result> {
            let address = found(Function::$function);
            // SAFETY: it is zero, which is `None`, or the function of this name, whose type is that
            // of its manual page.
            unsafe {
                transmute::<usize, Option<unsafe extern "C" fn($($argument),*) -> $result>>(address)
            }
        }
    };
}

function!(malloc, Malloc, (usize) -> *mut c_void);
function!(free, Free, (*mut c_void) -> ());
function!(calloc, Calloc, (usize, usize) -> *mut c_void);
function!(realloc, Realloc, (*mut c_void, usize) -> *mut c_void);
function!(reallocarray, Reallocarray, (*mut c_void, usize, usize) -> *mut c_void);
function!(posix_memalign, PosixMemalign, (*mut *mut c_void, usize, usize) -> c_int);
function!(aligned_alloc, AlignedAlloc, (usize, usize) -> *mut c_void);
function!(memalign, Memalign, (usize, usize) -> *mut c_void);
function!(valloc, Valloc, (usize) -> *mut c_void);
function!(pvalloc, Pvalloc, (usize) -> *mut c_void);
function!(free_sized, FreeSized, (*mut c_void, usize) -> ());
function!(free_aligned_sized, FreeAlignedSized, (*mut c_void, usize, usize) -> ());
function!(mmap, Mmap, (*mut c_void, usize, c_int, c_int, c_int, i64) -> *mut c_void);
function!(mremap, Mremap, (*mut c_void, usize, usize, c_int, *mut c_void) -> *mut c_void);
function!(munmap, Munmap, (*mut c_void, usize) -> c_int);
