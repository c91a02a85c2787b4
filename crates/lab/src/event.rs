//! Events that a run reports while it goes on.

use crate::run::Progress;

/// An event of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum BenchEvent {
    /// The observed run of an arm starts.
    Observing(String),
    /// An arm is run to its end, untimed, by name.
    Trying(String),
    /// A message for the user before the run goes on.
    Notice(String),
    /// The session moved on.
    Progress(Progress),
    /// A block of a race starts: the candidates that are left, all of them, and the number of the
    /// block.
    Racing(usize, usize, usize),
    /// The search for a crossover starts: the arm, and where.
    Bisecting(String),
    /// A pair of a cold and a warm sample starts: its number, and the number of pairs.
    ColdPair(usize, usize),
}
