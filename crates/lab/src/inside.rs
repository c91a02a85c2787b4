//! The inside of the measured process.

pub mod access_pattern;
pub(crate) mod block;
pub(crate) mod file_block;
pub mod file_source;
pub mod floors;
pub(crate) mod fork;
pub mod measured_floors;
pub mod measurement;
pub(crate) mod observer;
pub mod process;
pub mod protocol;
pub mod random;
pub mod small;
pub mod source;
pub mod stopwatch;
pub(crate) mod threads;
pub(crate) mod touching;
