//! What the timeline gets to know of each event, and the tallies of those of the kernel.

use std::num::NonZeroU64;

use events::{Event, EventKind, Fault, Life, Syscall};

use super::Ledger;
use crate::allocations::processes::{OpenCall, Seat};
use crate::allocations::timeline::KernelPayer;

impl Ledger {
    /// The stream comes to `time_ns`: steps of time that are over end with what was live then.
    #[inline]
    pub(super) fn end_steps(&mut self, time_ns: u64) {
        while let Some(end_ns) = self.steps.ends_by(time_ns) {
            self.end_step(end_ns);
        }
    }

    #[cold]
    fn end_step(&mut self, end_ns: u64) {
        self.settle(end_ns.saturating_sub(1));
        while let Some(pid) = self.steps.resident().settled_by(end_ns) {
            let bytes = self.attributor.resident_bytes_at(pid, end_ns - 1);
            self.steps.set_resident(pid, bytes);
        }
        self.steps.close(self.sites.live_bytes());
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

    /// A fault, whose time is part of that of a call or is not. Without a `payer` it is on a block,
    /// which may share its time with others.
    pub(super) fn note_fault(
        &mut self,
        fault: &Fault,
        (seat, event): (Seat, &Event),
        payer: Option<KernelPayer>,
        in_call: bool,
    ) {
        let latency_ns = fault.span.latency_ns.map(NonZeroU64::get);
        self.steps.fault(latency_ns);
        if let Some(payer) = payer {
            self.steps.pay(payer, latency_ns.unwrap_or(0));
        }
        self.tallies.of(seat, event).fault(fault.major, latency_ns, in_call);
    }

    /// A syscall inside of a call or of none, which may return pages: their owners pay for it then,
    /// so its time is not part of the call's.
    pub(super) fn note_syscall(
        &mut self,
        syscall: &Syscall,
        (seat, event): (Seat, &Event),
        call: Option<OpenCall>,
        returns: bool,
    ) {
        let latency_ns = syscall.span.latency_ns.map(NonZeroU64::get);
        self.steps.syscall(latency_ns);
        if !returns {
            let payer = match call.and_then(|call| call.payer) {
                Some(payer) => KernelPayer::SyscallsOf(syscall.call, payer.site.index()),
                None => KernelPayer::Syscalls(syscall.call),
            };
            self.steps.pay(payer, latency_ns.unwrap_or(0));
        }
        // To a thread, a call that maps memory is no more than its syscall.
        let tally = self.tallies.of(seat, event);
        let of_allocator = call.filter(|call| !call.maps);
        tally.syscall(latency_ns, of_allocator.is_some() && !returns);
        if let Some(mut call) = of_allocator.filter(|_| returns) {
            tally.interrupt(call.releases, call.interrupt(latency_ns.unwrap_or(0)));
        }
        self.note_mapping(syscall, event, call);
    }
}
