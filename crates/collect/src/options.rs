//! What is wanted, what of it is missing, and why nothing can be seen: plain data.

use sys::Errno;
use sys::launch::Program;

/// What to watch.
#[derive(Debug, Clone)]
pub enum Target {
    /// A program that is to be started.
    Program(Program),
    /// A process that runs.
    Process(u32),
}

/// By which way memory syscalls are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CallSource {
    /// By tracepoints if they are allowed, else by stopping the program.
    #[default]
    Best,
    /// By tracepoints.
    Tracepoints,
    /// By stopping the program: ptrace(2).
    Ptrace,
    /// Not at all.
    Off,
}

/// What is to be seen, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Page faults.
    pub faults: bool,
    /// Memory syscalls.
    pub calls: CallSource,
    /// What a program that is started writes to its standard output goes to standard error.
    pub output_to_errors: bool,
    /// How much of what was seen may wait for the consumer, in bytes. Beyond it the program goes on
    /// and events are lost, counted.
    pub waiting_bytes_max: usize,
}

impl Default for Options {
    /// Everything, by the best way there is. 512 MiB may wait: some seconds of a program that does
    /// nothing but fault.
    fn default() -> Self {
        Options {
            faults: true,
            calls: CallSource::Best,
            output_to_errors: false,
            waiting_bytes_max: 512 << 20,
        }
    }
}

/// What is missing from a collection, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// Faults that the kernel takes on the program's behalf (inside read(2)) are not seen by this
    /// user.
    UserModeOnly,
    /// No page faults, no latencies: perf events are refused.
    NoPerf(Errno),
    /// No tracepoints for this user: the program is stopped at each memory syscall, or, attached
    /// to, at every syscall.
    Ptrace(Errno),
    /// No memory syscalls: neither tracepoints nor ptrace are allowed.
    NoCalls(Errno),
    /// The program would run with more privileges if it were not traced.
    Unprivileged,
    /// A 32-bit program: its syscalls have other numbers, and are not shown.
    Compat32,
    /// The program gains privileges when it starts, and from then on this user sees nothing of it.
    Unseen,
}

/// Why nothing can be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The program did not start: execve(2) or fork(2).
    #[error("{0}")]
    Start(Errno),
    /// There is no such process.
    #[error("there is no process {0}")]
    Gone(u32),
    /// It is a thread of this process, and not its first.
    #[error("{tid} is a thread of process {pid}")]
    Thread {
        /// The thread.
        tid: u32,
        /// Its process.
        pid: u32,
    },
    /// It has no memory of its own: a thread of the kernel's.
    #[error("process {0} has no memory of its own")]
    Kernel(u32),
    /// The process is another user's, or may not be looked at.
    #[error("process {0} may not be looked at: {1}")]
    Forbidden(u32, Errno),
    /// Tracepoints were asked for, and are refused.
    #[error("tracepoints are refused: {0}")]
    Tracepoints(Errno),
    /// Nothing that was asked for can be seen.
    #[error("nothing can be watched: {0}")]
    Nothing(Errno),
    /// This machine has no room for another thread or descriptor.
    #[error("{0}")]
    Resources(Errno),
}
