//! What the tallies of processes and threads get to know.

use std::num::NonZeroU64;

use events::{Allocation, Event, Life};

use super::Ledger;
use crate::address_space::LifeChange;
use crate::allocations::blocks::{LiveBlock, end_of};
use crate::allocations::processes::Seat;

impl Ledger {
    /// A call gives out a block, gives one back, or fails.
    #[inline]
    pub(super) fn tally_call(&mut self, call: &Allocation, seat: Seat, event: &Event) {
        let latency_ns = call.latency_ns.map(NonZeroU64::get);
        let tally = self.tallies.of(seat, event);
        if call.only_gives_back() {
            tally.release(latency_ns);
        } else {
            tally.call(latency_ns, if call.address == 0 { 0 } else { call.size_bytes });
        }
    }

    /// A fault on a block mapped `page`.
    pub(super) fn tally_touch(
        &mut self,
        (seat, event): (Seat, &Event),
        (start, end): (u64, u64),
        (address, block): (u64, LiveBlock),
    ) {
        let is_own = block.tid == event.thread.tid;
        if is_own || self.processes.process(seat.process).live.number() != block.owner {
            return;
        }
        let end = end.min(end_of(address, block.size_bytes));
        self.tallies.of(seat, event).touch_for_others(end.saturating_sub(start.max(address)));
    }

    /// The process had so many live bytes before, and has what it has now.
    pub(super) fn tally_live(&mut self, pid: u32, before: u64) {
        if let Some(place) = self.processes.place(pid) {
            self.tallies.live(place, before, self.sites.live_bytes());
        }
    }

    /// A process or thread begins, executes a program, or is one of several threads that end.
    pub(super) fn tally_life(&mut self, life: Life, change: LifeChange, event: &Event) {
        let (thread, time_ns) = (event.thread, event.time_ns);
        match (life, change) {
            (Life::Ended { .. }, LifeChange::Over(_)) | (Life::Compat32, _) => {}
            (Life::Ended { .. }, _) => self.tallies.end_thread(thread, time_ns),
            (Life::Started { by }, _) => {
                let seat = self.processes.seat(thread, time_ns);
                self.tallies.begin((seat, event), by, self.processes.place(by.pid));
            }
            (Life::Attached, _) => {
                let seat = self.processes.seat(thread, time_ns);
                self.tallies.of(seat, event);
            }
            (Life::Executed { name }, _) => {
                self.arenas.end(thread.pid);
                let seat = self.processes.seat(thread, time_ns);
                self.tallies.execute((seat, event), name);
            }
        }
    }

    /// The process `pid` is over.
    pub(super) fn tally_end(&mut self, pid: u32, time_ns: u64) {
        let peak_resident_bytes = self.steps.resident().remove(pid);
        self.arenas.end(pid);
        if let Some(place) = self.processes.place(pid) {
            self.tallies.end_process(place, peak_resident_bytes, time_ns);
        }
    }
}
