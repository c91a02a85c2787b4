//! The resident bytes of private memory, of each process and of all.

use events::Header;

use crate::allocations::number_map::NumberMap;

/// What is resident, as far as the stream shows it.
#[derive(Debug)]
pub(in crate::allocations) struct Resident {
    by_pid: NumberMap<u32, ResidentProcess>,
    all_bytes: u64,
    is_known: bool,
    /// The last process that made a syscall, and when that ends: what it populates is there then.
    unsettled: Option<(u32, u64)>,
}

#[derive(Debug, Clone, Copy, Default)]
struct ResidentProcess {
    bytes: u64,
    peak_bytes: u64,
}

impl Resident {
    /// That of the stream that begins with `header`.
    pub(super) fn new(header: &Header) -> Resident {
        let is_known = header.sees.faults && header.sees.calls;
        Resident { by_pid: NumberMap::default(), all_bytes: 0, is_known, unsettled: None }
    }

    /// Process `pid` has so many bytes. Returns those of all processes.
    pub(super) fn set(&mut self, pid: u32, bytes: u64) -> u64 {
        let process = self.by_pid.entry(pid).or_default();
        self.all_bytes = self.all_bytes.saturating_sub(process.bytes).saturating_add(bytes);
        process.bytes = bytes;
        process.peak_bytes = process.peak_bytes.max(bytes);
        self.all_bytes
    }

    /// Process `pid` is gone. Returns the most that it had.
    pub(in crate::allocations) fn remove(&mut self, pid: u32) -> u64 {
        let gone = self.by_pid.remove(&pid).unwrap_or_default();
        self.all_bytes = self.all_bytes.saturating_sub(gone.bytes);
        gone.peak_bytes
    }

    /// Process `pid` makes a syscall that ends at `end_ns`.
    pub(in crate::allocations) fn unsettle(&mut self, pid: u32, end_ns: u64) {
        self.unsettled = Some((pid, end_ns));
    }

    /// The process whose syscall has ended before `time_ns`, once.
    pub(in crate::allocations) fn settled_by(&mut self, time_ns: u64) -> Option<u32> {
        self.unsettled.take_if(|(_, end_ns)| *end_ns < time_ns).map(|(pid, _)| pid)
    }

    /// Those of all processes.
    pub(super) fn all(&self) -> u64 {
        self.all_bytes
    }

    /// There is memory of which it is not known what is resident.
    pub(in crate::allocations) fn doubt(&mut self) {
        self.is_known = false;
    }

    /// Whether it is known.
    pub(super) fn is_known(&self) -> bool {
        self.is_known
    }
}
