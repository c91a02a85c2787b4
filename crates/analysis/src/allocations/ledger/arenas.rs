//! What is told about arenas and thresholds.

use events::{Allocation, Event, Syscall};

use super::Ledger;
use crate::allocations::arenas::Tracker;
use crate::allocations::blocks::LiveBlock;
use crate::allocations::processes::OpenCall;

impl Ledger {
    /// A call gives out a block, or gives back the block `old`.
    #[inline]
    pub(super) fn note_block(&mut self, call: &Allocation, event: &Event, old: Option<LiveBlock>) {
        let pid = event.thread.pid;
        if call.only_gives_back() {
            if let Some(old) = old.filter(|old| Tracker::is_large(old.size_bytes)) {
                let (tid, site) = (event.thread.tid, old.site.index());
                let thresholds = self.arenas.thresholds(pid);
                thresholds.give_back(tid, call.released, old.size_bytes, site);
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
        let gives = call.and_then(|call| call.gives);
        let maps = gives.is_some_and(|(address, block)| {
            self.arenas.map(thread, syscall, address, block.size_bytes)
        });
        let thresholds = self.arenas.thresholds(thread.pid);
        let unmaps = thresholds.unmap(thread.tid, syscall, event.time_ns);
        self.arenas.resize(thread.pid, syscall, maps || unmaps);
    }
}
