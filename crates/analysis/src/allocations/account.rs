//! What a ledger knows in the end.

use events::Header;

use super::arenas::AllArenas;
use super::details::SiteDetails;
use super::figures::{FaultSums, TimedCalls};
use super::frames::{FrameId, FrameTree, ResolvedFrame};
use super::off_cpu::OffCpuAccount;
use super::pauses::Pauses;
use super::rest::RestFaults;
use super::sampled::SampledAccount;
use super::site::Site;
use super::slow::SlowAccount;
use super::tallies::TalliedProcesses;
use super::thinned::ThinnedAccount;
use super::timeline::Timeline;
use crate::address_space::MappingAccount;
use crate::start::StartAccount;

/// What the sites of a stream pay: numbers, without names.
#[derive(Debug)]
pub struct AllocationAccount {
    /// The header of the stream.
    pub header: Header,
    /// The end of the last event, on the stream's clock.
    pub ended_ns: u64,
    /// The last event that the kernel told of (a fault, a syscall, an end), likewise.
    pub kernel_until_ns: Option<u64>,
    /// Every site, in the order of first calls.
    pub sites: Vec<Site>,
    /// The details of each of them.
    pub details: Vec<SiteDetails>,
    /// Faults that belong to no site, by kinds of memory. With those of the sites they are all
    /// faults of the stream, as far as sites are not estimated.
    pub rest: Vec<RestFaults>,
    /// The time of releases of blocks whose allocation was not seen.
    pub unowned: TimedCalls,
    /// The most bytes that were live at once, in all processes.
    pub peak_live_bytes: u64,
    /// When that was, on the stream's clock.
    pub peak_ns: u64,
    /// Records that were lost.
    pub lost: u64,
    /// Releases of addresses at which no block was known to be live.
    pub unknown_releases: u64,
    /// Blocks whose address was given out again although no release had been seen.
    pub lost_releases: u64,
    /// The pauses of the recording that had begun by its end.
    pub pauses: u64,
    /// Their time until its end, in nanoseconds.
    pub paused_ns: u64,
    /// Blocks that were live in a pause and of which no release was seen: they may have been given
    /// back in it, and are not among the unreleased ones.
    pub across_pauses: u64,
    /// Their sizes, in bytes.
    pub across_pauses_bytes: u64,
    /// Memory syscalls outside of calls that were timed, which returned nothing of blocks, and
    /// their time in nanoseconds.
    pub own_syscalls: (u64, u64),
    /// Definitions that were invalid, so the recording is damaged.
    pub refused_definitions: u64,
    /// The processes.
    pub processes: u64,
    /// Their threads.
    pub threads: u64,
    /// The sum of the threads' lifetimes without the pauses, in nanoseconds.
    pub threads_ns: u64,
    /// If only some blocks were followed to the end: from when on, and how few.
    pub thinned: Option<ThinnedAccount>,
    /// If only some calls have their stack: what is exact. Sites are estimates then.
    pub sampled: Option<SampledAccount>,
    /// What the command's last program paid before its main, if that is known.
    pub start: Option<StartAccount>,
    /// What mappings took beside resident memory. Its sites are places of `sites`.
    pub mappings: MappingAccount,
    /// What happened when.
    pub timeline: Timeline,
    /// What each process and each thread did.
    pub tallied: TalliedProcesses,
    /// Where blocks come from.
    pub arenas: AllArenas,
    /// The slowest calls.
    pub slow: SlowAccount,
    /// The times off the processor in what sites pay for.
    pub off_cpu: OffCpuAccount,
    pub(super) frames: FrameTree,
    pub(super) paused: Pauses,
    pub(super) faults: FaultSums,
}

impl AllocationAccount {
    /// The frames of a stack, from the innermost to the outermost.
    pub fn frames(&self, stack: FrameId) -> impl Iterator<Item = ResolvedFrame> {
        self.frames.frames(stack)
    }

    /// The part of a time on the stream's clock that was recorded, in nanoseconds.
    #[must_use]
    pub fn recorded_ns(&self, from_ns: u64, to_ns: u64) -> u64 {
        self.paused.recorded_ns(from_ns, to_ns)
    }

    /// The faults of all sites, and of none.
    #[must_use]
    pub fn all_faults(&self) -> FaultSums {
        self.faults
    }

    /// The calls of all sites that ask the allocator for memory, and their times.
    #[must_use]
    pub fn all_apparent(&self) -> TimedCalls {
        if let Some(sampled) = &self.sampled {
            return sampled.all.apparent;
        }
        let mut all = TimedCalls::default();
        self.allocating().for_each(|site| all.add_all(&site.apparent));
        all
    }

    /// The calls that only give back to the allocator, of all sites and of none, and their times.
    #[must_use]
    pub fn all_releases(&self) -> TimedCalls {
        if let Some(thinned) = &self.thinned {
            return thinned.releases;
        }
        let mut all = self.unowned;
        if let Some(sampled) = &self.sampled {
            all.add_all(&sampled.all.release);
            return all;
        }
        self.allocating().for_each(|site| all.add_all(&site.release));
        all
    }

    /// The sites that ask the allocator.
    fn allocating(&self) -> impl Iterator<Item = &Site> {
        self.sites.iter().filter(|site| !site.maps)
    }
}
