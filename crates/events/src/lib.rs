//! The vocabulary of what can be observed of a program's memory, as plain data: the stream that
//! every observer writes and every view reads.
//!
//! ```text
//!   Header        clock, start, page sizes, what the sources can see         once, first
//!   Definition    a text, a module or its build id                          before the first event that refers to it
//!   Event         a syscall, a fault, a mapping, a life, a gap               in the order of their beginnings
//! ```
//! Observers and views do not know each other. docs/events.md says why the types look as they do,
//! and where allocation calls and stacks join them. No event owns memory: a text or a module is a
//! number of [`Definitions`].
#![no_std]

extern crate alloc;

mod call;
mod cause;
mod definitions;
mod event;
mod header;
mod mapping;
pub mod merge;
pub mod snapshot;

pub use call::Call;
pub use cause::Cause;
pub use definitions::{BuildId, Definition, Definitions, Device, Interner, Module, ModuleId, Name};
pub use event::{Ending, Event, EventKind, Fault, Life, Lost, Span, Syscall, Thread};
pub use header::{Clock, Header, Sees, ThpPolicy};
pub use mapping::{Mapping, MappingKind, MappingReport};

/// What an observer hands on at a time. Its events refer to its own definitions and to those of
/// earlier batches.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// To be taken first.
    pub definitions: alloc::vec::Vec<Definition>,
    /// In the order of their beginnings. One that begins before an event ahead of it is late: its
    /// source delivered it after others had promised that nothing earlier would come.
    pub events: alloc::vec::Vec<Event>,
}
