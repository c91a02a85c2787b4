//! Memory syscalls: how calls are served, and whose memory is returned.

use std::num::NonZeroU64;

use events::{Call, Event, Syscall};

use super::Ledger;
use crate::address_space::{CallEffect, returns_pages};
use crate::allocations::figures::{add, scaled};
use crate::allocations::served::{MAP_FIXED, ServedBy};
use crate::allocations::site::Charge;
use crate::allocations::sites::Payer;
use crate::allocations::timeline::KernelPayer;

/// What a syscall did to pages.
enum Effect {
    /// Those of a range are gone, and whether the range is still mapped.
    Returned((u64, u64), bool),
    /// Those of a range are elsewhere.
    Moved((u64, u64), u64),
}

impl Ledger {
    pub(super) fn syscall(&mut self, call: &Syscall, effect: &CallEffect, event: &Event) {
        let (thread, time_ns) = (event.thread, event.time_ns);
        let latency_ns = call.span.latency_ns.map_or(0, NonZeroU64::get);
        let has_all = !self.thinned.has_counts();
        let seat = self.processes.seat(thread, time_ns);
        let process = self.processes.process(seat.process);
        let page_bytes = self.header.page_bytes;
        let owners = match effect_of(call, effect, page_bytes).filter(|_| has_all) {
            Some(Effect::Returned(range, stays)) => process.owners.give_back(range, time_ns, stays),
            Some(Effect::Moved(range, to)) => {
                process.owners.shift(range, to);
                Vec::new()
            }
            None => Vec::new(),
        };
        if !owners.is_empty() {
            self.processes.presence(seat).give_back(time_ns.saturating_add(latency_ns));
        }
        let open = self.processes.call(seat, time_ns).copied();
        self.remap(call, open, (seat, event));
        self.note_syscall(call, (seat, event), open, !owners.is_empty());
        let Some(open) = self.processes.call(seat, time_ns) else {
            if owners.is_empty() {
                self.own_syscalls.0 += 1;
                add(&mut self.own_syscalls.1, latency_ns);
            }
            return self.returned(call.call, &owners, latency_ns);
        };
        // What returns the memory of others is theirs.
        let taken_ns = if owners.is_empty() { 0 } else { open.interrupt(latency_ns) };
        let served = open.served.max(ServedBy::of(call, effect.break_fell));
        let before = std::mem::replace(&mut open.served, served);
        let open = *open;
        if let Some(payer) = open.payer {
            self.sites.pay(payer, Charge::Syscall);
        }
        self.subtract(&open, taken_ns);
        self.detail(&open, |details| {
            details.served[before as usize] -= 1;
            details.served[served as usize] += 1;
            add(&mut details.syscall_ns, if owners.is_empty() { latency_ns } else { 0 });
        });
        self.returned(call.call, &owners, latency_ns);
    }

    /// A syscall returned these bytes, for whose touch these had paid: they share its time.
    fn returned(&mut self, call: Call, owners: &[(Payer, u64)], latency_ns: u64) {
        // Their pages do not overlap, so the sum is an address at most.
        let all: u64 = owners.iter().map(|(_, bytes)| bytes).sum();
        let mut left_ns = latency_ns;
        for (index, &(payer, bytes)) in owners.iter().enumerate() {
            let is_last = index + 1 == owners.len();
            let ns = if is_last { left_ns } else { scaled(latency_ns, bytes, all) };
            left_ns -= ns;
            self.sites.pay(payer, Charge::Returned { ns, bytes });
            self.steps.pay(KernelPayer::Returns(call, payer.site.index()), ns);
        }
    }
}

/// What a call that succeeded did to pages.
fn effect_of(call: &Syscall, effect: &CallEffect, page_bytes: u64) -> Option<Effect> {
    let result = call.succeeded_with().filter(|_| call.arguments_known)?;
    let [first, second, third, flags, ..] = call.arguments;
    let round = |bytes: u64| bytes.checked_next_multiple_of(page_bytes.max(1)).unwrap_or(bytes);
    let range = |start: u64, bytes: u64| (start, start.saturating_add(round(bytes)));
    match call.call {
        Call::Munmap => Some(Effect::Returned(range(first, second), false)),
        Call::Madvise if returns_pages(third) => Some(Effect::Returned(range(first, second), true)),
        Call::Mmap if flags & MAP_FIXED != 0 => {
            Some(Effect::Returned(range(result, second), false))
        }
        Call::Brk if effect.break_fell => {
            let before = result.saturating_add(effect.break_moved_bytes.unwrap_or(0));
            Some(Effect::Returned((round(result), round(before)), false))
        }
        Call::Mremap if result != first => {
            Some(Effect::Moved(range(first, second.min(third)), result))
        }
        Call::Mremap if third < second => {
            let (_, end) = range(first, second);
            Some(Effect::Returned((first.saturating_add(round(third)), end), false))
        }
        _ => None,
    }
}
