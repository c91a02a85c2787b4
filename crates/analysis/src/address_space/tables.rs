//! The page tables of a process, as `VmPTE` counts them: the tables of the lowest three levels
//! (`mm_pgtables_bytes` of `mm/oom_kill.c`: pte, pmd, pud). A table has as many entries as a page
//! has words of eight bytes, so one of the lowest level serves 2 MiB if pages have 4 KiB. A huge
//! page has one too: the kernel keeps it for the time when the page is split
//! (`pgtable_trans_huge_deposit`).

use std::collections::HashSet;
use std::ops::RangeInclusive;

use super::regions::Regions;

/// The size of a page, and so of a table, where tables are counted: with others the levels differ.
pub(crate) const COUNTED_PAGE_BYTES: u64 = 4096;
/// The bits of an address within what a table of each level serves: 2 MiB, 1 GiB, 512 GiB.
const SHIFTS: [u32; 3] = [21, 30, 39];

/// The tables that exist, by level and by the range that they serve.
#[derive(Debug, Clone, Default)]
pub(crate) struct PageTables {
    levels: [HashSet<u64>; SHIFTS.len()],
    /// The number of tables.
    count: u64,
    /// The latest of the lowest level; nearly every fault is in it.
    latest: Option<u64>,
}

impl PageTables {
    /// Their size.
    pub(crate) fn bytes(&self) -> u64 {
        self.count.saturating_mul(COUNTED_PAGE_BYTES)
    }

    /// Whether the table of a page at `address` is known to exist.
    pub(crate) fn is_latest(&self, address: u64) -> bool {
        self.latest == Some(address >> SHIFTS[0])
    }

    /// A page at `address` is mapped; one of hugetlbfs of `hugetlb_bytes`, if that is not 0, in a
    /// table of a higher level.
    pub(crate) fn touch(&mut self, address: u64, hugetlb_bytes: u64) {
        for (level, shift) in SHIFTS.into_iter().enumerate() {
            if hugetlb_bytes >> shift == 0 && self.levels[level].insert(address >> shift) {
                self.count += 1;
            }
        }
        if hugetlb_bytes == 0 {
            self.latest = Some(address >> SHIFTS[0]);
        }
    }

    /// The pages from `start` to `end` are mapped.
    pub(crate) fn touch_range(&mut self, start: u64, end: u64, hugetlb_bytes: u64) {
        let step = hugetlb_bytes.max(1 << SHIFTS[0]);
        let mut at = start;
        while at < end {
            self.touch(at, hugetlb_bytes);
            at = (at / step + 1).saturating_mul(step);
        }
    }

    /// The parts of `start..end` whose pages have tables of the lowest level: the first and the
    /// last address of each.
    pub(crate) fn lowest_between(&self, start: u64, end: u64) -> Vec<(u64, u64)> {
        let Some(last) = end.checked_sub(1).filter(|last| start <= *last) else {
            return Vec::new();
        };
        let (shift, tables) = (SHIFTS[0], &self.levels[0]);
        let range = start >> shift..=last >> shift;
        let part = |table: u64| {
            let (from, to) = served(table, shift);
            (from.max(start), to.min(last))
        };
        if range.end() - range.start() < tables.len() as u64 {
            range.filter(|table| tables.contains(table)).map(part).collect()
        } else {
            tables.iter().copied().filter(|table| range.contains(table)).map(part).collect()
        }
    }

    /// What lay from `start` to `end` was unmapped: tables that serve none of `regions` are freed
    /// (`free_pgtables` of mm/memory.c).
    pub(crate) fn unmap(&mut self, start: u64, end: u64, regions: &Regions) {
        let Some(last) = end.checked_sub(1).filter(|last| start <= *last) else { return };
        for (level, shift) in SHIFTS.into_iter().enumerate() {
            self.remove(level, start >> shift..=last >> shift, |table| {
                let (from, to) = served(table, shift);
                regions.is_empty_between(from, to)
            });
        }
    }

    /// The pages from `start` to `end` were discarded by a kernel that frees empty tables.
    pub(crate) fn discard(&mut self, start: u64, end: u64) {
        let (first, after) = (start.div_ceil(1 << SHIFTS[0]), end >> SHIFTS[0]);
        if first < after {
            self.remove(0, first..=after - 1, |_| true);
        }
    }

    /// Keeps the tables that a child of fork(2) gets: those of memory with pages of its own
    /// (`vma_needs_copy` of mm/memory.c). It faults for the others.
    pub(crate) fn fork(&mut self, regions: &Regions) {
        for (tables, shift) in self.levels.iter_mut().zip(SHIFTS) {
            tables.retain(|&table| {
                let (from, to) = served(table, shift);
                regions.parts(from, to).iter().any(|part| part.vma.owner != 0)
            });
        }
        self.count = self.levels.iter().map(|level| level.len() as u64).sum();
        self.latest = None;
    }

    /// Removes those tables of a range that are `gone`.
    fn remove(&mut self, level: usize, range: RangeInclusive<u64>, gone: impl Fn(u64) -> bool) {
        let tables = &mut self.levels[level];
        let before = tables.len();
        if range.end() - range.start() < before as u64 {
            for table in range {
                if tables.contains(&table) && gone(table) {
                    tables.remove(&table);
                }
            }
        } else {
            tables.retain(|table| !(range.contains(table) && gone(*table)));
        }
        let removed = before - tables.len();
        if removed > 0 {
            self.count -= removed as u64;
            self.latest = None;
        }
    }
}

/// The addresses that a table serves, but the last one.
fn served(table: u64, shift: u32) -> (u64, u64) {
    let start = table << shift;
    (start, start | ((1 << shift) - 1))
}

#[cfg(test)]
mod tests {
    use events::MappingKind;

    use super::*;
    use crate::address_space::regions::MappedRegion;

    const MIB: u64 = 1 << 20;

    #[test]
    fn a_page_needs_a_table_of_each_level() {
        let mut tables = PageTables::default();
        let tables_of = |tables: &PageTables| tables.bytes() / COUNTED_PAGE_BYTES;
        tables.touch(10 * MIB, 0);
        assert_eq!(tables_of(&tables), 3);
        tables.touch(11 * MIB, 0);
        assert_eq!(tables_of(&tables), 3, "the same table");
        assert!(tables.is_latest(11 * MIB) && !tables.is_latest(12 * MIB));
        tables.touch_range(12 * MIB, 16 * MIB, 0);
        assert_eq!(tables_of(&tables), 5);
        tables.touch(1 << 40, 2 * MIB);
        assert_eq!(tables_of(&tables), 7, "a page of hugetlbfs has no table of the lowest level");
    }

    #[test]
    fn a_table_is_freed_when_it_serves_no_mapping() {
        let mut regions = Regions::default();
        let kept = MappedRegion::new(0, MIB, MappingKind::Anonymous, 3);
        regions.put(kept, 0);
        let mut tables = PageTables::default();
        tables.touch_range(0, 8 * MIB, 0);
        assert_eq!(tables.bytes(), 6 * COUNTED_PAGE_BYTES);
        tables.unmap(MIB, 8 * MIB, &regions);
        assert_eq!(tables.bytes(), 3 * COUNTED_PAGE_BYTES, "the first serves what is kept");
        tables.touch_range(0, 8 * MIB, 0);
        tables.discard(MIB, 5 * MIB);
        assert_eq!(tables.bytes(), 5 * COUNTED_PAGE_BYTES, "only 2 to 4 MiB is a whole table");
        tables.unmap(0, u64::MAX, &Regions::default());
        assert_eq!(tables.bytes(), 0);
    }
}
