//! A mapping in parts, for threads that share it.
//!
//! Safety story: parts of a mapping do not overlap, each is written through its one owner, and all of them keep the
//! mapping alive.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;

use super::{Mapping, fill};

impl Mapping {
    /// Parts of `part_len` bytes each, the last perhaps smaller. The range is unmapped when the last of them is gone.
    ///
    /// # Panics
    /// If `part_len` is 0.
    #[must_use]
    pub fn split(self, part_len: usize) -> Vec<Part> {
        let whole = Arc::new(self);
        let starts = (0..whole.len).step_by(part_len);
        starts.map(|start| Part { range: start..(start + part_len).min(whole.len), whole: whole.clone() }).collect()
    }
}

/// A part of a mapping that no other part overlaps. See [`Mapping::split`].
#[derive(Debug)]
pub struct Part {
    whole: Arc<Mapping>,
    range: Range<usize>,
}

impl Part {
    /// Writes `value` to every byte.
    #[inline]
    pub fn fill(&mut self, value: u8) {
        // SAFETY: the range is mapped and writable while the whole lives, and no other part has any of it.
        unsafe { fill(self.start(), self.len(), value) };
    }

    /// Writes `value` at `offset`.
    ///
    /// # Panics
    /// If it is not inside the part.
    #[inline]
    pub fn write_byte(&mut self, offset: usize, value: u8) {
        assert!(offset < self.len(), "an offset inside the part");
        // SAFETY: the offset is inside the part.
        let byte = unsafe { self.start().cast::<u8>().add(offset) };
        // SAFETY: as in `fill`.
        unsafe { byte.write_volatile(value) };
    }

    /// Reads the byte at `offset`.
    ///
    /// # Panics
    /// If it is not inside the part.
    #[inline]
    #[must_use]
    pub fn read_byte(&self, offset: usize) -> u8 {
        assert!(offset < self.len(), "an offset inside the part");
        self.whole.read_byte(self.range.start + offset)
    }

    /// Its size in bytes.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "no part is empty")]
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// The address of the first byte.
    #[must_use]
    pub fn address(&self) -> usize {
        self.whole.address() + self.range.start
    }

    fn start(&self) -> NonNull<c_void> {
        // SAFETY: the range is inside the mapping.
        unsafe { self.whole.start.byte_add(self.range.start) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::Policy;

    #[test]
    fn parts_are_disjoint_and_outlive_each_other() {
        let mut parts = Mapping::new(10 * 4096, Policy::Plain).unwrap().split(4 * 4096);
        assert_eq!(parts.iter().map(Part::len).collect::<Vec<_>>(), [4 * 4096, 4 * 4096, 2 * 4096]);
        for (value, part) in (1..).zip(&mut parts) {
            part.fill(value);
            part.write_byte(0, 9);
        }
        assert_eq!(parts[1].address() - parts[0].address(), 4 * 4096);
        let last = parts.pop().unwrap();
        drop(parts);
        assert_eq!([0, 1, 2 * 4096 - 1].map(|offset| last.read_byte(offset)), [9, 3, 3]);
    }
}
