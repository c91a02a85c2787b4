//! What a watcher is told while a run goes on.

use crate::run::Progress;

/// What a watcher is told.
#[derive(Debug, Clone, PartialEq)]
pub enum BenchEvent {
    /// The observed run of an arm begins.
    Observing(String),
    /// Something that the user should know before the run goes on.
    Notice(String),
    /// The session moved on.
    Progress(Progress),
    /// A crossover is searched for: the arm, and where.
    Bisecting(String),
    /// A pair of a cold and a warm sample begins: which, and of how many.
    ColdPair(usize, usize),
}
