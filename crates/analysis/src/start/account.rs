//! What is known of starts in the end: numbers, without names.

use events::ModuleId;
use results::start::StartUntil;

use super::tally::{StartSum, StartTally};

/// The start of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartAccount {
    /// The program.
    pub executable: ModuleId,
    /// Where its start ends for certain: at its entry, or before.
    pub until: StartUntil,
    /// The time from exec to there, in nanoseconds.
    pub elapsed_ns: u64,
    /// The faults in that time.
    pub tally: StartTally,
    /// What came after the entry, in order, as far as it was followed.
    pub runs: Vec<StartRun>,
    /// The starts of all programs.
    pub images: StartedSums,
}

/// Events between which no others tell where the program was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StartRun {
    /// What shows where the program was.
    pub evidence: Vec<StartEvidence>,
    /// The faults since the last event of the run before.
    pub gap: StartTally,
    /// The faults from the first to the last event of this run.
    pub inside: StartTally,
    /// The end of that last event, since exec, in nanoseconds.
    pub until_ns: u64,
}

/// What an event shows of the place where a program was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartEvidence {
    /// The outer frames of a call's stack, the outermost first: files, and offsets in them in
    /// bytes.
    Stack(Vec<(ModuleId, u64)>),
    /// A fault of the program's code, by its offset in the file, in bytes.
    Code(u64),
    /// The program has relocated itself.
    Relro,
}

/// The starts of all programs, each until its entry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StartedSums {
    /// Those that are known.
    pub images: u64,
    /// Those whose end is not known.
    pub unknown: u64,
    /// The faults of the known ones.
    pub sum: StartSum,
    /// Their times from exec, in nanoseconds.
    pub elapsed_ns: u64,
}

impl StartedSums {
    pub(super) fn add(&mut self, account: &StartAccount) {
        self.images += 1;
        self.sum.add(&account.tally.all());
        self.elapsed_ns = self.elapsed_ns.saturating_add(account.elapsed_ns);
    }
}
