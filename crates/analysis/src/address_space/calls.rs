//! The effects of memory syscalls on an address space. The constants are those of
//! `<asm-generic/mman-common.h>`, which x86-64 and arm64 use.

use std::sync::Arc;

use events::{Call, MappingKind, Syscall, Thread};

use super::AddressSpace;
use super::pages::CHUNK_PAGES;
use super::regions::{ACCESSIBLE, MappedRegion, WRITABLE};
use super::under_way::UnderWay;
use super::vma::OtherFlags;

const MAP_SHARED: u64 = 0x01;
const MAP_SHARED_VALIDATE: u64 = 0x03;
const MAP_TYPE: u64 = 0x0f;
const MAP_ANONYMOUS: u64 = 0x20;
const MAP_GROWSDOWN: u64 = 0x100;
const MAP_LOCKED: u64 = 0x2000;
const MAP_POPULATE: u64 = 0x8000;
const MAP_NONBLOCK: u64 = 0x1_0000;
const MAP_STACK: u64 = 0x2_0000;
const MAP_HUGETLB: u64 = 0x4_0000;
const MAP_HUGE_SHIFT: u64 = 26;
const MLOCK_ONFAULT: u64 = 1;
const MCL_CURRENT: u64 = 1;
const MCL_FUTURE: u64 = 2;
const MCL_ONFAULT: u64 = 4;
const LOCKS: OtherFlags = OtherFlags::LOCKED.with(OtherFlags::LOCKED_ON_FAULT);
const MADV_GUARD_INSTALL: u64 = 102;
const MADV_GUARD_REMOVE: u64 = 103;
const SHM_RDONLY: u64 = 0o10000;
/// The usual page size of hugetlbfs, if the call gives none.
pub(super) const HUGE_BYTES: u64 = 2 << 20;

impl AddressSpace {
    /// Takes `call` of `thread`, on behalf of a call site, which began at `time_ns`. Returns the
    /// new mapping if the call is mmap(2).
    pub(crate) fn call(
        &mut self,
        call: &Syscall,
        (thread, site): (Thread, Option<u32>),
        time_ns: u64,
    ) -> Option<MappedRegion> {
        self.was_there = false;
        self.settle_before(thread.tid, time_ns);
        let result = match call.succeeded_with() {
            _ if !call.arguments_known => return None,
            Some(result) => result,
            // It may have taken effect in part.
            None if call.call == Call::Mremap && call.result.is_some() => call.arguments[4],
            None => return None,
        };
        let born_ns = call
            .span
            .latency_ns
            .map_or(u64::MAX, |latency_ns| time_ns.saturating_add(latency_ns.get()));
        let region = (call.call == Call::Mmap).then(|| self.mapped_by(&call.arguments, result));
        let under_way =
            UnderWay { call: *call, tid: thread.tid, site, result, began_ns: time_ns, born_ns };
        let gets_an_address =
            matches!(call.call, Call::Mmap | Call::Mremap | Call::Shmat | Call::MapShadowStack);
        if gets_an_address && time_ns < born_ns {
            self.begin(under_way);
        } else if born_ns == u64::MAX {
            self.apply(&UnderWay { born_ns: time_ns, ..under_way });
        } else {
            self.apply(&under_way);
        }
        region
    }

    /// Applies the effect of a call.
    pub(super) fn apply(&mut self, call: &UnderWay) {
        self.regions_mut().reserving = call.site;
        self.take_effect(call);
        self.regions_mut().reserving = None;
    }

    fn take_effect(&mut self, under_way: &UnderWay) {
        let UnderWay { call, result, began_ns: time_ns, born_ns, .. } = *under_way;
        let [first, second, third, ..] = call.arguments;
        let end = self.page_end(first.saturating_add(second));
        match call.call {
            Call::Mmap => self.mmap(&call.arguments, result, time_ns, born_ns),
            Call::Munmap => self.take_away(first, end, under_way),
            Call::Mremap if call.succeeded_with().is_none() => {
                self.mremap_failed(&call.arguments, time_ns);
            }
            Call::Mremap => self.mremap(&call.arguments, result, time_ns, born_ns),
            Call::Brk => self.brk(under_way),
            Call::Mprotect => {
                self.change(first, end, time_ns, |region| region.protect(low(third)));
            }
            Call::PkeyMprotect => {
                let key = low(call.arguments[3]);
                self.change(first, end, time_ns, |region| {
                    region.protect(low(third));
                    region.vma.flags = region.vma.flags.with_key(key);
                });
            }
            Call::Madvise => self.madvise(first, end, third, time_ns),
            Call::Mlock => self.lock(first, end, 0, time_ns),
            Call::Mlock2 => self.lock(first, end, third, time_ns),
            Call::Munlock => self.flag(first, end, time_ns, |flags| flags.without(LOCKS)),
            Call::Mlockall => self.mlockall(first, time_ns),
            Call::Munlockall => {
                self.locks_new = OtherFlags::default();
                self.flag(0, u64::MAX, time_ns, |flags| flags.without(LOCKS));
            }
            Call::Mseal => self.flag(first, end, time_ns, |flags| flags.with(OtherFlags::SEALED)),
            Call::Mbind => {
                let mode = low(third);
                self.flag(first, end, time_ns, |flags| flags.with_policy(mode));
            }
            Call::Userfaultfd => self.told_of_faults = true,
            Call::Shmat => {
                let protection = if third & SHM_RDONLY == 0 { 1 | WRITABLE } else { 1 };
                // The size is that of the segment, which only the kernel's report has.
                let end = result.saturating_add(self.header.page_bytes);
                self.put(
                    MappedRegion::new(result, end, MappingKind::SharedAnonymous, protection),
                    born_ns,
                );
            }
            Call::Shmdt => {
                let end = self.end_of_segment(first);
                self.take_away(first, end, under_way);
            }
            Call::MapShadowStack => {
                let end = self.page_end(result.saturating_add(second));
                let stack = MappedRegion::new(result, end, MappingKind::Anonymous, 1 | WRITABLE);
                self.put(stack.accounted(), born_ns);
            }
            _ => {}
        }
    }

    /// The end of the shared memory that was attached at `start`: the kernel detaches what has the
    /// offsets of one segment, beginning with 0 (`ksys_shmdt` of ipc/shm.c).
    fn end_of_segment(&self, start: u64) -> u64 {
        let mut end = start;
        while let Some(part) =
            self.at(end).map(|region| region.part(end, u64::MAX)).filter(|part| {
                part.kind == MappingKind::SharedAnonymous && part.offset_bytes == end - start
            })
        {
            end = part.end;
        }
        end
    }

    fn mmap(&mut self, arguments: &[u64; 6], start: u64, time_ns: u64, born_ns: u64) {
        let flags = arguments[3];
        let mut region = self.mapped_by(arguments, start);
        // A long call may arrive late, after the kernel's report of its mapping.
        let known = self.at(start).filter(|known| known.kind == region.kind);
        if let Some(known) = known.filter(|_| self.regions.is_new(start, time_ns)) {
            region.name = known.name;
        }
        self.put(region, born_ns);
        let populates = flags & (MAP_POPULATE | MAP_NONBLOCK) == MAP_POPULATE;
        if populates || region.vma.flags.is_locked_whole() {
            self.populate(&[region]);
        }
    }

    /// The region that an mmap(2) made at `start`.
    fn mapped_by(&self, arguments: &[u64; 6], start: u64) -> MappedRegion {
        let [_, length, protection, flags, _, offset_bytes] = *arguments;
        let shared = matches!(flags & MAP_TYPE, MAP_SHARED | MAP_SHARED_VALIDATE);
        let kind = match (flags & MAP_ANONYMOUS != 0, shared) {
            (true, true) => MappingKind::SharedAnonymous,
            (true, false) if flags & (MAP_STACK | MAP_GROWSDOWN) != 0 => MappingKind::ThreadStack,
            (true, false) => MappingKind::Anonymous,
            (false, true) => MappingKind::SharedFile,
            (false, false) => MappingKind::PrivateFile,
        };
        let hugetlb_bytes = match (flags & MAP_HUGETLB != 0, flags >> MAP_HUGE_SHIFT & 63) {
            (false, _) => 0,
            (true, 0) => HUGE_BYTES,
            (true, shift) => 1 << shift,
        };
        let end = self.page_end(start.saturating_add(round_up(length, hugetlb_bytes)));
        let region = MappedRegion::new(start, end, kind, low(protection) & ACCESSIBLE);
        let offset_bytes = if region.is_file() { offset_bytes } else { 0 };
        let grows_down = flags & MAP_GROWSDOWN != 0;
        let mut region = MappedRegion { offset_bytes, hugetlb_bytes, grows_down, ..region };
        region = region.reserved(flags, self.rules);
        region.vma.flags = match flags & MAP_LOCKED {
            0 => self.locks_new,
            _ => self.locks_new.with(OtherFlags::LOCKED),
        };
        region
    }

    fn brk(&mut self, call: &UnderWay) {
        let now = call.result;
        let Some(before) = self.break_at.replace(now) else { return };
        let (before, now) = (self.page_end(before), self.page_end(now));
        if now < before {
            self.take_away(now, before, call);
        } else if before < now {
            let mut grown = MappedRegion::new(before, now, MappingKind::Heap, 1 | WRITABLE);
            grown = grown.accounted();
            grown.vma.flags = self.locks_new;
            self.put(grown, call.born_ns);
            if self.locks_new.is_locked_whole() {
                self.populate(&[grown]);
            }
        }
    }

    fn madvise(&mut self, start: u64, end: u64, advice: u64, time_ns: u64) {
        match advice {
            // Freed pages may stay for a while, but then they do not fault.
            _ if returns_pages(advice) || advice == MADV_GUARD_INSTALL => {
                let mut parts = self.regions.known(start, end, time_ns);
                // Only MADV_REMOVE removes pages from all processes that share them.
                parts.retain(|part| advice == 9 || part.kind != MappingKind::SharedAnonymous);
                self.discard(&parts);
                if matches!(advice, 4 | 24) && self.rules.frees_empty_tables {
                    Arc::make_mut(&mut self.tables).discard(start, end);
                }
                if advice == MADV_GUARD_INSTALL {
                    self.guard(&parts);
                }
            }
            MADV_GUARD_REMOVE => {
                let (first, end) = (self.page(start), self.page(end));
                Arc::make_mut(&mut self.guards).remove_range(first, end);
            }
            // MADV_PAGEOUT: pages of a file are dropped, others go to swap.
            21 => {
                let mut parts = self.regions.known(start, end, time_ns);
                parts.retain(MappedRegion::is_file);
                self.discard(&parts);
            }
            14 => self.change(start, end, time_ns, |region| region.huge = Some(true)),
            15 => self.change(start, end, time_ns, |region| region.huge = Some(false)),
            // MADV_POPULATE_READ, MADV_POPULATE_WRITE
            22 | 23 => self.populate_between(start, end),
            // MADV_COLLAPSE makes whole huge pages.
            25 => {
                let huge_bytes = CHUNK_PAGES * self.header.page_bytes;
                self.populate_between(round_up(start, huge_bytes), end - end % huge_bytes);
            }
            _ => self.flag(start, end, time_ns, |flags| flags.advised(advice)),
        }
    }

    /// Makes the pages of `parts` inaccessible. Guards lie in page tables, so the mapping stays
    /// one.
    fn guard(&mut self, parts: &[MappedRegion]) {
        for part in parts {
            let (first, end) = (self.page(part.start), self.page(part.end));
            Arc::make_mut(&mut self.guards).add_range(first, end);
        }
    }

    /// Locks what is mapped from `start` to `end` into memory, with the flags of mlock2(2).
    fn lock(&mut self, start: u64, end: u64, flags: u64, time_ns: u64) {
        let locks = locked(flags & MLOCK_ONFAULT != 0);
        self.flag(start, end, time_ns, |flags| flags.without(LOCKS).with(locks));
        if locks.is_locked_whole() {
            self.populate_between(start, end);
        }
    }

    fn mlockall(&mut self, flags: u64, time_ns: u64) {
        let locks = locked(flags & MCL_ONFAULT != 0);
        self.locks_new = if flags & MCL_FUTURE == 0 { OtherFlags::default() } else { locks };
        if flags & MCL_CURRENT != 0 {
            self.flag(0, u64::MAX, time_ns, |flags| flags.without(LOCKS).with(locks));
        }
        if flags & MCL_CURRENT != 0 && locks.is_locked_whole() {
            let all: Vec<MappedRegion> = self.regions.iter().copied().collect();
            self.populate(&all);
        }
    }

    /// Changes the flags of what is mapped from `start` to `end`.
    fn flag(
        &mut self,
        start: u64,
        end: u64,
        time_ns: u64,
        change: impl Fn(OtherFlags) -> OtherFlags,
    ) {
        self.change(start, end, time_ns, |region| region.vma.flags = change(region.vma.flags));
    }

    fn populate_between(&mut self, start: u64, end: u64) {
        let parts = self.regions.parts(start, end);
        self.populate(&parts);
    }

    /// Unmaps what lies from `start` to `end`, by a call that began at `time_ns`. Returns the
    /// removed parts.
    pub(super) fn unmap(&mut self, start: u64, end: u64, time_ns: u64) -> Vec<MappedRegion> {
        if self.regions.parts(start, end).is_empty() {
            return Vec::new();
        }
        let gone = self.regions_mut().remove(start, end, time_ns);
        self.forget(&gone);
        gone
    }

    /// Puts `region` in place, whose addresses the program gets at `born_ns`.
    pub(super) fn put(&mut self, region: MappedRegion, born_ns: u64) {
        self.settle_moves_from(region.start, region.end);
        self.unmap(region.start, region.end, u64::MAX);
        self.regions_mut().put(region, born_ns);
    }

    fn change(&mut self, start: u64, end: u64, time_ns: u64, change: impl Fn(&mut MappedRegion)) {
        self.regions_mut().change(start, end, time_ns, change);
    }
}

/// Whether this advice gives pages back to the kernel: `MADV_DONTNEED`, `MADV_FREE`,
/// `MADV_REMOVE`, `MADV_DONTNEED_LOCKED`.
pub(crate) fn returns_pages(advice: u64) -> bool {
    matches!(advice, 4 | 8 | 9 | 24)
}

/// The flags of memory that is locked, as a whole or page by page as it is touched.
fn locked(on_fault: bool) -> OtherFlags {
    if on_fault { LOCKS } else { OtherFlags::LOCKED }
}

/// `value` rounded up to a multiple of `unit`; unchanged if `unit` is 0.
fn round_up(value: u64, unit: u64) -> u64 {
    value.checked_next_multiple_of(unit).unwrap_or(value)
}

#[expect(clippy::cast_possible_truncation, reason = "masked by the caller")]
fn low(value: u64) -> u32 {
    value as u32
}
