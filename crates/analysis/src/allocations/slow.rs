//! The slowest calls, and what each of them did: its syscalls, its faults, and the times in which
//! its thread was not on a processor.
//!
//! ```text
//!   call      |------------------------------------------------|   25,010 us
//!   munmap            |-----------|                                  10,000 us, of them 200 waited
//!   absence               |--|                                      200 us, blocked: in munmap
//!   absence                             |------------|             15,000 us, blocked: for a lock
//!   the rest   ------              -----               -----            10 us
//! ```
//! The parts of a call are disjoint: a time of waiting inside a syscall or a fault is part of that,
//! since the kernel waited there on its behalf; a preemption is not.

mod open;

use std::collections::BTreeMap;

use events::{Absence, AbsenceReason, Allocation, AllocationFunction, Call, Event, Thread};
use events::{Fault, Syscall};

use super::number_map::NumberMap;
use super::pauses::Pauses;
use super::sites::Payer;
use open::OpenSlowCall;

/// So many calls of a stream are kept.
const KEPT: usize = 32;
/// A call is slow from here on. Most calls of an allocator take less than a microsecond.
const SLOW_NS: u64 = 10_000;
/// More calls than this are never nested in a thread.
const NESTED_MAX: usize = 8;
/// So many threads may be inside slow calls before those that have ended are looked for.
const LOOKED_FOR_FROM: usize = 64;

/// A slow call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlowCall {
    /// When it began, on the stream's clock.
    pub time_ns: u64,
    /// Its thread.
    pub thread: Thread,
    /// The function.
    pub function: AllocationFunction,
    /// The size that it asked for, or of the block that it gave back; `None`: unknown.
    pub size_bytes: Option<u64>,
    /// The site, as an index: that of the call, or of the block that it only gave back.
    pub site: Option<usize>,
    /// Its time.
    pub latency_ns: u64,
    /// What it did, each once. Their times are disjoint, and at most its own.
    pub parts: Vec<SlowPart>,
    /// Whether the stream has all that it did: no records were lost or left out.
    pub is_whole: bool,
}

/// A part of a slow call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlowPart {
    /// What it did.
    pub work: SlowWork,
    /// The time of that, without preemptions.
    pub ns: u64,
    /// The part of it in which the thread waited.
    pub waited_ns: u64,
    /// How often.
    pub times: u64,
}

/// What a slow call did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlowWork {
    /// Memory syscalls of a name.
    Syscall(Call),
    /// Page faults on the block that it gave out.
    OwnFaults,
    /// Other page faults.
    OtherFaults,
    /// Its thread could have gone on, and others had its processor.
    Preempted,
    /// Its thread waited outside of memory syscalls and faults, such as for a lock.
    Waited,
    /// The recorder stopped its thread at memory syscalls.
    Stopped,
    /// Preempted or waited: the kernel does not tell.
    OffCpu,
    /// Another call of its thread, such as of a signal handler.
    Nested,
}

/// The slowest calls of a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SlowAccount {
    /// The slowest ones, the slowest first.
    pub calls: Vec<SlowCall>,
    /// The slowest one of each site that has any, by the site's index.
    pub of_sites: BTreeMap<usize, SlowCall>,
    /// When the last time off a processor began, on the stream's clock; `None`: there was none.
    pub absences_until_ns: Option<u64>,
    /// Times off a processor that were left out, because they were too many.
    pub left_out: u64,
}

/// The slowest calls so far. Memory is bounded by sites and threads.
#[derive(Debug, Default)]
pub(super) struct SlowCalls {
    account: SlowAccount,
    /// Calls must be slower than this, or the slowest of their site.
    bar_ns: u64,
    /// The slow calls that threads are inside, the innermost last.
    open: NumberMap<u32, Vec<OpenSlowCall>>,
    looked_for_from: usize,
    /// The end of the last absence of each thread, and its reason: by another clock, it may begin
    /// before the call that it interrupts.
    last: NumberMap<u32, (u64, AbsenceReason)>,
    /// Until when absences were left out.
    left_out_until_ns: u64,
}

impl SlowCalls {
    /// A call begins.
    #[inline]
    pub(super) fn opened(
        &mut self,
        event: &Event,
        call: &Allocation,
        payer: Option<Payer>,
        pauses: &Pauses,
    ) {
        if let Some(latency_ns) = call.latency_ns
            && latency_ns.get() >= SLOW_NS
        {
            self.slow(event, call, payer, latency_ns.get(), pauses);
        }
    }

    fn slow(
        &mut self,
        event: &Event,
        call: &Allocation,
        payer: Option<Payer>,
        latency_ns: u64,
        pauses: &Pauses,
    ) {
        let site = payer.and_then(|payer| payer.site.index());
        let of_site = site.map(|site| self.account.of_sites.get(&site));
        let leads_site = of_site
            .is_some_and(|slowest| slowest.is_none_or(|slowest| slowest.latency_ns < latency_ns));
        if latency_ns <= self.bar_ns && !leads_site {
            return;
        }
        let (thread, time_ns) = (event.thread, event.time_ns);
        let end_ns = time_ns.saturating_add(latency_ns);
        let is_whole = time_ns >= self.left_out_until_ns && pauses.paused_ns(time_ns, end_ns) == 0;
        let size_bytes = payer.map(|payer| payer.size_bytes);
        let size_bytes = size_bytes.or((!call.only_gives_back()).then_some(call.size_bytes));
        let mut open = OpenSlowCall::new(SlowCall {
            time_ns,
            thread,
            function: call.function,
            size_bytes,
            site,
            latency_ns,
            parts: Vec::new(),
            is_whole,
        });
        if let Some(&(until_ns, reason)) = self.last.get(&thread.tid) {
            open.absent(time_ns, until_ns, reason);
        }
        self.close_ended(thread.tid, time_ns);
        if self.open.len() >= self.looked_for_from.max(LOOKED_FOR_FROM) {
            let tids: Vec<u32> = self.open.keys().copied().collect();
            for tid in tids {
                self.close_ended(tid, time_ns);
            }
            self.looked_for_from = self.open.len().saturating_mul(2);
        }
        let calls = self.open.entry(thread.tid).or_default();
        if calls.len() < NESTED_MAX {
            calls.push(open);
        }
    }

    /// A call that begins is inside another one of its thread.
    pub(super) fn nested(&mut self, event: &Event, latency_ns: u64) {
        if let Some(open) = self.at(event) {
            open.nested(event.time_ns, latency_ns);
        }
    }

    /// A memory syscall.
    #[inline]
    pub(super) fn syscall(&mut self, event: &Event, call: &Syscall) {
        if let Some(open) = self.at(event) {
            open.syscall(event.time_ns, call);
        }
    }

    /// A page fault: on the block that the call gives out, or not.
    #[inline]
    pub(super) fn fault(&mut self, event: &Event, fault: &Fault, is_own: bool) {
        if let Some(open) = self.at(event) {
            open.fault(event.time_ns, fault, is_own);
        }
    }

    /// A time in which a thread was not on a processor.
    pub(super) fn absence(&mut self, event: &Event, absence: &Absence) {
        let until_ns = event.time_ns.saturating_add(absence.latency_ns);
        if let AbsenceReason::LeftOut { absences, .. } = absence.reason {
            self.left_out_until_ns = self.left_out_until_ns.max(until_ns);
            self.account.left_out = self.account.left_out.saturating_add(absences.into());
            return self.lost();
        }
        let last = &mut self.account.absences_until_ns;
        *last = (*last).max(Some(event.time_ns));
        self.last.insert(event.thread.tid, (until_ns, absence.reason));
        if let Some(open) = self.at(event) {
            open.absent(event.time_ns, until_ns, absence.reason);
        }
    }

    /// Records of any threads are missing.
    pub(super) fn lost(&mut self) {
        self.open.values_mut().flatten().for_each(OpenSlowCall::lose);
    }

    /// A thread has ended.
    pub(super) fn ended(&mut self, tid: u32) {
        self.last.remove(&tid);
        self.close_ended(tid, u64::MAX);
    }

    /// The account, at the end of the stream.
    pub(super) fn finish(mut self) -> SlowAccount {
        let open = std::mem::take(&mut self.open);
        for call in open.into_values().flatten() {
            self.keep(call.finish());
        }
        // Calls of the same time in an order that does not depend on the map.
        let order = |call: &SlowCall| (u64::MAX - call.latency_ns, call.time_ns, call.thread);
        self.account.calls.sort_by_key(order);
        self.account
    }

    /// The slow call that the event's thread is inside, unless it is inside another one there.
    #[inline]
    fn at(&mut self, event: &Event) -> Option<&mut OpenSlowCall> {
        if self.open.is_empty() {
            return None;
        }
        self.close_ended(event.thread.tid, event.time_ns);
        let open = self.open.get_mut(&event.thread.tid)?.last_mut()?;
        open.concerns(event).then_some(open)
    }

    /// Takes the calls of a thread that have ended by `time_ns` off the open ones.
    fn close_ended(&mut self, tid: u32, time_ns: u64) {
        let Some(calls) = self.open.get_mut(&tid) else { return };
        let ended: Vec<OpenSlowCall> =
            calls.extract_if(.., |call| call.end_ns() <= time_ns).collect();
        if calls.is_empty() {
            self.open.remove(&tid);
        }
        for call in ended {
            self.keep(call.finish());
        }
    }

    /// Keeps a call, if it is slow enough.
    fn keep(&mut self, call: SlowCall) {
        if let Some(site) = call.site {
            let slowest = self.account.of_sites.get(&site);
            if slowest.is_none_or(|slowest| slowest.latency_ns < call.latency_ns) {
                self.account.of_sites.insert(site, call.clone());
            }
        }
        let calls = &mut self.account.calls;
        if calls.len() < KEPT {
            calls.push(call);
        } else if call.latency_ns > self.bar_ns
            && let Some(fastest) = calls.iter_mut().min_by_key(|call| call.latency_ns)
        {
            *fastest = call;
        }
        if calls.len() == KEPT {
            self.bar_ns = calls.iter().map(|call| call.latency_ns).min().unwrap_or(0);
        }
    }
}

impl SlowCall {
    /// Its time less that of its parts: what it did in user space, if all else is known.
    #[must_use]
    pub fn rest_ns(&self) -> u64 {
        self.parts.iter().fold(self.latency_ns, |left, part| left.saturating_sub(part.ns))
    }
}

#[cfg(test)]
mod tests;
