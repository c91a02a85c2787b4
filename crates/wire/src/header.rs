//! The first page: one word for each fact, a cache line apart where both sides write.

/// The number of words of the header.
pub const HEADER_WORDS: usize = 512;

/// [`crate::VERSION`].
pub const VERSION: usize = 0;
/// The number of units.
pub const UNITS: usize = 1;
/// Ticks of the time stamp counter in a millisecond.
pub const TICKS_PER_MS: usize = 2;
/// One call of free in this number is timed; 1: all.
pub const FREES_PER_TIMED: usize = 3;
/// The units below this number are in use; the shim adds some when too many of them are kept.
pub const UNITS_IN_USE: usize = 4;
/// The mean distance between two samples of the bytes that a thread asks for
/// ([`flags::SAMPLED_STACKS`]).
pub const SAMPLED_BYTES: usize = 5;
/// What the shim leaves out; the recorder writes it (`flags`).
pub const FLAGS: usize = 8;
/// The recorder adds to it as long as it lives.
pub const HEARTBEAT: usize = 16;
/// The last number given to a process that writes here: the one that asked for the memory, and its
/// forks. Each takes the next.
pub const INSTANCES: usize = 24;
/// The last number given to a thread.
pub const THREADS: usize = 32;
/// Calls that are not recorded since no unit was free, and the recorder was not the reason.
pub const LOST: usize = 40;
/// Ticks that threads waited for the recorder to free a unit.
pub const WAITED_TICKS: usize = 41;
/// Calls that are not recorded since their thread was inside another one: in a signal handler that
/// interrupted it, or those by which an allocator serves its own calls.
pub const NESTED: usize = 42;
/// Stacks that end too early: at code without unwind rules, or at the greatest depth.
pub const CUT_STACKS: usize = 43;
/// Stacks that are not recorded since the table of nodes is full.
pub const UNKNOWN_STACKS: usize = 44;
/// Stacks that were found by comparing, and that unwinding did not confirm (in the mode that does
/// both).
pub const WRONG_STACKS: usize = 45;
/// Stacks of which this was checked.
pub const CHECKED_STACKS: usize = 46;
/// 1: the program has an allocator of its own, whose calls do not come to us.
pub const HAS_OWN_ALLOCATOR: usize = 47;
/// Libraries that the program opened with `RTLD_DEEPBIND`: their calls do not come to us.
pub const DEEP_LIBRARIES: usize = 48;

/// Processes that record nothing more since the recorder gave no sign of life.
pub const GAVE_UP: usize = 49;

/// The bits of [`FLAGS`].
pub mod flags {
    /// Nothing is recorded: the recording is over, or paused.
    pub const QUIET: u64 = 1;
    /// No stacks are recorded.
    pub const NO_STACKS: u64 = 2;
    /// Every stack is unwound as well as compared.
    pub const CHECK_STACKS: u64 = 4;
    /// Only calls that are chosen by chance have their stack ([`crate::sampling`]).
    pub const SAMPLED_STACKS: u64 = 8;
}
