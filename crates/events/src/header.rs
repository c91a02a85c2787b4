//! The header of a stream: what a reader on another machine must know.

/// The header of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The clock of every time in the stream.
    pub clock: Clock,
    /// When observing started, in nanoseconds of that clock.
    pub began_ns: u64,
    /// The size of a base page of the observed machine: a power of two.
    pub page_bytes: u64,
    /// The observed machine's policy for transparent huge pages.
    pub huge_pages: ThpPolicy,
    /// Whether the observed machine can swap, so that a page may be missing that was there before.
    pub can_swap: bool,
    /// What all sources together can observe.
    pub sees: Sees,
}

/// What can be observed. It is stated here, so that no view has to infer it from the events that
/// arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub struct Sees {
    /// Memory syscalls.
    pub calls: bool,
    /// Page faults taken in user mode.
    pub faults: bool,
    /// Page faults that the kernel takes on a thread's behalf, inside syscalls.
    pub kernel_faults: bool,
    /// The size of the page that a fault mapped, and whether there was one before.
    pub page_sizes: bool,
    /// Calls of allocation functions.
    pub allocations: bool,
    /// Memory syscalls by stopping the thread at each (ptrace): the time of whatever is around one
    /// includes the stop.
    pub stops: bool,
    /// Times in which threads are not on a processor.
    pub absences: bool,
}

/// A clock of `clock_gettime(2)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// `CLOCK_MONOTONIC`, which both perf events and processes can read.
    Monotonic,
}

/// The memory that may get transparent huge pages (`/sys/kernel/mm/transparent_hugepage/enabled`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThpPolicy {
    /// None.
    Never,
    /// Memory with `MADV_HUGEPAGE`.
    Advised,
    /// All memory that is large enough.
    Always,
}
