//! Writes to memory by particular instructions, and flushes of its cache lines. Only on x86-64;
//! elsewhere they fail with ENOSYS, since a fill by other instructions would be a different floor.
//!
//! Safety story: as in [`super`]: a mapping owns its range, and all writes are inside it.
#![allow(unsafe_code)]

use std::ops::Range;

use super::OwnMapping;
use crate::Errno;

impl OwnMapping {
    /// Writes `value` to every byte of `range` by one `rep stosb`, independently of the C library's
    /// memset.
    ///
    /// # Errors
    /// ENOSYS on processors other than x86-64.
    ///
    /// # Panics
    /// If the range is not inside the mapping.
    #[inline]
    pub fn store_string(&mut self, range: Range<usize>, value: u8) -> Result<(), Errno> {
        assert!(range.start <= range.end && range.end <= self.len, "range outside the mapping");
        // SAFETY: the start is inside the mapping, or at its end where nothing is written.
        let start = unsafe { self.start.cast::<u8>().add(range.start) };
        // SAFETY: the range is inside the mapping, writable, and ours while `self` lives.
        unsafe { instructions::store_string(start.as_ptr(), range.end - range.start, value) }
    }

    /// Writes `value` to every byte by stores that bypass the caches (`movntdq`), and waits until
    /// they are complete.
    ///
    /// # Errors
    /// ENOSYS on processors other than x86-64.
    #[inline]
    pub fn store_past_caches(&mut self, value: u8) -> Result<(), Errno> {
        // SAFETY: the range is mapped, writable, and ours while `self` lives. It begins at a page.
        unsafe {
            instructions::store_past_caches(self.start.cast::<u8>().as_ptr(), self.len, value)
        }
    }

    /// Flushes every line of the first `len` bytes from all caches (`clflush`).
    ///
    /// # Errors
    /// ENOSYS on processors other than x86-64.
    ///
    /// # Panics
    /// If the mapping is shorter than `len`.
    pub fn flush_from_caches(&mut self, len: usize) -> Result<(), Errno> {
        assert!(len <= self.len, "length beyond the mapping");
        // SAFETY: the range is mapped and ours.
        unsafe { instructions::flush_from_caches(self.start.cast::<u8>().as_ptr(), len) }
    }
}

#[cfg(target_arch = "x86_64")]
mod instructions {
    use std::arch::asm;
    use std::arch::x86_64::{
        __m128i, _mm_clflush, _mm_mfence, _mm_set1_epi8, _mm_sfence, _mm_stream_si128,
    };

    use crate::Errno;

    /// The cache line size of every x86-64 processor so far. A longer step would skip lines.
    const LINE_BYTES: usize = 64;

    /// # Safety
    /// The range must be valid for writes and not otherwise in use.
    #[inline]
    #[expect(clippy::unnecessary_wraps, reason = "it fails elsewhere")]
    pub(super) unsafe fn store_string(start: *mut u8, len: usize, value: u8) -> Result<(), Errno> {
        // SAFETY: as the caller promises; the direction flag is clear at every function's start
        // (System V ABI, 3.2.1).
        unsafe {
            asm!("rep stosb", inout("rcx") len => _, inout("rdi") start => _, in("al") value,
                 options(nostack, preserves_flags));
        };
        Ok(())
    }

    /// # Safety
    /// The range must be valid for writes, not otherwise in use, and begin at a multiple of 16.
    #[inline]
    #[expect(clippy::unnecessary_wraps, reason = "it fails elsewhere")]
    pub(super) unsafe fn store_past_caches(
        start: *mut u8,
        len: usize,
        value: u8,
    ) -> Result<(), Errno> {
        // SAFETY: SSE2 is part of x86-64.
        let values = unsafe { _mm_set1_epi8(value.cast_signed()) };
        for offset in (0..len / 16 * 16).step_by(16) {
            // SAFETY: the offset is inside the range.
            let at = unsafe { start.add(offset) };
            // SAFETY: 16 bytes from there are inside the range, and aligned like its start.
            #[expect(clippy::cast_ptr_alignment, reason = "the caller promises it")]
            unsafe {
                _mm_stream_si128(at.cast::<__m128i>(), values);
            };
        }
        for offset in len / 16 * 16..len {
            // SAFETY: the offset is inside the range.
            let at = unsafe { start.add(offset) };
            // SAFETY: as the caller promises.
            unsafe { at.write_volatile(value) };
        }
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_sfence() };
        Ok(())
    }

    /// # Safety
    /// The range must be mapped.
    #[expect(clippy::unnecessary_wraps, reason = "it fails elsewhere")]
    pub(super) unsafe fn flush_from_caches(start: *mut u8, len: usize) -> Result<(), Errno> {
        for offset in (0..len).step_by(LINE_BYTES) {
            // SAFETY: the offset is inside the range.
            let at = unsafe { start.add(offset) };
            // SAFETY: the line is mapped.
            unsafe { _mm_clflush(at) };
        }
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_mfence() };
        Ok(())
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod instructions {
    use crate::Errno;

    /// # Safety
    /// None is needed.
    pub(super) unsafe fn store_string(_: *mut u8, _: usize, _: u8) -> Result<(), Errno> {
        Err(Errno(libc::ENOSYS))
    }

    /// # Safety
    /// None is needed.
    pub(super) unsafe fn store_past_caches(_: *mut u8, _: usize, _: u8) -> Result<(), Errno> {
        Err(Errno(libc::ENOSYS))
    }

    /// # Safety
    /// None is needed.
    pub(super) unsafe fn flush_from_caches(_: *mut u8, _: usize) -> Result<(), Errno> {
        Err(Errno(libc::ENOSYS))
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;
    use crate::mapping::Policy;

    /// The bytes of the mapping.
    fn bytes(mapping: &OwnMapping) -> &[u8] {
        // SAFETY: the range is mapped, the kernel initialised it, and nothing writes while it is
        // borrowed.
        unsafe { std::slice::from_raw_parts(mapping.start.cast::<u8>().as_ptr(), mapping.len) }
    }

    #[test]
    fn all_bytes_are_written_and_no_others() {
        let len = 3 * 4096 - 5; // not a multiple of 16
        let mut mapping = OwnMapping::new(len, Policy::Plain).unwrap();
        mapping.store_past_caches(7).unwrap();
        assert!(bytes(&mapping).iter().all(|&byte| byte == 7));
        mapping.flush_from_caches(len).unwrap();
        mapping.store_string(4096..4099, 3).unwrap();
        mapping.store_string(len..len, 9).unwrap();
        let written = |offset: usize| if (4096..4099).contains(&offset) { 3 } else { 7 };
        assert!(bytes(&mapping).iter().enumerate().all(|(offset, &byte)| byte == written(offset)));
    }

    #[test]
    #[should_panic(expected = "outside the mapping")]
    fn a_range_beyond_the_end_is_refused() {
        let _ = OwnMapping::new(4096, Policy::Plain).unwrap().store_string(4000..4097, 1);
    }
}
