//! Compares a user's own program under several allocators, settings and page policies.
//!
//! [`request`] is what the user asks for, [`arm`] one way of running the program, [`metric`] the
//! figures. [`tunables`] knows the C library's settings. The lab's session, judge and looks do the
//! rest, as for its own experiments.
//!
//! [`mod@diff`] compares two results, of this verb or of the lab's own experiments: this crate
//! knows the figures of both.

pub mod arm;
pub mod diff;
pub mod metric;
pub mod request;
pub mod tunables;
