//! The lab: from an experiment to a comparison that holds.
//!
//! The way the data flows: an [`Experiment`] and what the user asked become a [`Design`] (arms, looks, margin, cap);
//! [`session::run`] takes block after block from a [`session::Bench`] in the orders of [`plan::Orders`] and lets a
//! [`judge::Judge`] look at them; [`diagnosis`] doubts the outcome; [`assemble`] makes it a [`results::LabResult`].
//! The real bench ([`children`]) starts a child process per sample, which [`measured`] is the inside of. A
//! simulated bench, in the tests, proves the rest.

pub mod arm;
pub mod arrange;
pub mod assemble;
pub mod bench;
pub mod bisect;
mod block;
mod bound;
pub mod capacity;
pub mod cells;
pub mod children;
pub mod cold;
pub mod crossover;
pub mod design;
pub mod diagnosis;
pub mod disturbance;
pub mod estimate;
pub mod experiment;
pub mod explain;
pub mod factorial;
mod file_block;
pub mod file_source;
pub mod files;
pub mod floors;
mod forking;
pub mod handling;
pub mod judge;
pub mod latency;
pub mod machine;
pub mod measured;
pub mod observe;
mod observer;
pub mod plan;
pub mod points;
pub mod preload;
pub mod proof;
pub mod protocol;
pub mod quantity;
pub mod request;
pub mod session;
pub mod small;
pub mod source;
pub mod summary;
mod survey;
mod together;
mod touching;
mod turning;

pub use bench::bench;
pub use design::{Design, Memory};
pub use experiment::Experiment;
pub use request::{BenchError, Request};
pub use source::Source;
