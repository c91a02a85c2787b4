//! The address space of a process over time: its mappings, and which of their pages have been
//! touched. There are two sources, and either may be missing: the kernel's reports of mappings
//! (`address_space/mappings.rs`), and the arguments and results of memory syscalls
//! (`address_space/calls.rs`). Events are in the order of their starts, so a syscall's effect is
//! applied no later than the kernel's report from inside the syscall. The report then only adds the
//! name, and neighbours that were joined.
//!
//! This module has only ids and numbers; views make text.
//!
//! A fork copies no data of this model: both processes share it until one of them changes it.

mod attribution;
mod calls;
mod cause;
mod mappings;
mod pages;
mod processes;
mod recent;
mod regions;
#[cfg(test)]
mod tests;
mod under_way;

use std::num::NonZeroU64;
use std::sync::Arc;

use events::{Cause, Fault, Header, MappingKind, ThpPolicy, Thread};

pub use attribution::{Attribution, Attributor, CallEffect, FaultOrigin, LifeChange};
use cause::{Access, Before, Evidence};
use pages::{CHUNK_PAGES, Pages};
use recent::Recent;
pub use regions::MappedRegion;
use regions::Regions;
use under_way::UnderWay;

/// The kernel maps up to this much of a file around the page of a read fault, if it is in the page
/// cache (`fault_around_bytes` of mm/memory.c; only debugfs can change it).
pub(crate) const AROUND_BYTES: u64 = 64 << 10;
/// The kernel leaves at least this much room for the growth of the stack (`MIN_GAP` of mm/util.c).
const STACK_REACH_BYTES: u64 = 128 << 20;
/// At most this much of a populated range counts as touched: the set of pages takes memory, and a
/// larger range is rarely resident as a whole.
const POPULATED_AT_MOST_BYTES: u64 = 64 << 30;

/// One address space.
#[derive(Debug, Clone)]
pub(crate) struct AddressSpace {
    header: Header,
    regions: Arc<Regions>,
    /// Touched pages whose page table entries a fork copies.
    inherited_on_fork: Arc<Pages>,
    /// Touched pages that a child must fault in again: shared memory, and files that are only read
    /// (`vma_needs_copy` of mm/memory.c).
    not_inherited: Arc<Pages>,
    /// Pages of private, writable files that faulted since the last fork. If one faults again, it
    /// was only read before.
    new_since_fork: Arc<Pages>,
    /// Pages of private, writable files that were read before they were written.
    read_first: Arc<Pages>,
    recent: Recent,
    /// Mapping calls that have not returned.
    under_way: Vec<UnderWay>,
    /// The program break, if it is known.
    break_at: Option<u64>,
    /// Whether the process makes syscalls in 32-bit mode, which are not seen.
    compat32: bool,
    /// Whether reported mappings existed before the trace.
    was_there: bool,
    /// Whether new mappings are populated (mlockall).
    locks_new: bool,
    /// The number of forks, ancestors included.
    forks: u32,
    /// The first page of the stack that the program faulted on. The pages above have its arguments,
    /// which execve(2) wrote.
    stack_begins: Option<u64>,
    whose: Whose,
}

/// Whose memory a process uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// Possibly its parent's (vfork(2)).
    Parents,
    /// Its own: it has faulted on a page that was, or may have been, present at its start.
    Own,
}

/// The result for a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The cause.
    pub(crate) cause: Cause,
    /// The mapping.
    pub(crate) region: Option<MappedRegion>,
}

impl AddressSpace {
    /// An address space without known mappings.
    pub(crate) fn new(header: Header) -> AddressSpace {
        AddressSpace {
            header,
            regions: Arc::default(),
            inherited_on_fork: Arc::default(),
            not_inherited: Arc::default(),
            new_since_fork: Arc::default(),
            read_first: Arc::default(),
            recent: Recent::default(),
            under_way: Vec::new(),
            break_at: None,
            compat32: false,
            was_there: false,
            locks_new: false,
            forks: 0,
            stack_begins: None,
            whose: Whose::Parents,
        }
    }

    /// The process executes another program; all mappings are gone.
    pub(crate) fn execute(&mut self) {
        *self = AddressSpace::new(self.header);
    }

    /// The process existed before the trace, so the mappings that follow are old.
    pub(crate) fn attach(&mut self) {
        *self = AddressSpace { was_there: true, ..AddressSpace::new(self.header) };
    }

    /// The address space of a child that started at `time_ns`. Mappings made later belong to the
    /// parent only.
    pub(crate) fn fork(&mut self, time_ns: u64) -> AddressSpace {
        self.settle(time_ns);
        self.forks += 1;
        self.new_since_fork = Arc::default();
        AddressSpace {
            not_inherited: Arc::default(),
            recent: Recent::default(),
            locks_new: false,
            was_there: false,
            under_way: Vec::new(),
            whose: Whose::Parents,
            ..self.clone()
        }
    }

    /// The process makes its syscalls in 32-bit mode from now on.
    pub(crate) fn set_compat32(&mut self) {
        self.compat32 = true;
    }

    /// Whether its memory syscalls are seen, so that new mappings are recognised as new.
    pub(super) fn sees_calls(&self) -> bool {
        self.header.sees.calls && !self.compat32
    }

    /// Takes over the changes of a vfork(2) child, which used this memory.
    pub(crate) fn take_back(&mut self, child: &AddressSpace) {
        let AddressSpace {
            regions,
            inherited_on_fork,
            new_since_fork,
            read_first,
            under_way,
            break_at,
            ..
        } = child.clone();
        *self = AddressSpace {
            regions,
            inherited_on_fork,
            new_since_fork,
            read_first,
            under_way,
            break_at,
            ..self.clone()
        };
    }

    /// Whether a page was, or may have been, copied since the process started. A child of fork(2)
    /// copies a page of its stack before it can do anything else; one of vfork(2) uses the memory
    /// of its parent.
    pub(crate) fn has_copied(&self) -> bool {
        self.whose == Whose::Own
    }

    /// The program break, if a call has returned it.
    pub(crate) fn program_break(&self) -> Option<u64> {
        self.break_at
    }

    /// The mapping at `address`.
    pub(crate) fn at(&self, address: u64) -> Option<MappedRegion> {
        self.regions.at(address).copied()
    }

    /// Returns the cause of `fault`, and marks its page as touched.
    pub(crate) fn fault(&mut self, fault: &Fault, thread: Thread, time_ns: u64) -> Seen {
        self.was_there = false;
        self.settle(time_ns);
        let Some(region) = self.at(fault.address).or_else(|| self.grown_stack(fault.address))
        else {
            return Seen { cause: Cause::Unknown, region: None };
        };
        let page = self.page_of(&region, fault.address);
        let touched = self.inherited_on_fork.has(page) || self.not_inherited.has(page);
        // The fault did not complete: a refused write, or a stack that may not grow further, ends
        // in a signal.
        let refused = fault.span.latency_ns.is_none()
            && (!region.is_writable() || region.kind == MappingKind::Stack);
        let same = if touched { self.recent.same(fault, thread, page, time_ns) } else { None };
        let cause = same.unwrap_or_else(|| {
            let access = match (region.is_accessible(), region.is_writable()) {
                _ if refused => Access::Refused,
                (false, _) => Access::Refused,
                (true, false) => Access::Read,
                (true, true) => Access::Write,
            };
            let before = if touched { Before::Touched } else { self.before(&region, page) };
            cause::of(Evidence { kind: region.kind, access, before, major: fault.major })
        });
        if region.is_accessible() && !touched && !refused {
            self.touch(&region, page, cause);
            self.touch_huge(&region, fault);
        } else if cause == Cause::CopyOnWrite {
            self.copy(page);
        }
        if cause == Cause::CopyOnWrite || cause == Cause::Unknown && region.was_there {
            self.whose = Whose::Own;
        }
        self.recent.add(fault, thread, page, time_ns, cause);
        Seen { cause, region: Some(region) }
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

    /// The number of the page at `address`; for a page of hugetlbfs, the first of its small pages.
    fn page_of(&self, region: &MappedRegion, address: u64) -> u64 {
        let large = region.hugetlb_bytes.max(1);
        self.page(address - address % large)
    }

    fn page(&self, address: u64) -> u64 {
        address >> self.header.page_bytes.trailing_zeros()
    }

    /// `address`, rounded up to a page.
    fn page_end(&self, address: u64) -> u64 {
        let mask = self.header.page_bytes - 1;
        address.checked_add(mask).map_or(!mask, |sum| sum & !mask)
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
        let page_bytes = fault.page_bytes.map_or(0, NonZeroU64::get);
        if page_bytes > self.header.page_bytes && page_bytes.is_power_of_two() {
            let start = fault.address & !(page_bytes - 1);
            let (first, end) =
                (start.max(region.start), start.saturating_add(page_bytes).min(region.end));
            let (first, end) = (self.page(first), self.page(end));
            self.pages_of(region).add_range(first, end);
        }
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

    /// All sets of pages.
    fn sets(&mut self) -> [&mut Arc<Pages>; 4] {
        [
            &mut self.inherited_on_fork,
            &mut self.not_inherited,
            &mut self.new_since_fork,
            &mut self.read_first,
        ]
    }

    /// The set with the touched pages of `region`.
    fn pages_of(&mut self, region: &MappedRegion) -> &mut Pages {
        let stays = match region.kind {
            MappingKind::SharedAnonymous | MappingKind::SharedFile => true,
            MappingKind::PrivateFile => !region.is_writable(),
            _ => false,
        };
        Arc::make_mut(if stays { &mut self.not_inherited } else { &mut self.inherited_on_fork })
    }

    /// Whether a read of a nearby page of the same file also mapped `page`, if it was in the page
    /// cache. A write maps its own page only (`do_cow_fault` of mm/memory.c). The kernel does not
    /// report which of both a fault was, but a page that was not writable then was read, and so was
    /// one that faulted twice.
    fn was_brought_along(&self, region: &MappedRegion, page: u64) -> bool {
        let window = (AROUND_BYTES / self.header.page_bytes).max(1);
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
        let allowed = match (self.header.huge_pages, region.huge) {
            (ThpPolicy::Never, _) | (_, Some(false)) | (ThpPolicy::Advised, None) => false,
            (ThpPolicy::Always, None) | (_, Some(true)) => true,
        };
        let first = page - page % CHUNK_PAGES;
        let fits = self.page(region.start) <= first && first + CHUNK_PAGES <= self.page(region.end);
        allowed && fits && self.inherited_on_fork.was_alone_at_a_fork(page, self.forks)
    }

    /// The stack, grown down to `address`.
    fn grown_stack(&mut self, address: u64) -> Option<MappedRegion> {
        let stack =
            *self.regions.above(address).filter(|above| above.kind == MappingKind::Stack)?;
        let start = address - address % self.header.page_bytes;
        let grows = stack.start - start <= STACK_REACH_BYTES && stack.is_writable();
        grows.then(|| {
            let regions = Arc::make_mut(&mut self.regions);
            // The grown part is new.
            regions
                .put(MappedRegion { start, end: stack.start, was_there: false, ..stack }, u64::MAX);
            regions.at(address).copied()
        })?
    }

    /// Removes the touched pages of `parts`.
    fn forget(&mut self, parts: &[MappedRegion]) {
        for part in parts {
            let (first, end) = (self.page(part.start), self.page(self.page_end(part.end)));
            for pages in self.sets() {
                if pages.reaches_into(first, end) {
                    Arc::make_mut(pages).remove_range(first, end);
                }
            }
        }
    }

    /// Marks all accessible pages of `parts` as touched, without a fault.
    fn populate(&mut self, parts: &[MappedRegion]) {
        for part in parts.iter().filter(|part| part.is_accessible()) {
            let end = part.end.min(part.start.saturating_add(POPULATED_AT_MOST_BYTES));
            let (first, end) = (self.page(part.start), self.page(self.page_end(end)));
            self.pages_of(part).add_range(first, end);
        }
    }
}
