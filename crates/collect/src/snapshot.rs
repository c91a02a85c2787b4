//! Snapshots of address spaces: of a running process, and of a program at a chosen moment.

mod machine;
pub(crate) mod mappings;
mod picture;
mod residency;
mod state;
mod tracer;

use std::fmt;
use std::time::Duration;

use events::snapshot::Snapshot;
use sys::Errno;
use sys::launch::{Program, Setup, Unfit, not_executed};
use sys::process::WaitStatus;

pub use machine::LayoutSettings;
pub use picture::{Unseen, picture};
pub use residency::Accounted;
pub use state::ProcessState;
pub use tracer::{run, run_within};

/// When the snapshot is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// Right after execve(2), before any code of the program runs.
    Exec,
    /// When the program exits, with its mappings still in place.
    Exit,
    /// This long after its start.
    After(Duration),
}

/// A request to run a program and take snapshots of it.
#[derive(Debug, Clone)]
pub struct SnapshotRequest<'a> {
    /// The program to run.
    pub program: &'a Program,
    /// How it is started.
    pub setup: Setup,
    /// When the snapshot is taken.
    pub at: At,
    /// The shortest interval of intermediate snapshots, if they are wanted.
    pub every: Option<Duration>,
}

/// When a snapshot was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakenAt {
    /// At the requested time.
    AsAsked,
    /// At the program's exit, which came earlier.
    AtExit,
    /// When the user interrupted the run.
    Interrupted,
}

/// The result of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotOutcome {
    /// The snapshot and when it was taken; `None` if the program was gone before.
    pub taken: Option<(Snapshot, TakenAt)>,
    /// How the program ended.
    pub ending: WaitStatus,
    /// What else was seen of the process, the environment as its last execve(2) gave it.
    pub state: ProcessState,
    /// Whether it was ended because its time was up.
    pub out_of_time: bool,
}

/// The pause after a look that took `took`, if looks are wanted at intervals of `every`. Looks take
/// at most a tenth of the time: each of them keeps the memory syscalls of the process waiting a
/// little.
#[must_use]
pub fn pause_after(took: Duration, every: Duration) -> Duration {
    every.max(took.saturating_mul(9))
}

/// Why a run failed.
#[derive(Debug)]
pub enum Failure {
    /// The program cannot be run.
    Unfit(Unfit),
    /// Its file exists, but the kernel cannot execute it.
    Exec(Errno),
    /// No process can be started.
    Start(Errno),
    /// Its addresses cannot be fixed or randomised as requested.
    Addresses(Errno),
    /// It cannot be traced.
    Trace(Errno),
    /// Its address space cannot be read.
    Unseen(Unseen),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Unfit(unfit) => unfit.fmt(f),
            Failure::Exec(errno) => f.write_str(&not_executed(*errno)),
            // Starting a process opens no other file.
            Failure::Start(Errno::NO_ENTRY) => {
                f.write_str("there is no /dev/null, where the program's output is to go")
            }
            Failure::Start(errno) => write!(f, "cannot start a process: {errno}"),
            Failure::Addresses(errno) => write!(
                f,
                "cannot set the program's addresses to fixed or random (personality: {errno}): a \
                 container's seccomp filter may forbid it; leave --aslr out"
            ),
            Failure::Trace(errno) => write!(
                f,
                "cannot trace the program (ptrace: {errno}): a container's seccomp filter or \
                 kernel.yama.ptrace_scope = 3 may forbid it; start it, and use layout -p PID"
            ),
            Failure::Unseen(unseen) => unseen.fmt(f),
        }
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_take_a_tenth_of_the_time_at_most() {
        let pause = |took| pause_after(Duration::from_millis(took), Duration::from_millis(100));
        assert_eq!(pause(2), Duration::from_millis(100));
        assert_eq!(pause(50), Duration::from_millis(450));
    }
}
