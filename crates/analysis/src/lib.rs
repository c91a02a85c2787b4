//! Attributes events to memory and causes. Pure functions of a stream: no process, no clock, no
//! file, no `/proc`.
//!
//! ```text
//!   address_space/   the mapping of an address, and the cause of a fault: ids and numbers, no text
//!   start/           what is paid before main
//!   allocations/     the block of an address, and what each call site pays: ids and numbers
//!   trace/           a view: lines, bursts, a table
//!   layout/          a view: the regions of a snapshot, and which addresses are random
//!   recording/       a view: the call sites with their names, as a report
//! ```
//! Views use the first three, never each other.

pub mod address_space;
pub mod allocations;
pub mod layout;
pub mod recording;
pub mod start;
pub mod trace;
