//! The regions of an address space: ranges without overlaps, joined like the kernel joins mappings.

use std::collections::BTreeMap;
use std::ops::Range;

use events::{MappingKind, ModuleId, Name};

use super::births::Births;
use super::holders::Holders;
use super::vma::Vma;

/// `PROT_WRITE` of `<asm-generic/mman-common.h>`.
pub(crate) const WRITABLE: u32 = 2;
/// `PROT_READ`, `PROT_WRITE` or `PROT_EXEC`.
pub(crate) const ACCESSIBLE: u32 = 7;

/// A mapped range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MappedRegion {
    /// The first address.
    pub start: u64,
    /// The address after the last.
    pub end: u64,
    /// The kind of mapping.
    pub kind: MappingKind,
    /// The file, or the name of the memory.
    pub name: Name,
    /// The file; [`ModuleId::NONE`] without one, and before the kernel has reported it.
    pub module: ModuleId,
    /// `PROT_READ` 1, `PROT_WRITE` 2, `PROT_EXEC` 4.
    pub protection: u32,
    /// The offset in the file, or in the shared memory; 0 for private memory.
    pub offset_bytes: u64,
    /// The advice about huge pages by madvise(2).
    pub(crate) huge: Option<bool>,
    /// The page size of a `MAP_HUGETLB` mapping; else 0.
    pub(crate) hugetlb_bytes: u64,
    /// Whether a fault below its start makes it grow (the stack, `MAP_GROWSDOWN`).
    pub(crate) grows_down: bool,
    /// The mapping existed before the trace, so its touched pages are unknown.
    pub(crate) was_there: bool,
    /// It may be gone, or not have come: a call that failed took effect in part.
    pub(crate) perhaps: bool,
    /// What else the kernel keeps of it.
    pub(crate) vma: Vma,
}

impl MappedRegion {
    /// A region with defaults for everything else.
    pub(crate) fn new(start: u64, end: u64, kind: MappingKind, protection: u32) -> MappedRegion {
        MappedRegion {
            start,
            end,
            kind,
            name: Name::NONE,
            module: ModuleId::NONE,
            protection,
            offset_bytes: 0,
            huge: None,
            hugetlb_bytes: 0,
            grows_down: kind == MappingKind::Stack,
            was_there: false,
            perhaps: false,
            vma: Vma::default(),
        }
    }

    /// The part from `start` to `end`.
    pub(crate) fn part(mut self, start: u64, end: u64) -> MappedRegion {
        let start = start.max(self.start);
        if self.has_offset() {
            self.offset_bytes = self.offset_bytes.wrapping_add(start - self.start);
        }
        (self.start, self.end) = (start, end.min(self.end));
        self
    }

    /// What of it lies before `start` and from `end` on.
    pub(crate) fn outside(&self, start: u64, end: u64) -> impl Iterator<Item = MappedRegion> {
        let sides =
            [self.part(self.start, start.max(self.start)), self.part(end.min(self.end), self.end)];
        sides.into_iter().filter(|side| side.start < side.end)
    }

    /// Whether a file is mapped.
    #[must_use]
    pub fn is_file(&self) -> bool {
        self.kind.is_file()
    }

    /// Whether its pages are those of an object that has an order of its own: a file, or a segment
    /// of shared memory. Two segments beside each other are not one mapping.
    pub(crate) fn has_offset(&self) -> bool {
        self.is_file() || self.kind == MappingKind::SharedAnonymous
    }

    /// Whether pages can be written.
    pub(crate) fn is_writable(&self) -> bool {
        self.protection & WRITABLE != 0
    }

    /// Whether pages can be accessed at all.
    pub(crate) fn is_accessible(&self) -> bool {
        self.protection & ACCESSIBLE != 0
    }

    /// Whether its addresses have the same place in the same file as in `parts`, which it replaces,
    /// or no file, now and before.
    fn has_files_of(&self, parts: &[MappedRegion]) -> bool {
        if !self.is_file() {
            return !parts.iter().any(MappedRegion::is_file);
        }
        let is_same = |part: &MappedRegion| {
            let own = self.part(part.start, part.end);
            part.is_file() && (own.module, own.offset_bytes) == (part.module, part.offset_bytes)
        };
        let covered_bytes: u64 = parts.iter().map(|part| part.end - part.start).sum();
        covered_bytes == self.end - self.start && parts.iter().all(is_same)
    }

    /// Whether `next` continues it, in one object with the same properties.
    pub(crate) fn is_continued_in(&self, next: &MappedRegion) -> bool {
        let offset_bytes = if self.has_offset() {
            self.offset_bytes.wrapping_add(self.end - self.start)
        } else {
            0
        };
        let (start, end, vma) = (next.start, next.end, next.vma);
        let whole = MappedRegion { start, end, offset_bytes, vma, ..*self };
        self.end == next.start && whole == *next
    }
}

/// The regions of an address space, by start.
#[derive(Debug, Clone, Default)]
pub(crate) struct Regions {
    by_start: BTreeMap<u64, MappedRegion>,
    births: Births,
    /// Where another file is mapped than before, or none any more, since this was last taken.
    changed_files: Vec<Range<u64>>,
    /// Who reserved them, and their sizes.
    pub(super) holders: Holders,
    /// The call site on whose behalf regions are put in place.
    pub(super) reserving: Option<u32>,
    /// The numbers up to this are of owners of pages that a parent had before fork(2).
    pub(super) inherited_owners: u32,
    /// The number of the latest owner of pages.
    pub(super) latest_owner: u32,
}

impl Regions {
    /// The region with `address`.
    pub(crate) fn at(&self, address: u64) -> Option<&MappedRegion> {
        self.by_start
            .range(..=address)
            .next_back()
            .map(|(_, region)| region)
            .filter(|region| address < region.end)
    }

    /// The first region that starts above `address`.
    pub(crate) fn above(&self, address: u64) -> Option<&MappedRegion> {
        self.by_start.range(address.saturating_add(1)..).next().map(|(_, region)| region)
    }

    /// All regions, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &MappedRegion> {
        self.by_start.values()
    }

    /// The parts of regions from `start` to `end`, ascending.
    pub(crate) fn parts(&self, start: u64, end: u64) -> Vec<MappedRegion> {
        if start >= end {
            return Vec::new();
        }
        let before = self.at(start).filter(|region| region.start < start);
        let inside = self.by_start.range(start..end).map(|(_, region)| region);
        before.into_iter().chain(inside).map(|region| region.part(start, end)).collect()
    }

    /// The parts of regions from `start` to `end` that a call can concern which began at
    /// `time_ns`, ascending.
    pub(crate) fn known(&self, start: u64, end: u64, time_ns: u64) -> Vec<MappedRegion> {
        self.births.older(self.parts(start, end), time_ns)
    }

    /// The ranges from `start` to `end`, ascending, that are mapped, or have been since `time_ns`.
    pub(crate) fn ever_mapped(&self, start: u64, end: u64, time_ns: u64) -> Vec<Range<u64>> {
        let hole = |from, to| MappedRegion::new(from, to, MappingKind::Other, 0);
        let mut at = start;
        let mut holes = Vec::new();
        for part in self.parts(start, end) {
            holes.push(hole(at, part.start));
            at = part.end;
        }
        holes.push(hole(at, end));
        holes.retain(|hole| hole.start < hole.end);
        at = start;
        let mut mapped = Vec::new();
        for hole in self.births.older(holes, time_ns) {
            mapped.push(at..hole.start);
            at = hole.end;
        }
        mapped.push(at..end);
        mapped.retain(|range| !range.is_empty());
        mapped
    }

    /// Whether the program got `address` at `time_ns` or later.
    pub(crate) fn is_new(&self, address: u64, time_ns: u64) -> bool {
        self.births.has(address, time_ns)
    }

    /// Unmaps the regions from `start` to `end`, by a call that began at `time_ns`. Returns the
    /// removed parts.
    pub(crate) fn remove(&mut self, start: u64, end: u64, time_ns: u64) -> Vec<MappedRegion> {
        let gone = self.known(start, end, time_ns);
        for part in &gone {
            self.take_out(part);
            self.holders.release(part.start, part.end);
        }
        let files = gone.iter().filter(|part| part.is_file());
        self.changed_files.extend(files.map(|part| part.start..part.end));
        gone
    }

    /// Whether there is something to take.
    pub(crate) fn has_changed_files(&self) -> bool {
        !self.changed_files.is_empty()
    }

    /// Moves the ranges in which another file is mapped than before to `into`.
    pub(crate) fn take_changed_files(&mut self, into: &mut Vec<Range<u64>>) {
        into.append(&mut self.changed_files);
    }

    /// Puts `region` in place, whose addresses the program gets at `born_ns`. Returns the removed
    /// parts of others.
    pub(crate) fn put(&mut self, region: MappedRegion, born_ns: u64) -> Vec<MappedRegion> {
        if region.start < region.end {
            self.births.add(region.start, region.end, born_ns);
        }
        let gone = self.make_room_for(&region);
        self.holders.reserve(region.start, region.end, self.reserving);
        self.insert(region);
        gone
    }

    /// Puts `region` in place; its addresses are not new. Returns the removed parts of others.
    pub(crate) fn replace(&mut self, region: MappedRegion) -> Vec<MappedRegion> {
        let gone = self.make_room_for(&region);
        self.insert(region);
        gone
    }

    /// Whether nothing is mapped from `start` to `end`.
    pub(crate) fn is_empty_between(&self, start: u64, end: u64) -> bool {
        self.at(start).is_none() && self.by_start.range(start..end).next().is_none()
    }

    /// The mapping at `address` has its first page of its own: it gets an owner for such pages, or
    /// that of a neighbour which could be one mapping with it (`find_mergeable_anon_vma` of
    /// mm/vma.c).
    pub(crate) fn own_page(&mut self, address: u64) {
        let Some(region) = self.at(address).copied().filter(|region| region.vma.owner == 0) else {
            return;
        };
        let alike = |first: &MappedRegion, next: &MappedRegion| {
            let first = MappedRegion { protection: next.protection, ..*first };
            first.is_continued_in(next) && first.vma.shares_owner_with(&next.vma)
        };
        let before = region.start.checked_sub(1).and_then(|last| self.at(last));
        let neighbours = [
            self.at(region.end).filter(|next| alike(&region, next)),
            before.filter(|before| alike(before, &region)),
        ];
        let owners = neighbours.map(|region| region.map_or(0, |region| region.vma.owner));
        let known = owners.into_iter().find(|owner| *owner > self.inherited_owners);
        self.latest_owner = self.latest_owner.saturating_add(u32::from(known.is_none()));
        let owner = known.unwrap_or(self.latest_owner);
        if let Some(region) = self.by_start.get_mut(&region.start) {
            region.vma.owner = owner;
        }
    }

    /// Takes out what is in the way of `region`.
    fn make_room_for(&mut self, region: &MappedRegion) -> Vec<MappedRegion> {
        if region.start >= region.end {
            return Vec::new();
        }
        let gone = self.parts(region.start, region.end);
        for part in &gone {
            self.take_out(part);
        }
        if !region.has_files_of(&gone) {
            self.changed_files.push(region.start..region.end);
        }
        gone
    }

    /// Inserts `region` where nothing is.
    fn insert(&mut self, region: MappedRegion) {
        if region.start < region.end {
            self.holders.resize(&region, true);
            self.add(region);
            self.join(region.start);
            self.join(region.end);
        }
    }

    fn add(&mut self, region: MappedRegion) {
        self.holders.count(&region, true);
        self.by_start.insert(region.start, region);
    }

    fn drop_at(&mut self, start: u64) {
        if let Some(region) = self.by_start.remove(&start) {
            self.holders.count(&region, false);
        }
    }

    /// Changes the regions from `start` to `end`, by a call that began at `time_ns`.
    pub(crate) fn change(
        &mut self,
        start: u64,
        end: u64,
        time_ns: u64,
        change: impl Fn(&mut MappedRegion),
    ) {
        for part in self.known(start, end, time_ns) {
            let mut changed = part;
            change(&mut changed);
            if changed != part {
                self.replace(changed);
            }
        }
    }

    /// Removes `part` from its region.
    fn take_out(&mut self, part: &MappedRegion) {
        let Some(whole) = self.at(part.start).copied() else { return };
        self.drop_at(whole.start);
        self.holders.resize(&whole.part(part.start, part.end), false);
        for rest in [whole.part(whole.start, part.start), whole.part(part.end, whole.end)] {
            if rest.start < rest.end {
                self.add(rest);
            }
        }
    }

    /// Joins the two regions at `border`, if one continues the other.
    fn join(&mut self, border: u64) {
        let Some(next) = self.by_start.get(&border).copied() else { return };
        let before = border.checked_sub(1).and_then(|last| self.at(last)).copied();
        let joins = |before: &MappedRegion| {
            before.is_continued_in(&next)
                && before.vma.is_continued_by(&next.vma, self.inherited_owners)
        };
        let Some(before) = before.filter(joins) else { return };
        self.drop_at(border);
        self.drop_at(before.start);
        self.add(MappedRegion { end: next.end, vma: before.vma.joined(&next.vma), ..before });
    }
}
