//! What the recorder of a program says of itself.

use serde::{Deserialize, Serialize};

/// What the recorder says of the calls that it has, and of those that it has not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecorderCounts {
    /// Processes that wrote calls: programs, and their forks.
    pub processes: u64,
    /// Threads that wrote calls.
    pub threads: u64,
    /// Calls that are missing because no memory was free for their thread.
    pub lost_calls: u64,
    /// The time for which threads waited for the recorder.
    pub waited_ns: u64,
    /// Calls of signal handlers inside another call, which are not recorded.
    pub nested_calls: u64,
    /// Calls whose stack ends too early.
    pub cut_stacks: u64,
    /// Calls whose stack is not recorded.
    pub unknown_stacks: u64,
    /// Stacks that were found in two ways (`record --stacks checked`).
    pub checked_stacks: u64,
    /// Those of them that differed.
    pub wrong_stacks: u64,
    /// Programs with an allocator of their own, whose calls are not recorded.
    pub own_allocators: u64,
    /// Libraries that were opened with `RTLD_DEEPBIND`, whose calls are not recorded.
    pub deep_libraries: u64,
    /// Processes that stopped recording since the recorder gave no sign of life for seconds. Their
    /// later calls are not recorded.
    pub gave_up: u64,
    /// Programs that were executed and of which no calls are recorded: linked statically, with
    /// privileges to gain, without the library or the recorder.
    #[serde(default)]
    pub silent_programs: u64,
    /// How far the clock of the calls was from that of the faults at worst.
    pub clock_error_ns: Option<u64>,
}

/// Why a recording ended before the program. Blocks that were live then are no leaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndedEarly {
    /// The user asked for it, by a signal or a time.
    Stopped,
    /// Its file has the size that the user had set.
    Limit,
    /// It could not be written.
    Unwritable,
    /// The recorder was killed, the file was cut, or it is still being written.
    Unknown,
}
