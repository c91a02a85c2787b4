//! What events mean. Pure functions of a stream: no process, no clock, no file, no `/proc`.
//!
//! ```text
//!   address_space/   whose memory an address was, and why it faulted: ids and numbers, no text
//!   trace/           a view: lines, bursts, a table
//!   layout/          a view: what lies where in a snapshot, and how much of that is chance
//! ```
//! Views use the attribution, never each other.

pub mod address_space;
pub mod layout;
pub mod trace;
