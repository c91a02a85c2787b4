//! Runs a program, or attaches to one, and gathers what it does to memory: a stream of events in
//! time order.
//!
//! ```text
//!   perf/     kernel --> rings, one a processor --+
//!                                                 +--> drain --> Round --> merge --> pairing --> Batch
//!   ptrace/   tracer --> outbox ------------------+    a thread            raw events  events
//!   snapshot/ mappings of a process that runs ----+                        by time     by their beginnings
//! ```
//! Each source promises that nothing earlier than its watermark will come; one merge puts all of
//! them into order (`events::merge`). How much may wait for the consumer is bounded for all sources
//! together. What is not available is no error as long as something is: [`Notice`] says what is
//! missing and why.

mod access;
mod attach;
mod calls;
mod collection;
mod options;
mod perf;
mod ptrace;
pub mod snapshot;
mod start;
mod stream;

pub use collection::{Asked, Collection, Outcome, StreamState};
pub use options::{CallSource, Error, Notice, Options, Target};
