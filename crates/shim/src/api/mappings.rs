//! The functions that map memory and unmap it, as the program itself calls them: mmap(2), mremap(2)
//! and munmap(2). Each is recorded with its time and its stack.

use core::ffi::{c_int, c_void};
use core::ptr;

use super::{Caller, Request, number, released_at, takes_place};
use crate::thread::Guard;
use crate::{next, stack, start, syscall};

/// A function with so many arguments that the caller's registers go to the stack.
macro_rules! takes_place_of_six {
    ($name:ident($($argument:ident: $type:ty),*), $entry:path) => {
        /// See its manual page.
        #[unsafe(no_mangle)]
        #[unsafe(naked)]
        pub extern "C" fn $name($($argument: $type),*) -> *mut c_void {
            core::arch::naked_asm!(
                ".cfi_startproc",
                "mov rax, rsp",
                "sub rsp, 8",
                ".cfi_adjust_cfa_offset 8",
                "push rbp",
                ".cfi_adjust_cfa_offset 8",
                "push rax",
                ".cfi_adjust_cfa_offset 8",
                "call {entry}",
                "add rsp, 24",
                ".cfi_adjust_cfa_offset -24",
                "ret",
                ".cfi_endproc",
                entry = sym $entry,
            )
        }
    };
}

takes_place_of_six!(mmap(address: *mut c_void, bytes: usize, protection: c_int, flags: c_int,
    file: c_int, offset: i64), mmap_entry);
takes_place_of_six!(mmap64(address: *mut c_void, bytes: usize, protection: c_int, flags: c_int,
    file: c_int, offset: i64), mmap_entry);
takes_place_of_six!(mremap(old: *mut c_void, old_bytes: usize, bytes: usize, flags: c_int,
    address: *mut c_void), mremap_entry);
takes_place!(munmap(old: *mut c_void, bytes: usize) -> c_int, "rdx", "rcx", munmap_entry);

unsafe extern "C" fn mmap_entry(
    address: *mut c_void,
    bytes: usize,
    protection: c_int,
    flags: c_int,
    file: c_int,
    offset: i64,
    sp: usize,
    fp: usize,
) -> *mut c_void {
    let call = || match next::mmap() {
        // SAFETY: the caller's promise is that of mmap(2).
        Some(mmap) => unsafe { mmap(address, bytes, protection, flags, file, offset) },
        // SAFETY: as above.
        None => unsafe {
            let (protection, flags, file) = (protection as usize, flags as usize, file as usize);
            let all = [address as usize, bytes, protection, flags, file, offset as usize];
            syscall::call_as_in_c(libc::SYS_mmap, all) as *mut c_void
        },
    };
    let of = |address: &*mut c_void| (ptr::null_mut(), given(*address));
    observe(Caller { sp, fp }, Request::of(number::MMAP, bytes), call, of)
}

unsafe extern "C" fn mremap_entry(
    old: *mut c_void,
    old_bytes: usize,
    bytes: usize,
    flags: c_int,
    address: *mut c_void,
    _: usize,
    sp: usize,
    fp: usize,
) -> *mut c_void {
    let call = || match next::mremap() {
        // SAFETY: the caller's promise is that of mremap(2).
        Some(mremap) => unsafe { mremap(old, old_bytes, bytes, flags, address) },
        // SAFETY: as above.
        None => unsafe {
            let all = [old as usize, old_bytes, bytes, flags as usize, address as usize];
            syscall::call_as_in_c(libc::SYS_mremap, all) as *mut c_void
        },
    };
    let of = |new: &*mut c_void| {
        let new = given(*new);
        // Of an old size of zero it makes a second mapping of the same pages.
        let keeps_old = new.is_null() || old_bytes == 0;
        (if keeps_old { ptr::null_mut() } else { old }, new)
    };
    observe(Caller { sp, fp }, Request::of(number::MREMAP, bytes), call, of)
}

unsafe extern "C" fn munmap_entry(old: *mut c_void, bytes: usize, sp: usize, fp: usize) -> c_int {
    let call = || match next::munmap() {
        // SAFETY: the caller's promise is that of munmap(2).
        Some(munmap) => unsafe { munmap(old, bytes) },
        // SAFETY: as above.
        None => unsafe { syscall::call_as_in_c(libc::SYS_munmap, [old as usize, bytes]) as c_int },
    };
    // The address of what only gives back is that of what it gives back.
    let of = |status: &c_int| (ptr::null_mut(), if *status == 0 { old } else { ptr::null_mut() });
    observe(Caller { sp, fp }, Request::of(number::MUNMAP, bytes), call, of)
}

/// Makes a call and records it. `of`: the addresses that it gave back and that it gave out.
fn observe<R>(
    caller: Caller,
    request: Request,
    call: impl FnOnce() -> R,
    of: impl FnOnce(&R) -> (*mut c_void, *mut c_void),
) -> R {
    let Some((mut guard, region)) = Guard::enter_mapping(caller) else { return call() };
    let begin = start::ticks();
    let result = call();
    let end = start::ticks();
    let (released, address) = of(&result);
    let node = stack::node_of_mapping(&mut guard, region, caller);
    let mapped = request.record(begin, end, node, address);
    if released.is_null() {
        guard.write(region, [mapped]);
    } else {
        guard.write(region, [released_at(begin, released), mapped]);
    }
    result
}

/// What a call returned; null if it failed.
fn given(address: *mut c_void) -> *mut c_void {
    if address == libc::MAP_FAILED { ptr::null_mut() } else { address }
}
