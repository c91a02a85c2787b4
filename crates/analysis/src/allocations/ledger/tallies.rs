//! What the tallies of processes and threads get to know.

use std::num::NonZeroU64;

use events::{Allocation, Event, Life, Syscall};

use super::Ledger;
use crate::address_space::LifeChange;

impl Ledger {
    /// A call, which only `releases` or not, gives out a block or none.
    #[inline]
    pub(super) fn tally_call(&mut self, call: &Allocation, event: &Event, releases: bool) {
        let latency_ns = call.latency_ns.map(NonZeroU64::get);
        let tally = self.tallies.of(event);
        if releases {
            tally.release(latency_ns);
        } else {
            tally.call(latency_ns, if call.address == 0 { 0 } else { call.size_bytes });
        }
    }

    /// A syscall, inside a call or not.
    pub(super) fn tally_syscall(&mut self, syscall: &Syscall, event: &Event, in_call: bool) {
        let latency_ns = syscall.span.latency_ns.map(NonZeroU64::get);
        self.tallies.of(event).syscall(latency_ns, in_call);
    }

    /// A process or thread begins, executes a program, or is one of several threads that end.
    pub(super) fn tally_life(&mut self, life: Life, change: LifeChange, event: &Event) {
        let (thread, time_ns) = (event.thread, event.time_ns);
        match (life, change) {
            (Life::Started { by }, _) => self.tallies.begin(thread, by, time_ns),
            (Life::Attached, _) => {
                self.tallies.of(event);
            }
            (Life::Executed { name }, _) => {
                self.arenas.end(thread.pid);
                self.tallies.execute(thread, name, time_ns);
            }
            (Life::Ended { .. }, LifeChange::Over(_)) | (Life::Compat32, _) => {}
            (Life::Ended { .. }, _) => self.tallies.end_thread(thread, time_ns),
        }
    }

    /// The process `pid` is over.
    pub(super) fn tally_end(&mut self, pid: u32, time_ns: u64) {
        let peak_resident_bytes = self.steps.resident().remove(pid);
        self.arenas.end(pid);
        self.tallies.end_process(pid, peak_resident_bytes, time_ns);
    }
}
