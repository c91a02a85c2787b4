//! Times off the processor: inside of what is paid for, or not.

use events::{Absence, AbsenceReason, Event};

use super::Ledger;
use crate::allocations::off_cpu::Away;
use crate::allocations::processes::{OpenCall, Seat};

impl Ledger {
    /// A thread was not on a processor.
    pub(super) fn absence(&mut self, absence: &Absence, event: &Event) {
        // What is left out is of no thread.
        let is_told = !matches!(absence.reason, AbsenceReason::LeftOut { .. });
        if let Some(seat) = self.processes.known_seat(event.thread).filter(|_| is_told) {
            let until_ns = event.time_ns.saturating_add(absence.latency_ns);
            self.away(Away { from_ns: event.time_ns, until_ns, reason: absence.reason }, seat);
        }
    }

    fn away(&mut self, away: Away, seat: Seat) {
        let from_ns = away.from_ns;
        if let Some(end_ns) = self.processes.presence(seat).in_kernel(from_ns) {
            return self.off_cpu.kernel.add(away.within(from_ns, end_ns), away.reason);
        }
        match self.processes.call(seat, from_ns).copied() {
            Some(call) => self.away_in(&call, away, from_ns),
            None => self.processes.presence(seat).leave(away),
        }
    }

    /// The thread begins a call, or by its clock is away just before.
    pub(super) fn away_before(&mut self, call: &OpenCall, seat: Seat, time_ns: u64) {
        if let Some(away) = self.processes.presence(seat).take_last(time_ns) {
            self.away_in(call, away, time_ns);
        }
    }

    fn away_in(&mut self, call: &OpenCall, away: Away, from_ns: u64) {
        // The time of a release of an unknown block is in no figure.
        if call.payer.is_some() {
            let ns = away.within(from_ns, call.end_ns).min(call.left_ns);
            let off_cpu = &mut self.off_cpu;
            let times = match call.releases {
                _ if call.maps => &mut off_cpu.kernel,
                true => &mut off_cpu.releases,
                false => &mut off_cpu.calls,
            };
            times.add(ns, away.reason);
        }
    }
}
