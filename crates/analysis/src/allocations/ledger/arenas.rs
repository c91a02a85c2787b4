//! What is told about arenas and thresholds.

use events::{Allocation, Event, Syscall};

use super::Ledger;
use crate::allocations::arenas::Tracker;
use crate::allocations::processes::OpenCall;
use crate::allocations::sites::Payer;

impl Ledger {
    /// A call gives out a block, or gives back the one that `owner` pays for.
    pub(super) fn note_block(&mut self, call: &Allocation, event: &Event, owner: Option<Payer>) {
        let pid = event.thread.pid;
        if call.only_gives_back() {
            if let Some(owner) = owner.filter(|owner| Tracker::is_large(owner.size_bytes)) {
                let (tid, site) = (event.thread.tid, owner.site.number());
                let thresholds = self.arenas.thresholds(pid);
                thresholds.give_back(tid, call.released, owner.size_bytes, site);
            }
            return;
        }
        if call.address == 0 {
            return;
        }
        if self.arenas.give(event.thread, call.address, call.size_bytes) {
            let attributor = &mut self.attributor;
            self.arenas.look(pid, call.address, |address| attributor.region(pid, address));
        }
        if Tracker::is_large(call.size_bytes) {
            self.arenas.thresholds(pid).give(call.address, call.size_bytes);
        }
    }

    /// A syscall, inside of `call` or of none.
    pub(super) fn note_mapping(
        &mut self,
        syscall: &Syscall,
        event: &Event,
        call: Option<OpenCall>,
    ) {
        let thread = event.thread;
        let gives = call.and_then(|call| call.gives.zip(call.payer));
        let maps = gives.is_some_and(|(address, payer)| {
            self.arenas.map(thread, syscall, address, payer.size_bytes)
        });
        let thresholds = self.arenas.thresholds(thread.pid);
        let unmaps = thresholds.unmap(thread.tid, syscall, event.time_ns);
        self.arenas.resize(thread.pid, syscall, maps || unmaps);
    }
}
