//! The question: experiment files, arms, sweeps, quantities.

pub mod arm;
pub mod defaults;
pub mod experiment;
pub(crate) mod memory;
pub mod points;
pub mod preload;
pub mod quantity;
pub mod request;
