//! A stream in which only some allocation calls have their stack.

use core::num::NonZeroU64;

/// The stack of a call was taken if one of the samples lies on the bytes that it asks for: they lie
/// at random on the bytes that a thread asks for, at exponential distances. A call of `s` bytes, at
/// least 1, is chosen with the chance 1 - exp(-s / `mean_bytes`), independently of all others.
/// Those that are not chosen have [`crate::StackId::NOT_TAKEN`]; a chosen one may have an unknown
/// stack. Calls that only give back are never chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StackSampling {
    /// The mean distance of samples, in bytes.
    pub mean_bytes: NonZeroU64,
}
