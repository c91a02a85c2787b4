//! What parent and probe say to each other: a task on the probe's command line, an answer on its
//! standard output. Plain data; [`crate::facts`] has what the answers are made of.

use serde::{Deserialize, Serialize};

use crate::facts::{
    Arenas, BreakMoves, CallFacts, FileWindows, Identity, LayoutFacts, Lazy, Paging, Served,
    SharingFacts, Timed, Zeroes,
};

/// The hidden first argument that makes the program a probe.
pub const PROBE_VERB: &str = "__probe";

/// A task, and who asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeJob {
    /// The parent's process id: the probe ends with it. `None` where another program stands between
    /// them.
    pub parent: Option<u32>,
    /// What to do.
    pub task: ProbeTask,
}

/// What a probe is to do, in a process of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProbeTask {
    /// Say who malloc is.
    Identify,
    /// Map, look, touch some, look, touch all, look.
    Page {
        /// How much.
        bytes: usize,
    },
    /// The same through malloc, then free and ask again.
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
    /// Ask malloc once, and watch where it gets it from.
    Serve {
        /// How much.
        bytes: usize,
        /// A block of this size is obtained and freed first.
        freed_first_bytes: Option<usize>,
        /// `M_MMAP_THRESHOLD` is set to this before all else.
        pinned_bytes: Option<i32>,
    },
    /// Follow the program break.
    FollowBreak,
    /// See what malloc does in other threads.
    Arenas,
    /// Say where everything lies.
    LayOut,
    /// Map memory both ways, fork, and see who sees what.
    Share,
    /// Time the faults of a batch of pages.
    Fault {
        /// How much.
        bytes: usize,
        /// Which.
        kind: FaultKind,
    },
    /// Map a file that is in no cache, and see what a touch brings in.
    PageFile {
        /// The descriptor that the parent hands down.
        file: i32,
        /// Its length.
        bytes: usize,
    },
    /// Ask and free, with marks between for whoever traces the system calls.
    Call,
}

/// What kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FaultKind {
    /// The first write to fresh memory.
    FirstTouch,
    /// A write to a page that a copy of this process has too.
    CopyOnWrite,
}

/// What a probe says.
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
        /// Which, and with what.
        reason: String,
    },
}
