//! The lab: turns an experiment into a reliable comparison.
//!
//! The stages, each of which imports only earlier ones: [`question`] (the experiment), [`design`]
//! (everything fixed beforehand), [`run`] (samples, block after block), [`judge`] (comparisons and
//! explanations) and `result` (a [`results::LabResult`]). The loops over whole measurements are
//! above them: [`bench()`], the survey of floors, bisections, cold pairs.

pub mod design;
pub mod judge;
pub mod question;
pub(crate) mod result;
pub mod run;

mod bench;
mod bisect;
mod cold;
mod event;
mod measure;
mod survey;

pub use bench::bench;
pub use design::Design;
pub use design::error::BenchError;
pub use event::BenchEvent;
pub use question::experiment::Experiment;
pub use question::memory::MemoryState;
pub use question::request::BenchRequest;
pub use run::Progress;
pub use sample::Source;
pub use sample::measurement::nanoseconds;
