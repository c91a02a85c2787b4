//! What the mappings of processes take besides resident memory: their number, their sizes, what
//! the kernel has committed for them, and page tables; now, and at most.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::holders::{HeldSizes, MappingHolder};
use super::regions::{MappedRegion, Regions};
use super::tables::COUNTED_PAGE_BYTES;
use super::{AddressSpace, Whose};

/// What the mappings of one process take. A figure that cannot be known is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MappingSizes {
    /// The sizes of all mappings, in bytes.
    pub address_space_bytes: Option<u64>,
    /// The sizes of those that the kernel has committed memory for.
    pub accounted_bytes: Option<u64>,
    /// Their number.
    pub mappings: Option<u64>,
    /// Page tables, as far as they follow from faults.
    pub page_tables_bytes: Option<u64>,
    /// Pages that have been touched and not given back.
    pub touched_bytes: Option<u64>,
}

/// The most of a figure that one process had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MappingPeak {
    /// How much.
    pub value: u64,
    /// When it reached that, on the stream's clock.
    pub time_ns: u64,
    /// The process.
    pub pid: u32,
}

/// What the mappings of all processes of a stream took.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MappingAccount {
    /// The most bytes of addresses that one process had; like the following, `None` if unknown.
    pub address_space: Option<MappingPeak>,
    /// Likewise bytes that the kernel had committed memory for.
    pub accounted: Option<MappingPeak>,
    /// Likewise mappings.
    pub mappings: Option<MappingPeak>,
    /// Likewise bytes of page tables.
    pub page_tables: Option<MappingPeak>,
    /// Likewise bytes of touched pages.
    pub touched: Option<MappingPeak>,
    /// The sizes of the first process when it ended, or the stream did.
    pub end: MappingSizes,
    /// Who held each of the first three figures at its peak: each adds up to it.
    pub holders: Vec<(MappingHolder, HeldSizes)>,
    /// Processes whose mappings cannot be known (syscalls in 32-bit mode).
    pub hidden_processes: u64,
}

/// The figures that have a peak: those of [`HeldSizes`], page tables, touched pages.
const FIGURES: usize = 5;
const ACCOUNTED: usize = 1;
const PAGE_TABLES: usize = 3;
const TOUCHED: usize = 4;

/// The peaks of a process.
pub(super) type Peaks = [MappingPeak; FIGURES];

/// The peaks of all processes that have ended.
#[derive(Debug, Default)]
pub(super) struct MappingPeaks {
    most: Peaks,
    holders: BTreeMap<MappingHolder, [u64; 3]>,
    known: Option<[bool; FIGURES]>,
    end: MappingSizes,
    hidden: u64,
}

impl AddressSpace {
    /// The regions, to change them.
    pub(super) fn regions_mut(&mut self) -> &mut Regions {
        let inherited = self.inherited_owners;
        let regions = Arc::make_mut(&mut self.regions);
        regions.inherited_owners = inherited;
        regions
    }

    /// A page of `region` at `address` is mapped, perhaps by a write.
    pub(super) fn map_page(&mut self, region: &MappedRegion, address: u64, perhaps_written: bool) {
        if !self.tables.is_latest(address) {
            Arc::make_mut(&mut self.tables).touch(address, region.hugetlb_bytes);
        }
        if perhaps_written && region.vma.owner == 0 && region.is_private() {
            self.regions_mut().own_page(address);
        }
    }

    /// Pages of `part` are mapped, without a fault.
    pub(super) fn map_pages(&mut self, part: &MappedRegion, end: u64) {
        Arc::make_mut(&mut self.tables).touch_range(part.start, end, part.hugetlb_bytes);
        if part.is_writable() && part.vma.owner == 0 && part.is_private() {
            self.regions_mut().own_page(part.start);
        }
    }

    /// The pages from `from` to `end` move to `to`. Their tables are needed there.
    pub(super) fn move_tables(&mut self, from: u64, end: u64, to: u64) {
        let moved = self.tables.lowest_between(from, end);
        if !moved.is_empty() {
            let tables = Arc::make_mut(&mut self.tables);
            for (first, last) in moved {
                let target = |address: u64| to.saturating_add(address - from);
                tables.touch_range(target(first), target(last).saturating_add(1), 0);
            }
        }
    }

    /// The process turns out to have its own memory since it was forked.
    pub(super) fn become_own(&mut self) {
        self.whose = Whose::Own;
        if self.forks > 0 {
            Arc::make_mut(&mut self.tables).fork(&self.regions);
        }
    }

    /// Notes what is larger than ever since the process has its memory.
    pub(super) fn note_sizes(&mut self, pid: u32, time_ns: u64) {
        let are_peaks = self.regions.holders.are_peaks();
        if are_peaks.contains(&true) {
            self.regions_mut().holders.note_peaks();
            let figures = self.regions.holders.sizes().figures();
            for (figure, value) in figures.into_iter().enumerate() {
                if are_peaks[figure] {
                    self.peaks[figure] = MappingPeak { value, time_ns, pid };
                }
            }
        }
        for (figure, value) in
            [(PAGE_TABLES, self.tables.bytes()), (TOUCHED, self.all_touched_bytes())]
        {
            if value > self.peaks[figure].value {
                self.peaks[figure] = MappingPeak { value, time_ns, pid };
            }
        }
    }

    fn all_touched_bytes(&self) -> u64 {
        let pages = self.inherited_on_fork.count().saturating_add(self.not_inherited.count());
        pages.saturating_mul(self.header.page_bytes)
    }

    /// Which figures can be known.
    fn known(&self) -> [bool; FIGURES] {
        let sees = self.header.sees;
        let sees_pages = sees.faults && !self.attached;
        let counts_tables = sees_pages && self.header.page_bytes == COUNTED_PAGE_BYTES;
        [true, !self.attached, true, counts_tables, sees_pages].map(|known| known && sees.calls)
    }

    /// The sizes now.
    fn sizes(&self) -> MappingSizes {
        let [bytes, accounted, mappings] = self.regions.holders.sizes().figures();
        let all = [bytes, accounted, mappings, self.tables.bytes(), self.all_touched_bytes()];
        let known = self.known();
        let figure = |at: usize| known[at].then_some(all[at]);
        MappingSizes {
            address_space_bytes: figure(0),
            accounted_bytes: figure(ACCOUNTED),
            mappings: figure(2),
            page_tables_bytes: figure(PAGE_TABLES),
            touched_bytes: figure(TOUCHED),
        }
    }
}

impl MappingPeaks {
    /// Takes the peaks of a process whose memory goes; of the first one, the end too.
    pub(super) fn take(&mut self, space: &AddressSpace, is_first: bool) {
        if space.compat32 {
            self.hidden += 1;
            return;
        }
        if is_first {
            self.end = space.sizes();
        }
        let known = self.known.get_or_insert([true; FIGURES]);
        for (all, own) in known.iter_mut().zip(space.known()) {
            *all &= own;
        }
        let higher: Vec<usize> = (0..FIGURES)
            .filter(|&figure| space.peaks[figure].value > self.most[figure].value)
            .collect();
        let columns: Vec<usize> = higher.iter().copied().filter(|&figure| figure < 3).collect();
        if !columns.is_empty() {
            for sizes in self.holders.values_mut() {
                for &figure in &columns {
                    sizes[figure] = 0;
                }
            }
            for (holder, held) in space.regions.holders.at_peaks() {
                let sizes = self.holders.entry(holder).or_default();
                for &figure in &columns {
                    sizes[figure] = held.figures()[figure];
                }
            }
        }
        for figure in higher {
            self.most[figure] = space.peaks[figure];
        }
    }

    /// What all processes took.
    pub(super) fn finish(self) -> MappingAccount {
        let known = self.known.unwrap_or_default();
        let peak = |figure: usize| known[figure].then_some(self.most[figure]);
        let held = |(holder, figures): (MappingHolder, [u64; 3])| {
            let sizes = HeldSizes::of(
                [0, 1, 2].map(|figure| if known[figure] { figures[figure] } else { 0 }),
            );
            (sizes != HeldSizes::default()).then_some((holder, sizes))
        };
        MappingAccount {
            address_space: peak(0),
            accounted: peak(ACCOUNTED),
            mappings: peak(2),
            page_tables: peak(PAGE_TABLES),
            touched: peak(TOUCHED),
            end: self.end,
            holders: self.holders.into_iter().filter_map(held).collect(),
            hidden_processes: self.hidden,
        }
    }
}
