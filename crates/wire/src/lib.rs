//! The memory that a recorded program shares with its recorder, word by word, and the two messages
//! by which it gets that memory. The probe inside the program (`shim`) and the recorder (`collect`)
//! know each other by nothing else. docs/recorder.md explains the protocol.
//!
//! ```text
//!   word 0          HEADER_WORDS        NODES_END                          the end
//!   | header        | nodes of stacks   | unit | unit | ...               |
//!     flags, counts   (caller, address)   8 words of its own, then records
//! ```
//! A word is a `u64` that is only read and written atomically. The shim appends records to units
//! that its threads own; the recorder reads them behind it and frees them.
#![no_std]

pub mod function;
pub mod header;
pub mod hello;
pub mod node;
pub mod record;
pub mod sampling;
pub mod unit;

pub use hello::{Geometry, Hello};
pub use record::CallRecord;

/// The environment variable that names the recorder's socket (an abstract address, unix(7)).
pub const VARIABLE: &str = "FIRSTTOUCH_RECORDER";

/// The version of this layout: the shim and the recorder are built together, so another one is
/// another build.
pub const VERSION: u64 = 1;

/// The low half of a word.
#[must_use]
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the half that is asked for")]
pub fn low(word: u64) -> u32 {
    word as u32
}

/// The high half of a word.
#[must_use]
#[inline]
pub fn high(word: u64) -> u32 {
    low(word >> 32)
}
