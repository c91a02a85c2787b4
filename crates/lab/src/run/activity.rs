//! The activity of the whole machine during a block.

use std::time::{Duration, Instant};

use results::Block;
use sample::measurement::nanoseconds;
use sys::proc::Counters;
use sys::usage::Usage;

/// The counters at the start of a block.
#[derive(Debug)]
pub struct BlockActivity {
    began: Instant,
    before: Counters,
    own_before: Duration,
}

impl BlockActivity {
    /// Reads the counters: a block starts.
    #[must_use]
    pub fn begin() -> Self {
        BlockActivity {
            began: Instant::now(),
            before: Counters::now(),
            own_before: Usage::of_this_process().cpu,
        }
    }

    /// The time since the block started.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// The record of block number `block`, which is over. The run started at `started`; the
    /// children of this block, all on processor `cpu` if given, used `children_cpu`.
    #[must_use]
    pub fn end(
        self,
        block: u64,
        started: Instant,
        children_cpu: Duration,
        cpu: Option<u32>,
    ) -> Block {
        let (before, after) = (self.before, Counters::now());
        let own_cpu = Usage::of_this_process().cpu.saturating_sub(self.own_before) + children_cpu;
        let passed = |after: Option<Duration>, before: Option<Duration>| {
            after.zip(before).map(|(after, before)| nanoseconds(after.saturating_sub(before)))
        };
        let counted = |after: Option<u64>, before: Option<u64>| {
            after.zip(before).map(|(after, before)| after.saturating_sub(before))
        };
        Block {
            block,
            started_ns: nanoseconds(self.began.duration_since(started)),
            elapsed_ns: nanoseconds(self.began.elapsed()),
            cpu,
            steal_ns: passed(after.steal, before.steal),
            others_cpu_ns: passed(after.busy, before.busy.map(|busy| busy + own_cpu)),
            cpu_pressure_ns: passed(after.cpu_pressure, before.cpu_pressure),
            memory_pressure_ns: passed(after.memory_pressure, before.memory_pressure),
            thp_fault_alloc: counted(after.thp_fault_alloc, before.thp_fault_alloc),
            thp_fault_fallback: counted(after.thp_fault_fallback, before.thp_fault_fallback),
            compact_stall: counted(after.compact_stall, before.compact_stall),
            free_bytes: after.free_bytes,
        }
    }
}
