//! mmap(2), mremap(2) and munmap(2) by the program itself: a mapping belongs to the call site that
//! made it, as a block does.
//!
//! A call says whose mapping it is; what became of the addresses is the syscall's inside it, where
//! syscalls are seen. So what the program maps otherwise has no site and takes nothing from others:
//! by the allocator inside its calls, by the loader, or by a syscall without the C library.

use std::num::NonZeroU64;

use events::{Allocation, Call, Definitions, Event, Syscall};

use super::Ledger;
use crate::allocations::processes::{OpenCall, Seat};
use crate::allocations::served::ServedBy;
use crate::allocations::site::Charge;
use crate::allocations::sites::Payer;

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
        let releases = call.function.only_releases();
        let payer = if releases {
            let mapped = self.processes.process(seat.process).mapped.at(call.released);
            mapped.map(|(_, mapping)| mapping.payer())
        } else {
            Some(self.payer_of(call, seat, event, definitions))
        };
        // Who mapped what it unmaps is not known: then it is no more than its syscall.
        let Some(payer) = payer else { return };
        self.slow.opened(event, call, Some(payer), &self.pauses);
        if releases {
            self.sites.pay(payer, Charge::Release { latency_ns });
        } else {
            let given_bytes = (call.address != 0).then_some(call.size_bytes);
            self.sites.pay(payer, Charge::Call { given_bytes, latency_ns });
            if let Some(details) = self.details.of(payer.site) {
                details.call(call.size_bytes, latency_ns);
            }
        }
        if !self.header.sees.calls {
            self.remap_by_call(call, payer, (seat, event));
        }
        if let Some(left_ns) = latency_ns {
            let (payer, gives, served) = (Some(payer), None, ServedBy::default());
            let call = OpenCall { payer, releases, maps: true, end_ns, left_ns, gives, served };
            self.processes.open(seat, call);
        }
    }

    /// What a call did to addresses, where its syscall is not seen: all that was known of an old
    /// mapping moves.
    fn remap_by_call(&mut self, call: &Allocation, payer: Payer, (seat, event): (Seat, &Event)) {
        if call.function.only_releases() {
            return self.unmap(self.pages(call.released, call.size_bytes), (seat, event));
        }
        if call.released != 0 {
            let mapped = self.processes.process(seat.process).mapped.at(call.released);
            let old_bytes = mapped.map_or(0, |(_, mapping)| mapping.size_bytes);
            self.unmap(self.pages(call.released, old_bytes), (seat, event));
        }
        if call.address != 0 {
            self.map(self.pages(call.address, call.size_bytes), payer, (seat, event));
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
        let [first, second, third, ..] = syscall.arguments;
        let own = open.filter(|open| open.maps && !open.releases).and_then(|open| open.payer);
        match syscall.call {
            Call::Mmap => {
                let pages = self.pages(result, second);
                self.unmap(pages, (seat, event));
                if let Some(payer) = own {
                    self.map(pages, payer, (seat, event));
                }
            }
            Call::Munmap => self.unmap(self.pages(first, second), (seat, event)),
            Call::Mremap => {
                let old = self.processes.process(seat.process).mapped.at(first);
                let old = old.map(|(_, mapping)| mapping.payer());
                self.unmap(self.pages(first, second), (seat, event));
                let pages = self.pages(result, third);
                self.unmap(pages, (seat, event));
                if let Some(payer) = own.or(old) {
                    self.map(pages, payer, (seat, event));
                }
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

    fn map(&mut self, (start, end): (u64, u64), payer: Payer, (seat, event): (Seat, &Event)) {
        let process = self.processes.process(seat.process);
        let payer = Payer { size_bytes: end - start, ..payer };
        let mapping = process.live.own(payer, event.thread.tid, event.time_ns);
        process.mapped.map((start, end), mapping);
        self.sites.remap(payer.site, payer.size_bytes, 0);
    }

    fn unmap(&mut self, range: (u64, u64), (seat, event): (Seat, &Event)) {
        let process = self.processes.process(seat.process);
        let number = process.live.number();
        for ((start, end), mapping) in process.mapped.unmap(range) {
            self.sites.pay(mapping.payer(), Charge::Free);
            if mapping.owner == number {
                self.sites.remap(mapping.site, 0, end - start);
            }
            if let Some(details) = self.details.of(mapping.site) {
                details.lifetimes.add(event.time_ns.saturating_sub(mapping.born_ns));
            }
        }
    }

    /// The mappings of a process are gone with it.
    pub(super) fn forget_mappings(&mut self, place: u32) {
        let process = self.processes.process(place);
        let number = process.live.number();
        for (mapping, bytes) in process.mapped.forget() {
            if mapping.owner == number {
                self.sites.pay(mapping.payer(), Charge::Kept { size_bytes: bytes });
                self.sites.remap(mapping.site, 0, bytes);
            }
        }
    }
}
