//! Why nothing was compared.

/// Why nothing was compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A request that contradicts itself.
    #[error("{0}")]
    Unfit(String),
    /// An arm that the user named is not available.
    #[error("{arm}: {reason}")]
    Arm {
        /// The arm.
        arm: String,
        /// Why, and what to do.
        reason: String,
    },
    /// The program cannot be run: its name, and why.
    #[error("cannot run {0}")]
    Program(String),
    /// The baseline failed.
    #[error("the baseline {arm} cannot be measured: {reason}")]
    Baseline {
        /// The baseline.
        arm: String,
        /// Why.
        reason: String,
    },
    /// No arm is left to compare the baseline with.
    #[error("nothing is left to compare: {0}")]
    NothingToCompare(String),
    /// This process cannot do what is needed.
    #[error("{0}")]
    Failed(String),
    /// The user interrupted it before there was a result.
    #[error("interrupted before anything was compared")]
    Interrupted,
}
