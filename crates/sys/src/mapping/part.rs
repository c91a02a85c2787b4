//! A mapping in parts, for threads that share it.
//!
//! Safety story: parts of a mapping do not overlap, each is written through its one owner, and all
//! of them keep the mapping alive.
#![allow(unsafe_code)]

use std::ffi::c_void;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;

use super::OwnMapping;
use crate::memory::{Initialised, Memory};

impl OwnMapping {
    /// Splits the mapping into parts: `part_len` bytes at the start of every `step` bytes; the last
    /// part may be smaller. The mapping is unmapped when the last part is dropped.
    ///
    /// # Panics
    /// If `step` is 0, or less than `part_len`.
    #[must_use]
    pub fn split(self, step: usize, part_len: usize) -> Vec<MappingPart> {
        assert!(part_len <= step, "parts would overlap");
        let whole = Arc::new(self);
        let starts = (0..whole.len).step_by(step);
        starts
            .map(|start| MappingPart {
                range: start..(start + part_len).min(whole.len),
                whole: whole.clone(),
            })
            .collect()
    }
}

/// A part of a mapping that no other part overlaps. See [`OwnMapping::split`].
#[derive(Debug)]
pub struct MappingPart {
    whole: Arc<OwnMapping>,
    range: Range<usize>,
}

// SAFETY: the range is mapped and writable while the whole mapping lives, and no other part
// overlaps it.
unsafe impl Memory for MappingPart {
    #[inline]
    fn start(&self) -> NonNull<c_void> {
        // SAFETY: the range is inside the mapping.
        unsafe { self.whole.start.byte_add(self.range.start) }
    }

    #[inline]
    fn len(&self) -> usize {
        self.range.len()
    }
}

// SAFETY: the whole mapping is initialised.
unsafe impl Initialised for MappingPart {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::Policy;

    #[test]
    fn parts_are_disjoint_and_outlive_each_other() {
        let mut parts =
            OwnMapping::new(10 * 4096, Policy::Plain).unwrap().split(4 * 4096, 4 * 4096);
        assert_eq!(
            parts.iter().map(MappingPart::len).collect::<Vec<_>>(),
            [4 * 4096, 4 * 4096, 2 * 4096]
        );
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
