//! How a stream begins: what must be known to read it on another machine.

/// The head of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The clock of every time in the stream.
    pub clock: Clock,
    /// When observing began, in nanoseconds of that clock.
    pub began_ns: u64,
    /// The size of a base page of the observed machine: a power of two.
    pub page_bytes: u64,
    /// The observed machine's policy for transparent huge pages.
    pub huge_pages: ThpPolicy,
    /// What all sources together can see.
    pub sees: Sees,
}

/// What can be seen: nothing is inferred from what happens to arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub struct Sees {
    /// Memory syscalls.
    pub calls: bool,
    /// Page faults taken in user mode.
    pub faults: bool,
    /// Page faults that the kernel takes on a thread's behalf, inside syscalls.
    pub kernel_faults: bool,
    /// How large the page is that a fault mapped.
    pub page_sizes: bool,
}

/// A clock of `clock_gettime(2)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// `CLOCK_MONOTONIC`: the one clock that perf events and a process can both read.
    Monotonic,
}

/// Which memory may get transparent huge pages, as `/sys/kernel/mm/transparent_hugepage/enabled`
/// has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThpPolicy {
    /// None.
    Never,
    /// What the program advised (`MADV_HUGEPAGE`).
    Advised,
    /// All that is large enough.
    Always,
}
