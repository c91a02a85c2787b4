//! What the timeline gets to know of each event.

use events::{Event, EventKind, Life, Syscall};

use super::Ledger;
use crate::allocations::sites::Payer;
use crate::allocations::timeline::KernelPayer;

impl Ledger {
    /// The stream comes to `time_ns`: steps of time that are over end with what was live then.
    pub(super) fn end_steps(&mut self, time_ns: u64) {
        while let Some(end_ns) = self.steps.ends_by(time_ns) {
            self.settle(end_ns.saturating_sub(1));
            while let Some(pid) = self.steps.resident().settled_by(end_ns) {
                let bytes = self.attributor.resident_bytes_at(pid, end_ns - 1);
                self.steps.set_resident(pid, bytes);
            }
            self.steps.close(self.sites.live_bytes());
        }
    }

    /// An event of the kernel may have changed what is resident.
    pub(super) fn note_resident(&mut self, event: &Event) {
        let pid = event.thread.pid;
        match event.kind {
            EventKind::Life(Life::Attached | Life::Compat32) => self.steps.resident().doubt(),
            EventKind::Fault(_) | EventKind::Syscall(_) | EventKind::Life(_) => {
                if let (EventKind::Syscall(_), Some(end_ns)) = (event.kind, event.end_ns()) {
                    self.steps.resident().unsettle(pid, end_ns);
                }
                self.steps.set_resident(pid, self.attributor.resident_bytes(pid));
            }
            _ => {}
        }
    }

    /// A syscall inside a call for which `payer` pays, or outside of calls.
    pub(super) fn note_syscall(&mut self, syscall: &Syscall, payer: Option<Payer>) {
        let call = syscall.call;
        let payer = match payer {
            Some(payer) => KernelPayer::SyscallsOf(call, payer.site.number()),
            None => KernelPayer::Syscalls(call),
        };
        self.steps.syscall(payer, syscall.span.latency_ns.map(std::num::NonZeroU64::get));
    }
}
