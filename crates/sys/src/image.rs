//! Where this program itself lies in memory, by its program headers: `dl_iterate_phdr(3)`.
//!
//! Safety story: the callback reads only what the C library hands it while it runs, and writes to a place that outlives
//! the call.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};

/// The program in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Image {
    /// How far it lies from where it was linked: 0 of a program that is not position independent.
    pub bias: usize,
    /// The first address after its last segment, which ends with the bss. Not rounded to a page.
    pub end: usize,
}

/// Of this process. `None` where the C library knows no program headers.
#[must_use]
pub fn own_image() -> Option<Image> {
    let mut image: Option<Image> = None;
    // SAFETY: the callback gets `image`, which outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(first_object), (&raw mut image).cast()) };
    image
}

/// The first object is the program; a result that is not 0 ends the iteration.
unsafe extern "C" fn first_object(info: *mut libc::dl_phdr_info, _size: usize, image: *mut c_void) -> c_int {
    // SAFETY: the C library passes a valid description.
    let info = unsafe { &*info };
    let (headers, count) = (info.dlpi_phdr, usize::from(info.dlpi_phnum));
    if headers.is_null() {
        return 1;
    }
    // SAFETY: it has `dlpi_phnum` headers at `dlpi_phdr`.
    let headers = unsafe { std::slice::from_raw_parts(headers, count) };
    let loaded = headers.iter().filter(|header| header.p_type == libc::PT_LOAD);
    #[expect(clippy::cast_possible_truncation, reason = "addresses of this process")]
    let end = loaded.map(|header| (header.p_vaddr + header.p_memsz) as usize).max();
    #[expect(clippy::cast_possible_truncation, reason = "an address of this process")]
    let bias = info.dlpi_addr as usize;
    // SAFETY: `own_image` passed it.
    let image = unsafe { &mut *image.cast::<Option<Image>>() };
    *image = end.map(|end| Image { bias, end: bias.wrapping_add(end) });
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
}
