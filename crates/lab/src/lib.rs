//! The lab: from an experiment to a comparison that holds.
//!
//! The stages, each importing only what lies before it: [`question`] (what is asked), [`design`] (everything fixed
//! beforehand), [`run`] (samples, block after block), [`judge`] (what they say) and [`result`] (a [`results::LabResult`]).
//! The loops over whole measurements lie above them: [`bench()`], the survey of floors, bisections, cold pairs.

pub mod bench;
pub mod bisect;
pub mod cold;
pub mod design;
pub mod inside;
pub mod judge;
pub mod question;
pub mod result;
pub mod run;
mod survey;

pub use bench::bench;
pub use design::{Design, Memory};
pub use inside::source::Source;
pub use question::experiment::Experiment;
pub use question::request::{BenchError, Request};
