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
mod births;
mod calls;
mod cause;
mod faults;
mod forks;
mod holders;
mod leaving;
mod mappings;
mod moves;
mod pages;
mod processes;
mod recent;
mod regions;
mod sharing;
mod sizes;
mod tables;
#[cfg(test)]
mod tests;
mod under_way;
mod vma;

use std::ops::Range;
use std::sync::Arc;

use events::{Header, MappingKind};

pub use attribution::{Attribution, Attributor, CallEffect, FaultOrigin, LifeChange};
pub(crate) use calls::returns_pages;
pub(crate) use faults::AROUND_BYTES;
pub use holders::{HeldSizes, MappingHolder};
use leaving::Leaving;
use pages::Pages;
use recent::Recent;
pub use regions::MappedRegion;
use regions::Regions;
use sharing::Layers;
use sizes::Peaks;
pub use sizes::{MappingAccount, MappingPeak, MappingSizes};
use tables::PageTables;
use under_way::UnderWay;
pub use vma::KernelRules;
use vma::OtherFlags;

/// At most this much of a populated range counts as touched: the set of pages takes memory, and a
/// larger range is rarely resident as a whole.
const POPULATED_AT_MOST_BYTES: u64 = 64 << 30;

/// One address space.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub(crate) struct AddressSpace {
    header: Header,
    rules: KernelRules,
    regions: Arc<Regions>,
    /// Its page tables; of a child that may use its parent's memory, the parent's.
    tables: Arc<PageTables>,
    /// The most that it had of each figure.
    peaks: Peaks,
    /// The owners of pages up to this number had them before the last fork(2) that made this
    /// process.
    inherited_owners: u32,
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
    /// Pages that were there at the last fork and have not been copied since: if its child has its
    /// own memory, they may be those of the child too, and a write copies them.
    shared: Arc<Pages>,
    /// What `shared` was in the parent before this process started.
    shared_by_parent: Arc<Pages>,
    /// Pages of private files that were certainly written, so that they are the process's.
    written: Arc<Pages>,
    /// Pages that may be parts of larger ones.
    large: Arc<Pages>,
    /// With which processes it may share which pages.
    layers: Layers,
    /// Pages that may not be accessed (`MADV_GUARD_INSTALL`).
    guards: Arc<Pages>,
    recent: Recent,
    /// Mapping calls that have not returned.
    under_way: Vec<UnderWay>,
    /// What calls took away that had not returned.
    leaving: Vec<Leaving>,
    /// The program break, if it is known.
    break_at: Option<u64>,
    /// Whether the process makes syscalls in 32-bit mode, which are not seen.
    compat32: bool,
    /// Whether reported mappings existed before the trace.
    was_there: bool,
    /// Whether it existed before the trace, or is a child of one that did.
    attached: bool,
    /// Whether the program may let itself be told of faults (userfaultfd).
    told_of_faults: bool,
    /// How new mappings are locked (mlockall).
    locks_new: OtherFlags,
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

impl AddressSpace {
    /// An address space without known mappings.
    pub(crate) fn new(header: Header) -> AddressSpace {
        AddressSpace {
            header,
            rules: KernelRules::default(),
            regions: Arc::default(),
            tables: Arc::default(),
            peaks: Peaks::default(),
            inherited_owners: 0,
            inherited_on_fork: Arc::default(),
            not_inherited: Arc::default(),
            new_since_fork: Arc::default(),
            read_first: Arc::default(),
            shared: Arc::default(),
            shared_by_parent: Arc::default(),
            written: Arc::default(),
            large: Arc::default(),
            layers: Layers::default(),
            guards: Arc::default(),
            recent: Recent::default(),
            under_way: Vec::new(),
            leaving: Vec::new(),
            break_at: None,
            compat32: false,
            was_there: false,
            attached: false,
            told_of_faults: false,
            locks_new: OtherFlags::default(),
            forks: 0,
            stack_begins: None,
            whose: Whose::Parents,
        }
    }

    /// The same under a kernel with these rules.
    pub(crate) fn of(header: Header, rules: KernelRules) -> AddressSpace {
        AddressSpace { rules, ..AddressSpace::new(header) }
    }

    /// The process executes another program; all mappings are gone.
    pub(crate) fn execute(&mut self) {
        *self = AddressSpace { rules: self.rules, ..AddressSpace::new(self.header) };
    }

    /// The process existed before the trace, so the mappings that follow are old.
    pub(crate) fn attach(&mut self) {
        let (was_there, attached) = (true, true);
        *self = AddressSpace {
            rules: self.rules,
            was_there,
            attached,
            ..AddressSpace::new(self.header)
        };
    }

    /// The process makes its syscalls in 32-bit mode from now on.
    pub(crate) fn set_compat32(&mut self) {
        self.compat32 = true;
    }

    /// Whether its memory syscalls are seen, so that new mappings are recognised as new.
    pub(super) fn sees_calls(&self) -> bool {
        self.header.sees.calls && !self.compat32
    }

    /// The pages of private memory that the model knows as touched: those of no file, and those of
    /// writable mappings of files.
    pub(crate) fn private_pages(&self) -> u64 {
        self.inherited_on_fork.count()
    }

    /// The program break, if a call has returned it.
    pub(crate) fn program_break(&self) -> Option<u64> {
        self.break_at
    }

    /// Moves the ranges in which another file is mapped than before, or none, to `into`.
    pub(crate) fn take_changed_files(&mut self, into: &mut Vec<Range<u64>>) {
        if self.regions.has_changed_files() {
            Arc::make_mut(&mut self.regions).take_changed_files(into);
        }
    }

    /// The mapping at `address`.
    pub(crate) fn at(&self, address: u64) -> Option<MappedRegion> {
        self.regions.at(address).copied()
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

    /// The bytes of the touched pages between two addresses.
    fn touched_bytes(&self, start: u64, end: u64) -> u64 {
        let (first, end) = (self.page(start), self.page(self.page_end(end)));
        self.inherited_on_fork.count_with(&self.not_inherited, first, end) * self.header.page_bytes
    }

    /// All sets of pages. The last has guards, the others have touched pages.
    fn sets(&mut self) -> [&mut Arc<Pages>; 9] {
        [
            &mut self.inherited_on_fork,
            &mut self.not_inherited,
            &mut self.new_since_fork,
            &mut self.read_first,
            &mut self.shared,
            &mut self.shared_by_parent,
            &mut self.written,
            &mut self.large,
            &mut self.guards,
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

    /// Removes the touched pages of `parts`, which stay mapped.
    fn discard(&mut self, parts: &[MappedRegion]) {
        for part in parts {
            let pages = self.pages_between(part);
            let [touched @ .., _guards] = self.sets();
            for set in touched {
                remove_from(set, &pages);
            }
            self.layers.remove(&pages);
        }
    }

    /// Removes everything that is known about the pages of `parts`, which are unmapped.
    fn forget(&mut self, parts: &[MappedRegion]) {
        for part in parts {
            let pages = self.pages_between(part);
            for set in self.sets() {
                remove_from(set, &pages);
            }
            self.layers.remove(&pages);
            Arc::make_mut(&mut self.tables).unmap(part.start, part.end, &self.regions);
        }
    }

    /// The numbers of the pages of `part`.
    fn pages_between(&self, part: &MappedRegion) -> Range<u64> {
        self.page(part.start)..self.page(self.page_end(part.end))
    }

    /// Marks all accessible pages of `parts` as touched, without a fault.
    fn populate(&mut self, parts: &[MappedRegion]) {
        for part in parts.iter().filter(|part| part.is_accessible()) {
            let end = part.end.min(part.start.saturating_add(POPULATED_AT_MOST_BYTES));
            let (first, end) = (self.page(part.start), self.page(self.page_end(end)));
            self.pages_of(part).add_range(first, end);
            if self.may_be_huge(part) && !part.is_file() {
                Arc::make_mut(&mut self.large).add_range(first, end);
            }
            self.map_pages(part, self.header.page_bytes * end);
        }
    }
}

/// Removes `pages` from a set, which is copied only if it has some near them.
fn remove_from(set: &mut Arc<Pages>, pages: &Range<u64>) {
    if set.reaches_into(pages.start, pages.end) {
        Arc::make_mut(set).remove_range(pages.start, pages.end);
    }
}
