//! Where this program itself lies in memory, by its program headers: `dl_iterate_phdr(3)`.
//!
//! Safety story: the callback reads only what the C library hands it while it runs, and writes to a
//! place that outlives the call.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};

#[cfg(target_pointer_width = "32")]
use libc::Elf32_Phdr as Header;
#[cfg(target_pointer_width = "64")]
use libc::Elf64_Phdr as Header;

/// The program in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadedImage {
    /// How far it lies from where it was linked: 0 of a program that is not position independent.
    pub bias: usize,
    /// The first address after its last segment, which ends with the bss. Not rounded to a page.
    pub end: usize,
}

/// Of this process. `None` where the C library knows no program headers.
#[must_use]
pub fn own_image() -> Option<LoadedImage> {
    let mut image: Option<LoadedImage> = None;
    // SAFETY: the callback gets `image`, which outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(first_object), (&raw mut image).cast()) };
    image
}

/// Maps all code of this process, the program's and that of its libraries, as far as it is in the
/// page cache: else the first run of a function that lies on a page of its own is a page fault, and
/// whoever times it times that too. A kernel before 5.14 cannot (`MADV_POPULATE_READ`, madvise(2)),
/// and then the code comes as it is run.
pub fn bring_in_code() {
    // SAFETY: the callback takes no data.
    unsafe { libc::dl_iterate_phdr(Some(code_of_object), std::ptr::null_mut()) };
}

/// Every object is asked for: the result is 0.
unsafe extern "C" fn code_of_object(
    info: *mut libc::dl_phdr_info,
    _size: usize,
    _: *mut c_void,
) -> c_int {
    // SAFETY: the C library passes a valid description.
    let (bias, headers) = unsafe { headers_of(info) };
    let page = rustix::param::page_size();
    for header in
        headers.iter().filter(|h| h.p_type == libc::PT_LOAD && h.p_flags & libc::PF_X != 0)
    {
        #[expect(clippy::cast_possible_truncation, reason = "addresses of this process")]
        let (start, len) = (bias.wrapping_add(header.p_vaddr as usize), header.p_memsz as usize);
        let first = start / page * page;
        // SAFETY: the range is that of a mapped segment, and reading it in changes nothing.
        unsafe {
            libc::madvise(
                std::ptr::with_exposed_provenance_mut(first),
                start + len - first,
                libc::MADV_POPULATE_READ,
            )
        };
    }
    0
}

/// How far an object lies from where it was linked, and its program headers.
///
/// # Safety
/// `info` is what the C library hands to a callback, and lives as long as that runs.
unsafe fn headers_of<'a>(info: *const libc::dl_phdr_info) -> (usize, &'a [Header]) {
    // SAFETY: as the caller promises.
    let info = unsafe { &*info };
    #[expect(clippy::cast_possible_truncation, reason = "an address of this process")]
    let bias = info.dlpi_addr as usize;
    if info.dlpi_phdr.is_null() {
        return (bias, &[]);
    }
    // SAFETY: it has `dlpi_phnum` headers at `dlpi_phdr`.
    (bias, unsafe { std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) })
}

/// The first object is the program; a result that is not 0 ends the iteration.
unsafe extern "C" fn first_object(
    info: *mut libc::dl_phdr_info,
    _size: usize,
    image: *mut c_void,
) -> c_int {
    // SAFETY: the C library passes a valid description.
    let (bias, headers) = unsafe { headers_of(info) };
    let loaded = headers.iter().filter(|header| header.p_type == libc::PT_LOAD);
    #[expect(clippy::cast_possible_truncation, reason = "addresses of this process")]
    let end = loaded.map(|header| (header.p_vaddr + header.p_memsz) as usize).max();
    // SAFETY: `own_image` passed it.
    let image = unsafe { &mut *image.cast::<Option<LoadedImage>>() };
    *image = end.map(|end| LoadedImage { bias, end: bias.wrapping_add(end) });
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statics_lie_before_the_end() {
        static mut LAST: [u8; 100_000] = [0; 100_000];
        let image = own_image().unwrap();
        let within = (&raw const LAST).addr();
        assert!(image.bias < within && within + 100_000 <= image.end, "{image:x?} {within:x}");
    }

    /// The second call finds nothing left to map.
    #[test]
    fn code_is_brought_in_once() {
        bring_in_code();
        let before = crate::usage::Usage::of_this_thread();
        bring_in_code();
        let after = crate::usage::Usage::of_this_thread();
        assert!(after.minor_faults - before.minor_faults <= 2, "{before:?} {after:?}");
    }
}
