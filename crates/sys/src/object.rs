//! Small objects of the C heap, by the million: malloc(3), free(3), and a tag in each that detects
//! writes by others.
//!
//! Safety story: an [`Object`] owns a block from malloc of at least [`Object::BYTES_MIN`] bytes,
//! which is freed once. Only its first and last four bytes are read and written.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::hint::black_box;
use std::ptr::NonNull;

use crate::Errno;

/// An object of the C heap that carries a tag at both ends. Freed by the thread that drops it.
///
/// It is two words, so that tables of many objects stay small beside the objects themselves.
#[derive(Debug)]
pub struct Object {
    start: NonNull<c_void>,
    size_bytes: u32,
    tag: u32,
}

// SAFETY: malloc(3) and free(3) are thread-safe, an object may be freed by another thread than the
// one that obtained it, and nothing else names its memory.
unsafe impl Send for Object {}

impl Object {
    /// The smallest object: it has room for the tag at both ends.
    pub const BYTES_MIN: u32 = 8;

    /// `malloc(size_bytes)`, at least [`Self::BYTES_MIN`], with `tag` written to its first and its
    /// last four bytes.
    ///
    /// # Errors
    /// The errno of malloc(3): ENOMEM.
    #[inline]
    pub fn new(size_bytes: u32, tag: u32) -> Result<Self, Errno> {
        let size_bytes = size_bytes.max(Self::BYTES_MIN);
        // SAFETY: malloc takes any size. black_box hides the size, and the pointer, from an
        // optimiser that knows malloc and free and would drop a pair of them.
        let start = black_box(unsafe { libc::malloc(black_box(size_bytes as usize)) });
        let object =
            Object { start: NonNull::new(start).ok_or_else(Errno::last)?, size_bytes, tag };
        for end in object.ends() {
            // SAFETY: both ends are inside the object. Volatile, so that the write is not dropped
            // although the object is freed soon.
            unsafe { end.write_volatile(tag.to_ne_bytes()) };
        }
        Ok(object)
    }

    /// Whether the tag is still at both ends. It is not if the allocator gave the same bytes to
    /// another object, which wrote to them.
    #[must_use]
    #[inline]
    pub fn is_intact(&self) -> bool {
        // SAFETY: both ends are inside the object and were written when it was made.
        self.ends().map(|end| unsafe { end.read_volatile() }) == [self.tag.to_ne_bytes(); 2]
    }

    /// Its size.
    #[must_use]
    #[inline]
    pub fn size_bytes(&self) -> u32 {
        self.size_bytes
    }

    /// The address of the first byte.
    #[must_use]
    pub fn address(&self) -> usize {
        self.start.as_ptr().addr()
    }

    /// The first and the last four bytes. Arrays of bytes, since the last four may be unaligned.
    #[inline]
    fn ends(&self) -> [*mut [u8; 4]; 2] {
        let first = self.start.cast::<[u8; 4]>().as_ptr();
        // SAFETY: an object has at least eight bytes, so both ends are inside it.
        let last = unsafe { first.byte_add(self.size_bytes as usize - 4) };
        [first, last]
    }
}

impl Drop for Object {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the pointer came from malloc and is freed only here.
        unsafe { libc::free(black_box(self.start.as_ptr())) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_lie_apart_and_keep_their_tags() {
        let objects: Vec<Object> =
            (0..1000).map(|tag| Object::new(tag % 100, tag).unwrap()).collect();
        assert!(objects.iter().all(Object::is_intact));
        let mut ranges: Vec<(usize, usize)> = objects
            .iter()
            .map(|object| (object.address(), object.address() + object.size_bytes() as usize))
            .collect();
        ranges.sort_unstable();
        assert!(ranges.windows(2).all(|pair| pair[0].1 <= pair[1].0), "no two of them overlap");
        assert_eq!(objects[3].size_bytes(), Object::BYTES_MIN);
    }

    #[test]
    fn a_write_to_either_end_is_detected() {
        for (offset, intact) in
            [(0, false), (3, false), (4, true), (15, true), (16, false), (19, false)]
        {
            let object = Object::new(20, 0x0102_0304).unwrap();
            // SAFETY: the offset is inside the object.
            let byte = unsafe { object.start.cast::<u8>().add(offset) };
            // SAFETY: the byte is ours.
            unsafe { byte.write_volatile(0xff) };
            assert_eq!(object.is_intact(), intact, "byte {offset}");
        }
    }

    #[test]
    fn another_thread_may_free() {
        let object = Object::new(64, 7).unwrap();
        assert!(std::thread::spawn(move || object.is_intact()).join().unwrap());
    }
}
