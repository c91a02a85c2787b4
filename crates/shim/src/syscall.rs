//! System calls without the C library's functions. Another library may have its own in their place,
//! as sanitizers do, and before that has started it has nothing to pass a call on to. They leave
//! errno alone, and a thread that is to be cancelled goes on.

use core::arch::asm;
use core::ffi::{c_int, c_long, c_void};
use core::ptr;

/// Makes a call. `Err`: the error's number.
///
/// # Safety
/// That of the call with these arguments.
pub(crate) unsafe fn call<const N: usize>(
    number: c_long,
    arguments: [usize; N],
) -> Result<usize, c_int> {
    const { assert!(N <= 6, "no call has more") };
    let mut all = [0; 6];
    for (place, argument) in all.iter_mut().zip(arguments) {
        *place = argument;
    }
    let [first, second, third, fourth, fifth, sixth] = all;
    let result: isize;
    // SAFETY: the registers are those of the kernel (syscall(2)), which changes no others, and the
    // stack neither; the caller answers for the call.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") first,
            in("rsi") second,
            in("rdx") third,
            in("r10") fourth,
            in("r8") fifth,
            in("r9") sixth,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    // Addresses that are given out are never so large.
    if (-4095..0).contains(&result) { Err(-result as c_int) } else { Ok(result as usize) }
}

/// Makes a call, again as long as signals interrupt it.
///
/// # Safety
/// That of the call with these arguments.
pub(crate) unsafe fn call_again<const N: usize>(
    number: c_long,
    arguments: [usize; N],
) -> Result<usize, c_int> {
    loop {
        // SAFETY: the caller answers for it.
        let done = unsafe { call(number, arguments) };
        if done != Err(libc::EINTR) {
            return done;
        }
    }
}

/// Makes a call as the C library does: what fails is -1, and errno says why.
///
/// # Safety
/// That of the call with these arguments.
pub(crate) unsafe fn call_as_in_c<const N: usize>(number: c_long, arguments: [usize; N]) -> isize {
    // SAFETY: the caller answers for it.
    match unsafe { call(number, arguments) } {
        Ok(result) => result as isize,
        Err(error) => {
            // SAFETY: the C library's errno of this thread.
            unsafe { *libc::__errno_location() = error };
            -1
        }
    }
}

/// A new mapping that can be read and written, at an address of the kernel's choice: of a file from
/// its start, or of none (`None`).
pub(crate) fn map(bytes: usize, flags: c_int, file: Option<usize>) -> Option<*mut c_void> {
    let protection = (libc::PROT_READ | libc::PROT_WRITE) as usize;
    let file = file.unwrap_or(usize::MAX);
    // SAFETY: a new mapping replaces nothing.
    let start = unsafe { call(libc::SYS_mmap, [0, bytes, protection, flags as usize, file, 0]) };
    start.ok().map(ptr::with_exposed_provenance_mut)
}

/// The id of this process.
pub(crate) fn process_id() -> u32 {
    // SAFETY: getpid(2) takes nothing.
    unsafe { call(libc::SYS_getpid, []) }.unwrap_or(0) as u32
}

/// The id of this thread.
pub(crate) fn thread_id() -> u32 {
    // SAFETY: gettid(2) takes nothing.
    unsafe { call(libc::SYS_gettid, []) }.unwrap_or(0) as u32
}
