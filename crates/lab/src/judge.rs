//! What the samples say: intervals, effects, explanations, doubts.

pub mod crossover;
pub mod diagnosis;
pub mod effects;
pub mod estimate;
pub mod explain;
pub(crate) mod floor_ratio;
pub mod latencies;
pub mod sign_judge;
pub mod summary;
