//! The vocabulary of memory events, as plain data: the stream that every observer writes and every
//! view reads.
//!
//! ```text
//!   Header        clock, start, page sizes, what the sources can see    once, first
//!   Definition    a text, a module or its build id, a frame             before its first use
//!   Event         a syscall, a fault, an allocation, a mapping, ...     in the order of beginnings
//! ```
//! Observers and views do not know each other. docs/events.md explains the types. No event owns
//! memory: texts, modules and stacks are numbers of [`Definitions`].
#![no_std]

extern crate alloc;

mod absence;
mod allocation;
mod call;
mod cause;
mod clock_floor;
mod definitions;
mod event;
mod header;
mod mapping;
pub mod merge;
mod number_hasher;
mod numbers;
mod sampling;
pub mod snapshot;
mod thinning;

pub use absence::{Absence, AbsenceReason};
pub use allocation::{Allocation, AllocationFunction};
pub use call::Call;
pub use cause::Cause;
pub use clock_floor::ClockFloor;
pub use definitions::{BuildId, Definition, Definitions, Device, Frame, Interner, Module};
pub use event::{Ending, Event, EventKind, Fault, Life, Lost, Span, Syscall, Thread};
pub use header::{Clock, Header, Sees, ThpPolicy};
pub use mapping::{Mapping, MappingKind, MappingReport, RECORDER_LIBRARY, RECORDER_MEMORY};
pub use number_hasher::NumberHasher;
pub use numbers::{ModuleId, Name, StackId};
pub use sampling::StackSampling;
pub use thinning::{CallCounts, Thinning};

/// A part of a stream, as an observer passes it on. Its events refer to its own definitions and to
/// those of earlier batches.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Must be taken before the events.
    pub definitions: alloc::vec::Vec<Definition>,
    /// In the order of their beginnings. An event that began before its predecessor is late: its
    /// source delivered it after having promised that nothing earlier would come.
    pub events: alloc::vec::Vec<Event>,
}
