//! Facts about pages, zeros and sharing.

use lab::design::capacity::MemoryLimits;
use lab::design::randomization::LatinOrders;
use results::claims::Claim;

use super::Gatherer;
use crate::ask::{Trouble, pick};
use crate::judge::sharing::FaultPair;
use crate::judge::{paging, sharing};
use crate::protocol::{FaultKind, ProbeTask};

/// The size that the post used, if it fits.
const MAPPED_BYTES: u64 = 100 << 20;
/// One process writes this much, and another reads as much.
const DIRTIED_BYTES: u64 = 128 << 20;
/// Below glibc's threshold of 128 KiB, and above it.
const BLOCKS: [usize; 5] = [16 << 10, 64 << 10, 120 << 10, 1 << 20, 32 << 20];
/// Memory of one sample of faults, and the number of pairs of samples.
const FAULTED_BYTES: usize = 16 << 20;
const FAULT_BLOCKS: usize = 24;

/// `wanted`, but at most a quarter of the memory left, in whole MiB.
pub(super) fn roomy(wanted: u64) -> Result<usize, Trouble> {
    let limits = MemoryLimits::now();
    let own = [limits.address_space_bytes, limits.data_bytes]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(u64::MAX);
    let bytes = wanted.min(limits.left_bytes().min(own) / 4) >> 20 << 20;
    match usize::try_from(bytes) {
        Ok(0) | Err(_) => Err(Trouble::Failed(
            "less than 4 MiB of memory left (limits, control group)".to_owned(),
        )),
        Ok(bytes) => Ok(bytes),
    }
}

impl Gatherer<'_> {
    pub(super) fn demand_paging(&mut self) -> Result<Claim, Trouble> {
        let bytes = roomy(MAPPED_BYTES)?;
        let mapping = self.asker.ask(ProbeTask::Page { bytes }, pick!(Paged))?;
        let block = self.asker.ask(ProbeTask::PageBlock { bytes }, pick!(Lazy))?;
        Ok(paging::demand_paging(&mapping, &block.paging, &self.who))
    }

    pub(super) fn zero_fill(&mut self) -> Result<Claim, Trouble> {
        let bytes = roomy(DIRTIED_BYTES)?;
        let dirtied =
            |answer| matches!(answer, crate::protocol::ProbeAnswer::Dirtied).then_some(());
        self.asker.ask(ProbeTask::Dirty { bytes }, dirtied)?;
        let zeroes = self.asker.ask(ProbeTask::ReadBack { bytes }, pick!(Zeroes))?;
        Ok(paging::zero_fill(&zeroes, bytes as u64))
    }

    pub(super) fn malloc_is_lazy(&mut self) -> Result<Claim, Trouble> {
        let room = roomy(BLOCKS[BLOCKS.len() - 1] as u64)?;
        let sizes = BLOCKS.into_iter().filter(|bytes| *bytes <= room);
        let blocks: Result<Vec<_>, _> = sizes
            .map(|bytes| self.asker.ask(ProbeTask::PageBlock { bytes }, pick!(Lazy)))
            .collect();
        Ok(paging::malloc_is_lazy(&blocks?, &self.who))
    }

    pub(super) fn shared(&mut self) -> Result<Claim, Trouble> {
        let seen = self.asker.ask(ProbeTask::Share, pick!(Shared))?;
        let bytes = roomy(FAULTED_BYTES as u64)?;
        let pages = (bytes / self.who.page_bytes) as f64;
        let kinds = [FaultKind::FirstTouch, FaultKind::CopyOnWrite];
        let mut orders = LatinOrders::new(kinds.len(), self.seed);
        let mut pairs = Vec::new();
        for block in 0..FAULT_BLOCKS {
            let mut per_page_ns = [0.0; 2];
            for &kind in orders.order(block) {
                let timed =
                    self.asker.ask(ProbeTask::Fault { bytes, kind: kinds[kind] }, pick!(Timed))?;
                per_page_ns[kind] = timed.time_ns.max(1) as f64 / pages;
            }
            let [first_touch_ns, copy_on_write_ns] = per_page_ns;
            pairs.push(FaultPair { first_touch_ns, copy_on_write_ns });
        }
        Ok(sharing::shared(&seen, &pairs, bytes as u64))
    }
}
