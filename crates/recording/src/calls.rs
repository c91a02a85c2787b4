//! Chunks of the allocation calls of one thread.
//!
//! Both sides keep the same [`Recent`] blocks of the chunk, so that most addresses need no bytes
//! when they are given out, and one byte when they are given back.
//!
//! | column | contents |
//! |---|---|
//! | shapes | the thread; then each [`Shape`] when it is first used |
//! | operations | the number of the shape, times two, plus one if the size follows |
//! | gaps | the time since the previous call ended |
//! | latencies | of calls that are timed |
//! | sizes | where it is not the previous size of this shape |
//! | ages | of a block given back: the number of blocks given out after it |
//! | addresses | given out and not foreseen |
//! | released | given back and not recent |

mod decoder;
mod encoder;
mod recent;

pub(crate) use decoder::CallsDecoder;
pub use encoder::CallsEncoder;
use recent::Recent;

/// The number of columns.
const COLUMNS: usize = 8;

/// What calls of one kind from one place have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape(u64);

impl Shape {
    /// No call has it.
    const UNUSED: Shape = Shape(u64::MAX);

    /// Of a stack, a function, an alignment, and how the rest is written.
    #[inline]
    fn new(stack: u32, function: u8, alignment_log2: u8, form: u8) -> Shape {
        let low = u64::from(function) << 16 | u64::from(alignment_log2) << 8 | u64::from(form);
        Shape(u64::from(stack) << 32 | low)
    }

    fn stack(self) -> u32 {
        (self.0 >> 32) as u32
    }

    fn function(self) -> u8 {
        (self.0 >> 16 & 0xff) as u8
    }

    fn alignment_log2(self) -> u8 {
        (self.0 >> 8 & 0xff) as u8
    }

    fn form(self) -> u8 {
        (self.0 & 0xff) as u8
    }
}

/// How a call is written: bits of [`Shape::form`].
mod form {
    /// Two bits: the address given out.
    pub(super) const ADDRESS: u8 = 3;
    /// It is the foreseen one.
    pub(super) const FORESEEN: u8 = 1;
    /// It is in its column.
    pub(super) const ADDRESS_WRITTEN: u8 = 2;
    /// It is the address given back.
    pub(super) const IN_PLACE: u8 = 3;
    /// Two bits: the address given back.
    pub(super) const RELEASED: u8 = 3 << 2;
    /// Its age is in its column.
    pub(super) const RECENT: u8 = 1 << 2;
    /// It is in its column.
    pub(super) const RELEASED_WRITTEN: u8 = 2 << 2;
    /// The latency is in its column.
    pub(super) const TIMED: u8 = 1 << 4;
}

/// The difference of two addresses as a small number: in steps of 16 bytes, zigzag, with the rest
/// at the top. Addresses are multiples of 16 as a rule.
#[inline]
const fn distance(from: u64, to: u64) -> u64 {
    let difference = to.wrapping_sub(from);
    let steps = (difference.cast_signed() >> 4).cast_unsigned();
    crate::bytes::zigzag(steps) | difference << 60
}

/// The address at a [`distance`].
#[inline]
const fn at_distance(from: u64, distance: u64) -> u64 {
    let steps = crate::bytes::unzigzag(distance & (u64::MAX >> 4));
    from.wrapping_add(steps << 4 | distance >> 60)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn distances_lead_back(from: u64, to: u64, steps in 0..64_u64) {
            prop_assert_eq!(at_distance(from, distance(from, to)), to);
            let (below, above) = (from.wrapping_sub(16 * steps), from.wrapping_add(16 * steps));
            prop_assert!(distance(from, below) < 128 && distance(from, above) < 128);
        }
    }
}
