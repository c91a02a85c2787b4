//! Pictures of address spaces: of a process that runs, and of a program at a moment of its life.

mod machine;
pub(crate) mod mappings;
mod picture;
mod tracer;

use std::fmt;
use std::time::Duration;

use events::snapshot::Snapshot;
use sys::Errno;
use sys::launch::{Program, Setup, Unfit};
use sys::process::WaitStatus;

pub use machine::LayoutSettings;
pub use picture::{Unseen, picture};
pub use tracer::run;

/// When the picture is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// When the program has just been mapped, and nothing of it has run.
    Exec,
    /// When it exits: what it has mapped is still there.
    Exit,
    /// So long after its start.
    After(Duration),
}

/// A run that is asked for.
#[derive(Debug, Clone)]
pub struct SnapshotRequest<'a> {
    /// What is run.
    pub program: &'a Program,
    /// How it is started.
    pub setup: Setup,
    /// When the picture is taken.
    pub at: At,
    /// Pictures in between, so often.
    pub every: Option<Duration>,
}

/// When a picture was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakenAt {
    /// As asked for.
    AsAsked,
    /// At its exit, which came earlier.
    AtExit,
    /// When the user asked for the end.
    Interrupted,
}

/// What a run brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotOutcome {
    /// The picture and its moment; `None` if the program was gone before one could be taken.
    pub taken: Option<(Snapshot, TakenAt)>,
    /// How the program ended.
    pub ending: WaitStatus,
}

/// Why there is no run.
#[derive(Debug)]
pub enum Failure {
    /// The program cannot be run.
    Unfit(Unfit),
    /// Its file is there, and the kernel does not run it.
    Exec(Errno),
    /// It cannot be started at all.
    Start(Errno),
    /// It cannot be laid out as asked.
    Addresses(Errno),
    /// It cannot be traced.
    Trace(Errno),
    /// Its address space cannot be seen.
    Unseen(Unseen),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Unfit(unfit) => unfit.fmt(f),
            Failure::Exec(errno) => write!(f, "the kernel does not run it: {errno}"),
            Failure::Start(errno) => write!(f, "a process cannot be started: {errno}"),
            Failure::Addresses(errno) => write!(
                f,
                "the program's addresses cannot be set to fixed or random (personality: {errno}); a container's seccomp \
                 filter may forbid it: leave --aslr out"
            ),
            Failure::Trace(errno) => write!(
                f,
                "the program cannot be traced (ptrace: {errno}); a container's seccomp filter or \
                 kernel.yama.ptrace_scope = 3 may forbid it: start it, and use layout -p PID"
            ),
            Failure::Unseen(unseen) => unseen.fmt(f),
        }
    }
}

impl std::error::Error for Failure {}
