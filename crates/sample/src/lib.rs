//! The inside of a measured process: one process, one batch of memory, its timed phases; and what
//! it says to its parent.
//!
//! [`child_main`] reads a [`protocol::Task`], [`process`] does it. It obtains blocks of a
//! [`Source`], touches them, lets something happen between the touches, touches again and releases.
//! What is measured goes back as plain data ([`measurement`], [`measured_floors`]): of experiments,
//! designs and results nothing is known here.

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
