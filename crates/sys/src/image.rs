//! Where this program is loaded in memory, from its program headers: `dl_iterate_phdr(3)`.
//!
//! Safety story: the callback reads only what the C library passes to it, while it runs, and writes
//! to a place that outlives the call.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};

#[cfg(target_pointer_width = "32")]
use libc::Elf32_Phdr as Header;
#[cfg(target_pointer_width = "64")]
use libc::Elf64_Phdr as Header;

/// The program in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadedImage {
    /// Its load address less its linked address: 0 for a program that is not position independent.
    pub bias: usize,
    /// The first address after its last segment, which ends with the bss. Not rounded to a page.
    pub end: usize,
}

/// The image of this process. `None` if the C library reports no program headers.
#[must_use]
pub fn own_image() -> Option<LoadedImage> {
    let mut image: Option<LoadedImage> = None;
    // SAFETY: the callback gets `image`, which outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(first_object), (&raw mut image).cast()) };
    image
}

/// Maps all code of this process and of its libraries that is in the page cache. Otherwise the
/// first call of a function on an unmapped page takes a page fault, which would be timed with it.
/// Does nothing before Linux 5.14 (`MADV_POPULATE_READ`, madvise(2)): code is then mapped when it
/// first runs.
pub fn populate_code() {
    // SAFETY: the callback takes no data.
    unsafe { libc::dl_iterate_phdr(Some(code_of_object), std::ptr::null_mut()) };
}

/// Returns 0, so that the iteration covers every object.
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

/// An object's load address less its linked address, and its program headers.
///
/// # Safety
/// `info` is what the C library passes to a callback, and is valid while the callback runs.
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
    fn statics_are_below_the_end() {
        static mut LAST: [u8; 100_000] = [0; 100_000];
        let image = own_image().unwrap();
        let within = (&raw const LAST).addr();
        assert!(image.bias < within && within + 100_000 <= image.end, "{image:x?} {within:x}");
    }

    /// The second call has nothing left to map.
    #[test]
    fn code_is_mapped_once() {
        populate_code();
        let before = crate::usage::Usage::of_this_thread();
        populate_code();
        let after = crate::usage::Usage::of_this_thread();
        assert!(after.minor_faults - before.minor_faults <= 2, "{before:?} {after:?}");
    }
}
