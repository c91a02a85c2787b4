//! Runs a program, or attaches to one, and collects its memory events: a stream in the order of
//! time.
//!
//! ```text
//!   perf/      kernel --> rings, one per processor --+
//!                                                    +--> drain --> Round --> merge --> pairing
//!   ptrace/    tracer --> outbox --------------------+   a thread        raw events     events by
//!   snapshot/  mappings of a running process --------+                    by time     beginnings
//! ```
//! Each source promises that nothing earlier than its watermark will come; one merge puts all of
//! them into order (`events::merge`). How much may wait for the consumer is bounded for all sources
//! together. A missing source is not an error as long as another is available: [`Notice`] says what
//! is missing and why.

mod access;
mod attach;
mod calls;
mod collection;
mod observed_process;
mod options;
mod perf;
mod ptrace;
pub mod shim;
pub mod snapshot;
mod start;
mod stream;

pub use collection::{Collection, Outcome, StreamState};
pub use observed_process::{Asked, ObservedProcess};
pub use options::{CallSource, Error, Notice, Options, Target};
