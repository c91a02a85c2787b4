//! The protocol between parent and probe: a task on the probe's command line, an answer on its
//! standard output. [`crate::facts`] has the contents of the answers.

use serde::{Deserialize, Serialize};

use crate::facts::{
    Arenas, BreakMoves, CallFacts, FileWindows, Identity, LayoutFacts, Lazy, Paging, Served,
    SharingFacts, Timed, Zeroes,
};

/// The hidden first argument that makes the program a probe.
pub const PROBE_VERB: &str = "__probe";

/// A task and its parent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeJob {
    /// The parent's process id: the probe ends with it. `None` if another program starts the probe.
    pub parent: Option<u32>,
    /// The task.
    pub task: ProbeTask,
}

/// A task for a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProbeTask {
    /// Report which allocator malloc is.
    Identify,
    /// Map memory; count resident pages before, after touching some, after touching all.
    Page {
        /// How much.
        bytes: usize,
    },
    /// The same with malloc, then free and allocate again.
    PageBlock {
        /// How much.
        bytes: usize,
    },
    /// Write to fresh memory and end.
    Dirty {
        /// How much.
        bytes: usize,
    },
    /// Read every byte of fresh memory.
    ReadBack {
        /// How much.
        bytes: usize,
    },
    /// Allocate one block and find where malloc got it.
    Serve {
        /// How much.
        bytes: usize,
        /// A block of this size is obtained and freed first.
        freed_first_bytes: Option<usize>,
        /// `M_MMAP_THRESHOLD` is set to this at the start.
        pinned_bytes: Option<i32>,
    },
    /// Follow the program break.
    FollowBreak,
    /// Find where other threads' blocks lie.
    Arenas,
    /// Report the layout of the address space.
    LayOut,
    /// Map shared and private memory, fork, and check which writes are visible.
    Share,
    /// Time the faults of a batch of pages.
    Fault {
        /// How much.
        bytes: usize,
        /// The kind of fault.
        kind: FaultKind,
    },
    /// Map an uncached file and count the pages that a touch brings in.
    PageFile {
        /// The inherited descriptor.
        file: i32,
        /// Its length.
        bytes: usize,
    },
    /// Allocate and free, with marks between the steps for a tracer of system calls.
    Call,
}

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FaultKind {
    /// The first write to fresh memory.
    FirstTouch,
    /// A write to a page that is shared with a forked child.
    CopyOnWrite,
}

/// The answer of a probe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ProbeAnswer {
    /// To [`ProbeTask::Identify`].
    Identity(Identity),
    /// To [`ProbeTask::Page`].
    Paged(Paging),
    /// To [`ProbeTask::PageBlock`].
    Lazy(Lazy),
    /// To [`ProbeTask::Dirty`].
    Dirtied,
    /// To [`ProbeTask::ReadBack`].
    Zeroes(Zeroes),
    /// To [`ProbeTask::Serve`].
    Served(Served),
    /// To [`ProbeTask::FollowBreak`].
    Break(BreakMoves),
    /// To [`ProbeTask::Arenas`].
    Arenas(Arenas),
    /// To [`ProbeTask::LayOut`].
    Layout(LayoutFacts),
    /// To [`ProbeTask::Share`].
    Shared(SharingFacts),
    /// To [`ProbeTask::PageFile`].
    File(FileWindows),
    /// To [`ProbeTask::Fault`].
    Timed(Timed),
    /// To [`ProbeTask::Call`].
    Called(CallFacts),
    /// A call failed.
    Failed {
        /// The call and its error.
        reason: String,
    },
}
