//! What happened when: equal steps of time, at most so many of them however long the stream is.

mod payers;
mod resident;

use events::Header;

use payers::Payers;
pub use payers::{KernelCost, KernelPayer};
use resident::Resident;

/// There are never more steps: where a stream goes on, two of them become one.
const STEPS: usize = 240;
/// The width of the first steps, in nanoseconds.
const FIRST_WIDTH_NS: u64 = 1000;

/// A stream as equal steps of time, with what happened in each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Timeline {
    /// The width of a step, in nanoseconds. The last one may be shorter.
    pub step_ns: u64,
    /// The steps from the beginning of the stream to its end. Whatever takes time is in the step in
    /// which it begins.
    pub steps: Vec<TimelineStep>,
    /// Whether the resident bytes are known: faults and syscalls were seen from the start of every
    /// process, without pauses.
    pub knows_resident: bool,
}

/// A step of a [`Timeline`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TimelineStep {
    /// The most live bytes in it.
    pub live_bytes: u64,
    /// The live bytes at its end.
    pub live_end_bytes: u64,
    /// The most resident bytes of private memory in it.
    pub resident_bytes: u64,
    /// Those at its end.
    pub resident_end_bytes: u64,
    /// Page faults.
    pub faults: u64,
    /// Their time, in nanoseconds.
    pub fault_ns: u64,
    /// Calls in the stream that ask for memory.
    pub calls: u64,
    /// Memory syscalls.
    pub syscalls: u64,
    /// Their time, in nanoseconds.
    pub syscall_ns: u64,
    payers: Payers,
}

impl TimelineStep {
    /// What its faults and syscalls took, in nanoseconds.
    #[must_use]
    pub fn cost_ns(&self) -> u64 {
        self.fault_ns.saturating_add(self.syscall_ns)
    }

    /// What took most of that, with its time, in nanoseconds: at least so much, and at most a ninth
    /// of [`TimelineStep::cost_ns`] more. `None`: nothing stands out.
    #[must_use]
    pub fn costliest(&self) -> Option<KernelCost> {
        self.payers.first()
    }

    /// Adds `next`, the step after it.
    fn join(&mut self, next: &TimelineStep) {
        self.live_bytes = self.live_bytes.max(next.live_bytes);
        self.live_end_bytes = next.live_end_bytes;
        self.resident_bytes = self.resident_bytes.max(next.resident_bytes);
        self.resident_end_bytes = next.resident_end_bytes;
        self.faults = self.faults.saturating_add(next.faults);
        self.fault_ns = self.fault_ns.saturating_add(next.fault_ns);
        self.calls = self.calls.saturating_add(next.calls);
        self.syscalls = self.syscalls.saturating_add(next.syscalls);
        self.syscall_ns = self.syscall_ns.saturating_add(next.syscall_ns);
        self.payers.join(&next.payers);
    }
}

/// The timeline of a stream while it is read.
#[derive(Debug)]
pub(super) struct Steps {
    now: TimelineStep,
    /// The end of the step that is now.
    until_ns: u64,
    width_ns: u64,
    past: Vec<TimelineStep>,
    resident: Resident,
}

impl Steps {
    /// That of the stream that begins with `header`.
    pub(super) fn new(header: &Header) -> Steps {
        Steps {
            now: TimelineStep::default(),
            until_ns: header.began_ns.saturating_add(FIRST_WIDTH_NS),
            width_ns: FIRST_WIDTH_NS,
            past: Vec::new(),
            resident: Resident::new(header),
        }
    }

    /// If the step that is now ends by `time_ns`: its end.
    #[inline]
    pub(super) fn ends_by(&self, time_ns: u64) -> Option<u64> {
        (self.until_ns <= time_ns && self.until_ns < u64::MAX).then_some(self.until_ns)
    }

    /// So many bytes are live.
    #[inline]
    pub(super) fn live(&mut self, live_bytes: u64) {
        if live_bytes > self.now.live_bytes {
            self.now.live_bytes = live_bytes;
        }
    }

    /// A call asks for memory, or only `releases` some.
    #[inline]
    pub(super) fn call(&mut self, releases: bool) {
        self.now.calls += u64::from(!releases);
    }

    /// A fault of so long, for which someone pays.
    pub(super) fn fault(&mut self, latency_ns: Option<u64>) {
        self.now.faults += 1;
        self.now.fault_ns = self.now.fault_ns.saturating_add(latency_ns.unwrap_or(0));
    }

    /// A syscall of so long, for which someone pays.
    pub(super) fn syscall(&mut self, latency_ns: Option<u64>) {
        self.now.syscalls += 1;
        self.now.syscall_ns = self.now.syscall_ns.saturating_add(latency_ns.unwrap_or(0));
    }

    /// For so much of the time of a fault or a syscall.
    pub(super) fn pay(&mut self, payer: KernelPayer, ns: u64) {
        self.now.payers.pay(payer, ns);
    }

    /// What is resident of each process, and whether that is known.
    pub(super) fn resident(&mut self) -> &mut Resident {
        &mut self.resident
    }

    /// Process `pid` has so many resident bytes.
    pub(super) fn set_resident(&mut self, pid: u32, bytes: u64) {
        let all = self.resident.set(pid, bytes);
        self.now.resident_bytes = self.now.resident_bytes.max(all);
    }

    /// The step that is now ends, with so many live bytes. The next one begins.
    pub(super) fn close(&mut self, live_bytes: u64) {
        self.live(live_bytes);
        let (live_end_bytes, resident_end_bytes) = (live_bytes, self.resident.all());
        let next = TimelineStep {
            live_bytes,
            resident_bytes: resident_end_bytes,
            ..TimelineStep::default()
        };
        let now = std::mem::replace(&mut self.now, next);
        self.past.push(TimelineStep { live_end_bytes, resident_end_bytes, ..now });
        if self.past.len() == STEPS {
            self.past = self.past.chunks_exact(2).map(joined).collect();
            self.width_ns = self.width_ns.saturating_mul(2);
        }
        self.until_ns = self.until_ns.saturating_add(self.width_ns);
    }

    /// The timeline of a stream with so many `pauses`, in which so many bytes are live at the end.
    pub(super) fn finish(&mut self, live_bytes: u64, pauses: u64) -> Timeline {
        let step_ns = self.width_ns;
        self.close(live_bytes);
        let knows_resident = self.resident.is_known() && pauses == 0;
        let steps = std::mem::take(&mut self.past);
        Timeline { step_ns: step_ns.max(self.width_ns), steps, knows_resident }
    }
}

/// Two steps as one.
fn joined(two: &[TimelineStep]) -> TimelineStep {
    let mut one = two[0].clone();
    two[1..].iter().for_each(|next| one.join(next));
    one
}

#[cfg(test)]
mod tests;
