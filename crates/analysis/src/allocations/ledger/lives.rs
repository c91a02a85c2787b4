//! Processes and threads come and go.

use events::{Event, Life};

use super::Ledger;
use crate::address_space::LifeChange;

impl Ledger {
    /// A life event comes: what it ends has to be looked at while its memory is known.
    pub(super) fn before_life(&mut self, life: Life, event: &Event) {
        let ends = match life {
            Life::Executed { .. } => true,
            Life::Ended { ending } => self.attributor.is_last(event.thread, ending),
            Life::Started { by } => by.pid != event.thread.pid,
            Life::Attached | Life::Compat32 => false,
        };
        if ends {
            self.forget(event.thread.pid);
        }
    }

    pub(super) fn life(&mut self, life: Life, change: LifeChange, event: &Event) {
        let (thread, time_ns) = (event.thread, event.time_ns);
        if matches!(life, Life::Ended { .. }) {
            self.slow.ended(thread.tid);
        }
        match (life, change) {
            (Life::Started { by }, LifeChange::Started { .. }) => {
                self.tally_end(thread.pid, time_ns);
                self.processes.remove(thread.pid, time_ns, &self.pauses);
                self.processes.fork(thread, by, time_ns);
            }
            (Life::Started { .. } | Life::Attached, _) => {
                self.processes.seat(thread, time_ns);
            }
            (Life::Executed { .. }, _) => {
                self.processes.execute(thread, time_ns, &self.pauses);
            }
            (Life::Ended { .. }, LifeChange::Over(_)) => {
                self.tally_end(thread.pid, time_ns);
                self.processes.remove(thread.pid, time_ns, &self.pauses);
            }
            (Life::Ended { .. }, _) => self.processes.end_thread(thread, time_ns, &self.pauses),
            (Life::Compat32, _) => {}
        }
        self.tally_life(life, change, event);
    }

    /// The blocks and the mappings of a process are gone.
    pub(super) fn forget(&mut self, pid: u32) {
        let Some(process) = self.processes.place(pid) else { return };
        while let Some(block) = self.pending.take(process, |_| true) {
            self.give_out(block);
        }
        self.forget_mappings(process, pid);
        let process = self.processes.process(process);
        let paused_ns = self.pauses.last_began_ns();
        let (blocks, unsure, unsure_bytes) = process.live.forget(&mut self.sites, paused_ns);
        let (all, all_bytes) = self.across_pauses;
        self.across_pauses = (all + unsure, all_bytes.saturating_add(unsure_bytes));
        for (address, block) in blocks {
            self.watch(address, &block, pid);
        }
    }
}
