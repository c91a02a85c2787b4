//! Options of a collection, notices of what is missing, and errors: plain data.

use sys::Errno;
use sys::launch::{Program, Setup};

/// What to observe.
#[derive(Debug, Clone)]
pub enum Target {
    /// A program to start.
    Program(Program),
    /// A running process.
    Process(u32),
}

/// How memory syscalls are observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CallSource {
    /// By tracepoints if they are allowed, otherwise by stopping the program.
    #[default]
    Best,
    /// By tracepoints.
    Tracepoints,
    /// By stopping the program: ptrace(2).
    Ptrace,
    /// Not at all.
    Off,
}

/// What to observe, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Whether page faults are observed.
    pub faults: bool,
    /// How memory syscalls are observed.
    pub calls: CallSource,
    /// Whether texts that the program passes to the kernel are read: the names that it gives to
    /// memory (`memfd_create(2)`).
    pub texts: bool,
    /// Whether times in which threads are not on a processor are told, where the kernel tells.
    pub absences: bool,
    /// How a program is started.
    pub setup: Setup,
    /// The most bytes of events that may wait for the consumer. Beyond that the program goes on,
    /// and further events are lost and counted.
    pub waiting_bytes_max: usize,
}

impl Default for Options {
    /// Everything but absences, in the best available way. 512 MiB may wait: some seconds of a
    /// program that does nothing but fault.
    fn default() -> Self {
        Options {
            faults: true,
            calls: CallSource::Best,
            texts: true,
            absences: false,
            setup: Setup::default(),
            waiting_bytes_max: 512 << 20,
        }
    }
}

/// What is missing from a collection, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// Faults that the kernel takes on the program's behalf (inside read(2)) are not visible to
    /// this user.
    UserModeOnly,
    /// No page faults and no latencies: perf events are refused.
    NoPerf(Errno),
    /// This user may not use tracepoints: the program is stopped at each memory syscall, or at
    /// every syscall if it was attached to.
    Ptrace(Errno),
    /// No memory syscalls: neither tracepoints nor ptrace are allowed.
    NoCalls(Errno),
    /// The program would run with more privileges if it were not traced.
    Unprivileged,
    /// A 32-bit program, whose syscalls have numbers that are not known on this architecture: they
    /// are not reported.
    Compat32,
    /// The program gains privileges when it starts; from then on this user cannot observe it.
    Unseen,
}

/// Why nothing can be observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The program did not start: execve(2) or fork(2).
    #[error("{0}")]
    Start(Errno),
    /// There is no such process.
    #[error("there is no process {0}")]
    Gone(u32),
    /// The number is that of a thread, and not of the first thread of its process.
    #[error("{tid} is a thread of process {pid}")]
    Thread {
        /// The thread.
        tid: u32,
        /// Its process.
        pid: u32,
    },
    /// It is a kernel thread, without an address space.
    #[error("process {0} has no memory of its own")]
    Kernel(u32),
    /// The process belongs to another user, or may not be observed.
    #[error("process {0} may not be looked at: {1}")]
    Forbidden(u32, Errno),
    /// Tracepoints were requested and are refused.
    #[error("tracepoints are refused: {0}")]
    Tracepoints(Errno),
    /// Nothing that was requested can be observed.
    #[error("nothing can be watched: {0}")]
    Nothing(Errno),
    /// No further thread or descriptor could be created.
    #[error("{0}")]
    Resources(Errno),
}
