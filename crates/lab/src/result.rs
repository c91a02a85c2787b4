//! From a run to a result file.

pub mod assemble;
