//! Faults: their causes, and the pages that they touch.

use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::Arc;

use events::{Cause, Fault, MappingKind, ThpPolicy, Thread};

use super::cause::{self, Access, Before, Evidence, PageFound, WriteEffect};
use super::pages::CHUNK_PAGES;
use super::regions::MappedRegion;
use super::sharing::Sharers;
use super::vma::OtherFlags;
use super::{AddressSpace, Whose, remove_from};

/// The kernel maps up to this much of a file around the page of a read fault, if it is in the page
/// cache (`fault_around_bytes` of mm/memory.c; only debugfs can change it).
pub(crate) const AROUND_BYTES: u64 = 64 << 10;
/// From the trap to the sample of a fault's beginning, which says whether the page is present. Held
/// against the processor's error codes, nearly all samples that came too late came within this time
/// after the end of another thread's fault on the page (docs/trace.md).
const SAMPLED_NS: u64 = 2000;
/// The kernel leaves at least this much room for the growth of the stack (`MIN_GAP` of mm/util.c).
const STACK_REACH_BYTES: u64 = 128 << 20;

/// The result for a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The cause.
    pub(crate) cause: Cause,
    /// The mapping.
    pub(crate) region: Option<MappedRegion>,
}

/// A fault and its page, which other threads may fault on as well.
struct Shared<'a> {
    fault: &'a Fault,
    region: &'a MappedRegion,
    page: u64,
    touched: bool,
    thread: Thread,
    time_ns: u64,
}

impl AddressSpace {
    /// Returns the cause of `fault` of a thread, whose process has the page with these `sharers`,
    /// and marks its page as touched.
    pub(crate) fn fault(
        &mut self,
        fault: &Fault,
        (thread, sharers): (Thread, Sharers),
        time_ns: u64,
    ) -> Seen {
        self.was_there = false;
        self.come_to(fault, thread, time_ns);
        // Without an end it came to nothing: the access was refused, or a signal interrupted it.
        let came_to_nothing = fault.span.latency_ns.is_none();
        let region = match self.at(fault.address) {
            None if !came_to_nothing => self.grown(fault.address),
            known => known,
        };
        let Some(region) = region else {
            return Seen { cause: Cause::Unknown, region: None };
        };
        let page = self.page_of(&region, fault.address);
        let touched = self.inherited_on_fork.has(page) || self.not_inherited.has(page);
        let access = if came_to_nothing || !region.is_accessible() || self.guards.has(page) {
            Access::Refused
        } else if region.is_writable() {
            Access::Write
        } else {
            Access::Read
        };
        let shared = Shared { fault, region: &region, page, touched, thread, time_ns };
        let write = self.write_effect(&shared, sharers);
        let cause = self.cause(&shared, access, write);
        let becomes_own = match cause {
            Cause::CopyOnWrite | Cause::Reuse => true,
            Cause::Unknown => {
                let is_there = fault.present.unwrap_or(touched);
                is_there && access == Access::Write && write == WriteEffect::Unclear
            }
            _ => false,
        };
        if access != Access::Refused && !touched {
            self.touch(&region, page, cause);
            self.touch_huge(&region, fault);
        } else if becomes_own {
            self.copy(page);
        }
        if access != Access::Refused {
            self.map_page(&region, fault.address, access == Access::Write);
        }
        if self.whose == Whose::Parents && self.shows_own_memory(&region, page, cause) {
            self.become_own();
        }
        if becomes_own {
            self.own(&region, fault, page);
        }
        self.recent.add(fault, thread, page, time_ns, cause);
        Seen { cause, region: Some(region) }
    }

    /// What `thread` and others have called has its effects where they are over, now that it takes
    /// `fault`.
    pub(crate) fn come_to(&mut self, fault: &Fault, thread: Thread, time_ns: u64) {
        if fault.in_kernel {
            self.settle(time_ns);
        } else {
            self.settle_before(thread.tid, time_ns);
        }
    }

    fn cause(&self, shared: &Shared<'_>, access: Access, write: WriteEffect) -> Cause {
        let Shared { fault, region, page, touched, .. } = *shared;
        let cause = if access == Access::Refused { None } else { self.shared_with(shared) };
        cause.unwrap_or_else(|| {
            let before = if touched { Before::Touched } else { self.before(region, page) };
            let page = match fault.present {
                Some(true) => PageFound::Present,
                Some(false) if self.header.can_swap => PageFound::MissingOrSwapped,
                Some(false) => PageFound::Missing,
                None => PageFound::Unknown,
            };
            let (kind, major) = (region.kind, fault.major);
            cause::of(Evidence { kind, access, before, page, write, major })
        })
    }

    /// What a write to the page of `shared` does if that is there. Which access a fault was, the
    /// kernel does not say: a page of zeros or of a file that was only read, before a fork that
    /// protected it, looks as if it had been written.
    fn write_effect(&self, shared: &Shared<'_>, sharers: Sharers) -> WriteEffect {
        let Shared { fault, region, page, touched, .. } = *shared;
        let page_bytes = fault.page_bytes.map_or(0, NonZeroU64::get);
        // Of a page that is mapped in parts, the kernel makes none writable while another process
        // has others of its parts; when nobody has, that depends on its version.
        let is_part = self.large.has(page) && region.hugetlb_bytes == 0;
        let is_whole = page_bytes > self.header.page_bytes;
        if sharers.page || is_part && !is_whole && sharers.chunk {
            WriteEffect::Copies
        } else if self.shared.has(page) {
            let is_files = region.is_file() && !self.written.has(page);
            let may_be_merged = region.vma.flags.has(OtherFlags::MERGEABLE);
            if sharers.perhaps || is_files || may_be_merged || is_part && !is_whole {
                WriteEffect::Unclear
            } else {
                WriteEffect::Reuses
            }
        } else if touched || region.is_file() || sharers.any {
            // No fork has protected it since it came.
            WriteEffect::Copies
        } else if self.attached || self.forks > 0 {
            // It came without a fault that was seen, nobody knows when.
            WriteEffect::Unclear
        } else {
            WriteEffect::Copies
        }
    }

    /// The page of `fault`, which was there, is the process's own from now on.
    fn own(&mut self, region: &MappedRegion, fault: &Fault, page: u64) {
        let pages = self.large_page(region, fault).unwrap_or(page..page + 1);
        for set in [&mut self.shared, &mut self.shared_by_parent] {
            remove_from(set, &pages);
        }
        self.layers.remove(&pages);
        if pages.end - pages.start == 1 {
            remove_from(&mut self.large, &pages);
        }
        if region.is_file() {
            let forks = self.forks;
            Arc::make_mut(&mut self.written).add(page, forks);
        }
    }

    /// Whether a fault shows that the process does not use the memory of its parent. A copy does,
    /// unless the parent would have made it too: of a page of a file that it only read, or of one
    /// that it shares with an earlier child.
    fn shows_own_memory(&self, region: &MappedRegion, page: u64, cause: Cause) -> bool {
        match cause {
            Cause::CopyOnWrite | Cause::Reuse => {
                !region.is_file() && !self.shared_by_parent.has(page)
            }
            Cause::Unknown => region.was_there,
            _ => false,
        }
    }

    /// The cause of a fault on a page for which another thread faults at the same time: they wait
    /// for the same page, unless one reads and the other writes. If the page was present, it may
    /// have become so between the trap and the sample, or be the zero page, which is copied now:
    /// which of both cannot be known. Nor can it be where a monitor may protect pages
    /// (userfaultfd).
    fn shared_with(&self, shared: &Shared<'_>) -> Option<Cause> {
        let Shared { fault, region, page, touched, thread, time_ns } = *shared;
        match fault.present {
            // A write to a protected page, of which a monitor is told, and which is not copied.
            Some(true) if self.told_of_faults && !region.is_file() => Some(Cause::Unknown),
            Some(true) => {
                let around = if region.is_file() { self.pages_around() } else { 1 };
                let first = page - page % around;
                let times = time_ns.saturating_sub(SAMPLED_NS)..time_ns;
                let may_meet = !self.recent.reaches_back_to(times.start)
                    || self.recent.of_another(thread, &(first..first + around), &times).is_some();
                may_meet.then_some(Cause::Unknown)
            }
            Some(false) => None,
            None => {
                let latency_ns = fault.span.latency_ns.map_or(0, NonZeroU64::get);
                let times = time_ns..time_ns.saturating_add(latency_ns);
                let is_forgotten = touched && !self.recent.reaches_back_to(times.start);
                let another = self.recent.of_another(thread, &(page..page + 1), &times);
                another.or(is_forgotten.then_some(Cause::Unknown))
            }
        }
    }

    /// The pages that a read of a file maps at once.
    fn pages_around(&self) -> u64 {
        (AROUND_BYTES / self.header.page_bytes).max(1)
    }

    /// The possible history of `page`, which has no recorded touch.
    fn before(&self, region: &MappedRegion, page: u64) -> Before {
        if self.may_have_been_there(region, page) {
            Before::Perhaps
        } else if region.kind == MappingKind::Stack
            && self.forks > 0
            && self.stack_begins.is_some_and(|first| first < page)
        {
            Before::Touched
        } else if region.is_file() && self.was_brought_along(region, page) {
            Before::BroughtAlong
        } else {
            Before::Nothing
        }
    }

    fn touch(&mut self, region: &MappedRegion, page: u64, cause: Cause) {
        let forks = self.forks;
        self.pages_of(region).add(page, forks);
        if region.kind == MappingKind::Stack {
            self.stack_begins.get_or_insert(page);
        } else if region.is_file() && region.is_writable() && cause == Cause::File {
            Arc::make_mut(&mut self.new_since_fork).add(page, forks);
        }
    }

    /// Marks the rest of a large page as touched.
    fn touch_huge(&mut self, region: &MappedRegion, fault: &Fault) {
        if let Some(pages) = self.large_page(region, fault) {
            self.pages_of(region).add_range(pages.start, pages.end);
            if !region.is_file() {
                Arc::make_mut(&mut self.large).add_range(pages.start, pages.end);
            }
        }
    }

    /// The large page that `fault` mapped, as its small pages.
    fn large_page(&self, region: &MappedRegion, fault: &Fault) -> Option<Range<u64>> {
        let page_bytes = fault.page_bytes.map_or(0, NonZeroU64::get);
        let is_large = page_bytes > self.header.page_bytes && page_bytes.is_power_of_two();
        is_large.then(|| {
            let start = fault.address & !(page_bytes - 1);
            let end = start.saturating_add(page_bytes).min(region.end);
            self.page(start.max(region.start))..self.page(end)
        })
    }

    /// Records that a present page was written.
    fn copy(&mut self, page: u64) {
        let forks = self.forks;
        if self.new_since_fork.has(page) {
            Arc::make_mut(&mut self.read_first).add(page, forks);
        }
        // A page of a file that was not writable when it was mapped belongs to the process from now
        // on.
        if !self.inherited_on_fork.has(page) {
            Arc::make_mut(&mut self.inherited_on_fork).add(page, forks);
        }
    }

    /// Whether a read of a nearby page of the same file also mapped `page`, if it was in the page
    /// cache. A write maps its own page only (`do_cow_fault` of mm/memory.c). The kernel does not
    /// report which of both a fault was, but a page that was not writable then was read, and so was
    /// one that faulted twice.
    fn was_brought_along(&self, region: &MappedRegion, page: u64) -> bool {
        let window = self.pages_around();
        let (start, end) = (self.page(region.start), self.page(region.end));
        let aligned = page - page % window;
        // In the first window, which the start of the mapping cuts short, the kernel maps a full
        // window from there (do_fault_around of mm/memory.c), but not beyond the page table, whose
        // entries have eight bytes.
        let table = page - page % (self.header.page_bytes / 8).max(1);
        let goes_on = start < aligned && page < start.saturating_add(window) && table <= start;
        let first = if goes_on { start } else { aligned.max(start) };
        let last = end.min(aligned + window);
        self.not_inherited.has_any(first, last) || self.read_first.has_any(first, last)
    }

    /// Whether `page` may be present although no touch was seen.
    fn may_have_been_there(&self, region: &MappedRegion, page: u64) -> bool {
        if region.was_there {
            return self.forks > 0;
        }
        // The kernel would have reported a huge page.
        if self.header.sees.page_sizes {
            return false;
        }
        let first = page - page % CHUNK_PAGES;
        let fits = self.page(region.start) <= first && first + CHUNK_PAGES <= self.page(region.end);
        self.may_be_huge(region)
            && fits
            && self.inherited_on_fork.was_alone_at_a_fork(page, self.forks)
    }

    /// Whether the kernel may use huge pages in a mapping.
    pub(super) fn may_be_huge(&self, region: &MappedRegion) -> bool {
        match (self.header.huge_pages, region.huge) {
            (ThpPolicy::Never, _) | (_, Some(false)) | (ThpPolicy::Advised, None) => false,
            (ThpPolicy::Always, None) | (_, Some(true)) => true,
        }
    }

    /// The mapping that grows down to `address`: the stack, or one with `MAP_GROWSDOWN`.
    fn grown(&mut self, address: u64) -> Option<MappedRegion> {
        let above = *self.regions.above(address).filter(|above| above.grows_down)?;
        let start = address - address % self.header.page_bytes;
        let grows = above.start - start <= STACK_REACH_BYTES && above.is_writable();
        grows.then(|| {
            let regions = self.regions_mut();
            // The grown part is new.
            regions.replace(MappedRegion { start, end: above.start, was_there: false, ..above });
            regions.at(address).copied()
        })?
    }
}
