//! Compares a user's own program under several allocators, settings and page policies.
//!
//! [`request`] is what the user asks for, [`arm`] one way of running the program, [`metric`] the
//! figures. [`tunables`] knows the C library's settings, and [`proof`] whether an arm's settings are
//! in force in the running program. The lab's session, judge and looks do the rest, as for its own
//! experiments.

pub mod arm;
pub mod metric;
pub mod proof;
pub mod request;
pub mod tunables;
