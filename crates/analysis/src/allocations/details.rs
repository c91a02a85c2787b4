//! What is known of a site beyond its costs.

use super::frames::FrameId;
use super::served::ServedBy;
use super::sites::SiteId;
use super::steps::{FineSteps, PowerSteps};

/// Places of code that are told apart for each site; the others are one.
const TOUCHERS_MAX: usize = 64;

/// Details of a site. They count each call and block of the stream once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SiteDetails {
    /// Its calls by the sizes that were asked for.
    pub sizes: PowerSteps,
    /// Its blocks that were given back by their lifetimes, in nanoseconds.
    pub lifetimes: PowerSteps,
    /// The latencies of its timed calls, with everything inside, in nanoseconds.
    pub latencies: FineSteps,
    /// Its timed calls by how they were served.
    pub served: [u64; ServedBy::COUNT],
    /// The time of syscalls inside its calls, less that of returns of memory, for which others
    /// pay.
    pub syscall_ns: u64,
    /// The time of faults inside its calls that are of no block.
    pub inside_ns: u64,
    /// The time of faults inside its calls that are of a block.
    pub touch_ns: u64,
    /// Faults on its blocks by the code that touched: its place, their number, their time. Those of
    /// further places are [`FrameId::NONE`].
    pub touchers: Vec<(FrameId, u64, u64)>,
    /// Faults on its blocks by another thread of the process that had asked.
    pub other_thread: u64,
    /// Faults on its blocks by another process.
    pub other_process: u64,
    /// Faults on its blocks that copied a page, and their time.
    pub copied: (u64, u64),
    /// Those that only made a page writable again, and their time.
    pub reused: (u64, u64),
    /// Faults on its blocks whose page had been returned to the kernel while the block was live.
    pub returned: u64,
    /// Bytes of its blocks on whole pages of their own, in blocks of two pages or more.
    pub watched_bytes: u64,
    /// Those of them that were never touched, as far as faults were seen.
    pub untouched_bytes: u64,
}

impl SiteDetails {
    /// A call asked for so many bytes.
    #[inline]
    pub(super) fn call(&mut self, size_bytes: u64, latency_ns: Option<u64>) {
        self.sizes.add(size_bytes);
        if let Some(latency_ns) = latency_ns {
            self.latencies.add(latency_ns);
            self.served[ServedBy::Allocator as usize] += 1;
        }
    }

    /// Code at `place` took a fault on a block.
    pub(super) fn touched_by(&mut self, place: FrameId, ns: u64) {
        let known = self.touchers.iter_mut().find(|(known, ..)| *known == place);
        if let Some((_, faults, all_ns)) = known {
            (*faults, *all_ns) = (*faults + 1, all_ns.saturating_add(ns));
        } else if self.touchers.len() < TOUCHERS_MAX || place == FrameId::NONE {
            self.touchers.push((place, 1, ns));
        } else {
            self.touched_by(FrameId::NONE, ns);
        }
    }
}

/// The details of all sites by their numbers.
#[derive(Debug, Default)]
pub(super) struct DetailTable(Vec<SiteDetails>);

impl DetailTable {
    /// Those of a site; `None`: it is that of calls that were not chosen.
    #[inline]
    pub(super) fn of(&mut self, site: SiteId) -> Option<&mut SiteDetails> {
        let index = site.index()?;
        if index >= self.0.len() {
            self.0.resize_with(index + 1, SiteDetails::default);
        }
        Some(&mut self.0[index])
    }

    /// Those of `sites` sites.
    pub(super) fn finish(mut self, sites: usize) -> Vec<SiteDetails> {
        self.0.resize_with(sites, SiteDetails::default);
        self.0
    }
}
