//! A trace as lines, bursts and a table, made from attributed events.

mod bursts;
pub mod decode;
mod durations;
mod lifetimes;
mod line_builder;
mod registers;
mod tally;

pub use bursts::{FaultBursts, FaultLines};
pub use line_builder::LineBuilder;
pub use tally::Tally;
