//! mmap(2), mremap(2) and munmap(2) by the program itself: a mapping belongs to the call site that
//! made it, as a block does.
//!
//! A call says whose mapping it is; what became of the addresses is the syscall's inside it, where
//! syscalls are seen. So what the program maps otherwise has no site and takes nothing from others:
//! by the allocator inside its calls, by the loader, or by a syscall without the C library.

use std::num::NonZeroU64;

use events::{Allocation, Call, Definitions, Event, Syscall};

use super::Ledger;
use crate::allocations::blocks::LiveBlock;
use crate::allocations::own_mappings::Mapped;
use crate::allocations::processes::{OpenCall, Seat};
use crate::allocations::served::ServedBy;
use crate::allocations::site::Charge;
use crate::allocations::sites::Payer;

/// Flags of mmap(2) and mremap(2), and a protection (`<asm-generic/mman-common.h>`,
/// `<linux/mman.h>`).
const MAP_ANONYMOUS: u64 = 0x20;
const MAP_NORESERVE: u64 = 0x4000;
const MREMAP_DONTUNMAP: u64 = 4;
const PROT_WRITE: u64 = 2;

impl Ledger {
    /// A call that maps memory, or unmaps it.
    pub(super) fn mapping_call(
        &mut self,
        call: &Allocation,
        (seat, event): (Seat, &Event),
        end_ns: u64,
        definitions: &Definitions,
    ) {
        let latency_ns = call.latency_ns.map(NonZeroU64::get);
        self.settle_mappings(seat.process, event.time_ns);
        let releases = call.function.only_releases();
        let payer = if releases {
            let mapped = self.processes.process(seat.process).mapped.at(call.released);
            mapped.map(|(_, mapping)| mapping.payer())
        } else {
            Some(self.payer_of(call, seat, event, definitions))
        };
        // Who mapped what it unmaps is not known: then it is no more than its syscall. Of several
        // mappings, the first pays for the call; they share the time of its syscall by their pages.
        let Some(payer) = payer else { return };
        self.slow.opened(event, call, Some(payer), &self.pauses);
        if releases {
            self.sites.pay(payer, Charge::Release { latency_ns });
            let pages = self.pages(call.released, call.size_bytes);
            self.watch_mappings(seat.process, pages, event.thread.pid);
        } else {
            let given_bytes = (call.address != 0).then_some(call.size_bytes);
            self.sites.pay(payer, Charge::Call { given_bytes, latency_ns });
            if let Some(details) = self.details.of(payer.site) {
                details.call(call.size_bytes, latency_ns);
            }
        }
        if !self.header.sees.calls {
            self.remap_by_call(call, payer, end_ns, (seat, event));
        }
        if let Some(left_ns) = latency_ns {
            let (payer, gives, served) = (Some(payer), None, ServedBy::default());
            let call = OpenCall { payer, releases, maps: true, end_ns, left_ns, gives, served };
            self.processes.open(seat, call);
            self.away_before(&call, seat, event.time_ns);
        }
    }

    /// What a call did to addresses, where its syscall is not seen: all that was known of an old
    /// mapping moves.
    fn remap_by_call(
        &mut self,
        call: &Allocation,
        payer: Payer,
        end_ns: u64,
        (seat, event): (Seat, &Event),
    ) {
        if call.function.only_releases() {
            let pages = self.pages(call.released, call.size_bytes);
            return self.unmap(seat.process, pages, event.time_ns);
        }
        if call.released != 0 {
            let mapped = self.processes.process(seat.process).mapped.at(call.released);
            let old_bytes = mapped.map_or(0, |(_, mapping)| mapping.size_bytes);
            self.unmap(seat.process, self.pages(call.released, old_bytes), event.time_ns);
        }
        if call.address != 0 {
            let (pages, is_memory) = (self.pages(call.address, call.size_bytes), false);
            self.mapped_at(end_ns, pages, (Some(payer), is_memory), (seat, event));
        }
    }

    /// What a syscall did to addresses, inside of `open` or of no call.
    pub(super) fn remap(
        &mut self,
        syscall: &Syscall,
        open: Option<OpenCall>,
        (seat, event): (Seat, &Event),
    ) {
        let Some(result) = syscall.succeeded_with().filter(|_| syscall.arguments_known) else {
            return;
        };
        let [first, second, third, flags, ..] = syscall.arguments;
        let end_ns = event.end_ns().unwrap_or(event.time_ns);
        self.settle_mappings(seat.process, event.time_ns);
        let own = open.filter(|open| open.maps && !open.releases).and_then(|open| open.payer);
        match syscall.call {
            Call::Mmap => {
                let is_memory = third & PROT_WRITE != 0
                    && flags & MAP_ANONYMOUS != 0
                    && flags & MAP_NORESERVE == 0;
                let pages = self.pages(result, second);
                self.mapped_at(end_ns, pages, (own, is_memory), (seat, event));
            }
            Call::Munmap => self.unmap(seat.process, self.pages(first, second), event.time_ns),
            Call::Mremap => {
                let old = self.processes.process(seat.process).mapped.at(first);
                let old = old.map(|(_, mapping)| mapping.payer());
                if flags & MREMAP_DONTUNMAP == 0 {
                    self.unmap(seat.process, self.pages(first, second), event.time_ns);
                }
                let pages = self.pages(result, third);
                self.mapped_at(end_ns, pages, (own.or(old), false), (seat, event));
            }
            _ => {}
        }
    }

    /// The range of so many bytes at an address, in whole pages.
    fn pages(&self, start: u64, bytes: u64) -> (u64, u64) {
        let page_bytes = self.header.page_bytes.max(1);
        let bytes = bytes.checked_next_multiple_of(page_bytes).unwrap_or(bytes);
        (start, start.saturating_add(bytes))
    }

    /// Something is mapped at `end_ns`: who pays for it, if that is known, and whether it is memory
    /// that is there to be touched.
    fn mapped_at(
        &mut self,
        end_ns: u64,
        (start, end): (u64, u64),
        (payer, is_memory): (Option<Payer>, bool),
        (seat, event): (Seat, &Event),
    ) {
        let process = self.processes.process(seat.process);
        let mapping = payer.map(|payer| {
            let payer = Payer { size_bytes: end.saturating_sub(start), ..payer };
            (process.live.own(payer, event.thread.tid, event.time_ns), is_memory)
        });
        process.mapped.begin(Mapped { end_ns, range: (start, end), mapping });
    }

    /// What calls of the process have mapped that have ended by `time_ns` is there.
    pub(super) fn settle_mappings(&mut self, place: u32, time_ns: u64) {
        while let Some(mapped) = self.processes.process(place).mapped.ended_by(time_ns) {
            self.unmap(place, mapped.range, time_ns);
            if let Some((mapping, is_memory)) = mapped.mapping {
                let process = self.processes.process(place);
                process.mapped.map(mapped.range, (mapping, is_memory));
                self.sites.remap(mapping.site, mapping.size_bytes, 0);
            }
        }
    }

    /// Counts how much of the mappings that end in a range was never touched.
    fn watch_mappings(&mut self, place: u32, range: (u64, u64), pid: u32) {
        let process = self.processes.process(place);
        let number = process.live.number();
        for ((start, end), mapping) in process.mapped.memory_in(range) {
            if mapping.owner == number {
                self.watch(start, &LiveBlock { size_bytes: end - start, ..mapping }, pid);
            }
        }
    }

    fn unmap(&mut self, place: u32, range: (u64, u64), time_ns: u64) {
        let process = self.processes.process(place);
        let number = process.live.number();
        for ((start, end), mapping) in process.mapped.unmap(range) {
            self.sites.pay(mapping.payer(), Charge::Free);
            if mapping.owner == number {
                self.sites.remap(mapping.site, 0, end - start);
            }
            if let Some(details) = self.details.of(mapping.site) {
                details.lifetimes.add(time_ns.saturating_sub(mapping.born_ns));
            }
        }
    }

    /// The mappings of a process are gone with it. Those from before a pause may have been unmapped
    /// in it.
    pub(super) fn forget_mappings(&mut self, place: u32, pid: u32) {
        self.settle_mappings(place, u64::MAX);
        self.watch_mappings(place, (0, u64::MAX), pid);
        let paused_ns = self.pauses.last_began_ns();
        let process = self.processes.process(place);
        let number = process.live.number();
        for (mapping, bytes) in process.mapped.forget() {
            if mapping.owner != number {
                continue;
            }
            if paused_ns.is_none_or(|paused_ns| mapping.born_ns >= paused_ns) {
                self.sites.pay(mapping.payer(), Charge::Kept { size_bytes: bytes });
            }
            self.sites.remap(mapping.site, 0, bytes);
        }
    }
}
