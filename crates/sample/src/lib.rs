//! The measured process: one process, one batch of memory, its timed phases; and the protocol with
//! its parent.
//!
//! [`child_main`] parses a [`protocol::Task`], and [`process`] does it: it obtains blocks of a
//! [`Source`], touches them, does what is to happen between the touches, touches again and
//! releases. Measurements go back as plain data ([`measurement`], [`measured_floors`]). This crate
//! knows nothing of experiments, designs and results.

mod block;
mod file_block;
mod floors;
mod fork;
mod observer;
mod obtain;
mod page_order;
mod phases;
mod threads;
mod touching;
mod unfit;

pub mod access_pattern;
pub mod file_source;
pub mod measured_floors;
pub mod measurement;
pub mod process;
pub mod protocol;
pub mod random;
pub mod small;
pub mod source;
pub mod stopwatch;

pub use process::child_main;
pub use protocol::CHILD_VERB;
pub use source::Source;
