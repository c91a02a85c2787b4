//! Runs of the program: one after the other, each in a fresh process.

pub(crate) mod once;
pub(crate) mod programs;
