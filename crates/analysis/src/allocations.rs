//! Live blocks, and the join: a fault or a syscall belongs to the call site whose block or call it
//! concerns.
//!
//! ```text
//!   event -> address_space   the mapping and the cause
//!         -> LiveBlocks      whose block has this address now? (one per process)
//!         -> SiteTable       that call site pays
//!         -> FrameTree       equal stacks of different processes are one site
//! ```
//!
//! A call gives back when it begins, and gives out when it ends (docs/events.md). The time of a
//! fault counts once: a fault on a block is first-touch time of the block's site, and no longer
//! time of the call that it interrupted; a fault inside a call, on no block, stays time of the
//! call.
//!
//! Where a stream has only calls on some blocks (`Thinning`), each of these stands for as many as
//! one was followed of: what is charged to it counts that many times, and so does what it keeps
//! live. Calls and their bytes come from counts of all calls (`thinned`).
//!
//! Where only some calls have their stack (`StackSampling`), each of these stands for as many as
//! one was chosen of, by its size, and so does its block: sites are estimates. All calls and blocks
//! are in the stream, so what they cost together is exact (`sampled`).
//!
//! What the program maps itself, outside of its allocator, belongs to the site of that call
//! (`own_mappings`), as far as it is no block's: an allocator may have blocks in it.
//!
//! Beside the sites, the ledger keeps what happened when (`timeline`), in which process and thread
//! (`tallies`), and where the C library has its blocks (`arenas`), each in bounded memory; and in
//! which part of the times threads were not on a processor (`off_cpu`).
//!
//! Memory is proportional to live blocks, sites and threads, never to events.

mod account;
mod arenas;
mod blocks;
mod details;
mod figures;
mod filter;
mod frames;
mod ledger;
mod live;
mod number_map;
mod off_cpu;
mod own_mappings;
mod owners;
mod pauses;
mod pending;
mod processes;
mod ranges;
mod rest;
mod sampled;
mod selection;
mod served;
mod site;
mod sites;
mod slots;
mod slow;
mod steps;
mod tallies;
mod thinned;
mod timeline;

pub use account::AllocationAccount;
pub use arenas::{AllArenas, ArenaAccount, ArenaKind, MmapThresholds, ThresholdMove};
pub use details::SiteDetails;
pub(crate) use figures::scaled;
pub use figures::{FaultSums, TimedCalls};
pub use filter::CallFilter;
pub use frames::{FrameId, ResolvedFrame};
pub use ledger::Ledger;
pub use off_cpu::{OffCpuAccount, OffCpuTimes};
pub use rest::{RestFaults, RestKind};
pub use sampled::SampledAccount;
pub use served::ServedBy;
pub use site::{Site, SiteErrors};
pub use slow::{SlowAccount, SlowCall, SlowPart, SlowWork};
pub use steps::{FineSteps, PowerSteps};
pub use tallies::{Others, ProcessTally, TalliedProcesses, ThreadTally, ThreadWork};
pub use thinned::ThinnedAccount;
pub use timeline::{KernelCost, KernelPayer, Timeline, TimelineStep};
