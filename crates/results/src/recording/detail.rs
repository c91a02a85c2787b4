//! What is known of a site beyond its costs: its blocks, its calls, and who touched its memory.

use serde::{Deserialize, Serialize};

/// Details of a site. They count the calls and blocks that the recording has (where it is thinned
/// or sampled, those that were followed or chosen), each once.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SiteDetail {
    /// Its calls by the sizes that were asked for.
    pub sizes: Vec<SizeStep>,
    /// Its blocks that were given back, by the time between the call that gave them out and the
    /// call that gave them back.
    pub lifetimes: Vec<TimeStep>,
    /// The latencies of its calls, faults and syscalls inside them included; `null` if none was
    /// timed.
    pub latency: Option<CallLatency>,
    /// Its timed calls by their latencies, in ascending order.
    #[serde(default)]
    pub latencies: Vec<LatencyStep>,
    /// The parts of the time of its calls.
    pub parts: CallParts,
    /// How its calls were served.
    pub served: ServedCalls,
    /// Faults on its blocks, by the functions that touched, the costliest first.
    pub touchers: Vec<Toucher>,
    /// Of the faults on its blocks, those by another thread than the one that had asked.
    pub other_thread_faults: u64,
    /// Those by another process than the one that had asked (after fork(2)).
    pub other_process_faults: u64,
    /// Those that copied a page (after fork(2)).
    pub copied_faults: u64,
    /// Their time.
    pub copied_ns: u64,
    /// Those that made a page writable again without a copy, which nobody else had any more (after
    /// fork(2)).
    #[serde(default)]
    pub reused_faults: u64,
    /// Their time.
    #[serde(default)]
    pub reused_ns: u64,
    /// Those on pages that the block had touched before and that were returned meanwhile.
    pub returned_faults: u64,
    /// Bytes of its blocks on whole pages of their own, whose touches can be known.
    pub watched_bytes: u64,
    /// Of these, those that were never touched while their block was live; `null` if faults in the
    /// kernel were not seen, which may have touched them.
    pub never_touched_bytes: Option<u64>,
    /// The time of syscalls that returned its memory to the kernel, which is part of `release_ns`.
    pub returned_ns: u64,
    /// The bytes that these returned.
    pub returned_bytes: u64,
}

/// Calls that asked for between `from_bytes` and twice as much.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SizeStep {
    /// The least, a power of two, or 0.
    pub from_bytes: u64,
    /// The calls.
    pub calls: u64,
}

/// Blocks that were live between `from_ns` and twice as long.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeStep {
    /// The least, a power of two, or 0.
    pub from_ns: u64,
    /// The blocks.
    pub blocks: u64,
}

/// Calls that took at most `upto_ns`, and longer than those of the step before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyStep {
    /// The longest that they can have taken: at most an eighth more than the shortest.
    pub upto_ns: u64,
    /// The calls.
    pub calls: u64,
}

/// Latencies of calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallLatency {
    /// The calls that were timed.
    pub timed: u64,
    /// Half of them took at most this long (at most an eighth too high).
    pub p50_ns: u64,
    /// 99 % took at most this long (likewise).
    pub p99_ns: u64,
    /// The longest.
    pub max_ns: u64,
}

/// Where the time of calls that ask for memory went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallParts {
    /// In the allocator's own code, and whatever else is not told below: waiting for a lock or a
    /// processor.
    pub user_ns: u64,
    /// In memory syscalls.
    pub syscall_ns: u64,
    /// In faults that are of no block.
    pub fault_ns: u64,
    /// In faults on blocks, which is part of `first_touch_ns`.
    pub touch_ns: u64,
}

/// How timed calls that ask for memory were served, by the memory syscalls inside them: each call
/// is in one of these.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServedCalls {
    /// Without a syscall: from memory that the allocator had.
    pub without_syscall: u64,
    /// The heap grew (brk).
    pub brk: u64,
    /// New memory was mapped (mmap, mremap).
    pub mmap: u64,
    /// Memory that was reserved before was made usable (mprotect), as in the arenas of glibc.
    pub mprotect: u64,
    /// Memory was returned to the kernel (munmap, madvise, a brk that shrinks).
    pub returned: u64,
    /// Another memory syscall.
    pub other: u64,
}

/// Faults on the blocks of a site from one function.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Toucher {
    /// The function, or an offset or address.
    pub function: String,
    /// Its line, `file:line`, or its module; `null` if unknown.
    pub at: Option<String>,
    /// The faults.
    pub faults: u64,
    /// Their time.
    pub fault_ns: u64,
}
