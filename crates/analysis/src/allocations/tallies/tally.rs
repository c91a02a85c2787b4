//! What a process or a thread did.

use events::{Name, Thread};

use crate::allocations::figures::{FaultSums, TimedCalls};

/// What a thread did, or several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ThreadWork {
    /// Its calls that ask the allocator for memory, less the faults on blocks and the returns of
    /// memory in them.
    pub apparent: TimedCalls,
    /// Its calls that only give back to it, likewise. Calls that map memory are syscalls here.
    pub release: TimedCalls,
    /// The sizes that it was given, in bytes.
    pub bytes: u64,
    /// Its faults.
    pub faults: FaultSums,
    /// The time of those of them that is part of its calls, in nanoseconds.
    pub faults_in_calls_ns: u64,
    /// The bytes of blocks that other threads of its process had asked for, on pages that it
    /// faulted on.
    pub touched_for_others_bytes: u64,
    /// Its memory syscalls.
    pub syscalls: u64,
    /// Their time, in nanoseconds.
    pub syscall_ns: u64,
    /// The time of those of them that is part of its calls, in nanoseconds. That of returns of
    /// memory is not, since the owners of the pages pay for it.
    pub syscalls_in_calls_ns: u64,
}

impl ThreadWork {
    /// A call that asks for memory and is given so many bytes.
    #[inline]
    pub(in crate::allocations) fn call(&mut self, latency_ns: Option<u64>, bytes: u64) {
        self.apparent.add(latency_ns, 1);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// A call that only gives back.
    #[inline]
    pub(in crate::allocations) fn release(&mut self, latency_ns: Option<u64>) {
        self.release.add(latency_ns, 1);
    }

    /// So much of the time of a call, which only `releases` or not, belongs to something else.
    pub(in crate::allocations) fn interrupt(&mut self, releases: bool, ns: u64) {
        let calls = if releases { &mut self.release } else { &mut self.apparent };
        calls.take(ns, 1);
    }

    /// A fault, whose time may be part of a call.
    pub(in crate::allocations) fn fault(
        &mut self,
        major: bool,
        latency_ns: Option<u64>,
        in_call: bool,
    ) {
        self.faults.add(major, latency_ns, 1);
        if let Some(ns) = latency_ns.filter(|_| in_call) {
            self.faults_in_calls_ns = self.faults_in_calls_ns.saturating_add(ns);
        }
    }

    /// It touched so many bytes of a block of another thread.
    pub(in crate::allocations) fn touch_for_others(&mut self, bytes: u64) {
        self.touched_for_others_bytes = self.touched_for_others_bytes.saturating_add(bytes);
    }

    /// A syscall, whose time may be part of a call.
    pub(in crate::allocations) fn syscall(&mut self, latency_ns: Option<u64>, in_call: bool) {
        let ns = latency_ns.unwrap_or(0);
        self.syscalls += 1;
        self.syscall_ns = self.syscall_ns.saturating_add(ns);
        if in_call {
            self.syscalls_in_calls_ns = self.syscalls_in_calls_ns.saturating_add(ns);
        }
    }

    /// The time of its faults that is not part of its calls, in nanoseconds.
    #[must_use]
    pub fn other_faults_ns(&self) -> u64 {
        self.faults.ns.saturating_sub(self.faults_in_calls_ns)
    }

    /// The time of its syscalls that is not part of its calls, in nanoseconds.
    #[must_use]
    pub fn other_syscalls_ns(&self) -> u64 {
        self.syscall_ns.saturating_sub(self.syscalls_in_calls_ns)
    }

    /// The time that is known of all of it, each part once, in nanoseconds.
    pub(super) fn known_ns(&self) -> u64 {
        [self.release.timed_ns, self.other_faults_ns(), self.other_syscalls_ns()]
            .into_iter()
            .fold(self.apparent.timed_ns, u64::saturating_add)
    }

    /// Adds what another one did.
    pub(super) fn add_all(&mut self, other: &ThreadWork) {
        let sum = |own: &mut u64, other: u64| *own = own.saturating_add(other);
        self.apparent.add_all(&other.apparent);
        self.release.add_all(&other.release);
        self.faults.add_all(&other.faults);
        sum(&mut self.bytes, other.bytes);
        sum(&mut self.faults_in_calls_ns, other.faults_in_calls_ns);
        sum(&mut self.touched_for_others_bytes, other.touched_for_others_bytes);
        sum(&mut self.syscalls, other.syscalls);
        sum(&mut self.syscall_ns, other.syscall_ns);
        sum(&mut self.syscalls_in_calls_ns, other.syscalls_in_calls_ns);
    }
}

/// A thread, from its beginning to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThreadTally {
    /// The thread.
    pub thread: Thread,
    /// Its beginning, or its first event.
    pub began_ns: u64,
    /// Its end, or that of the stream.
    pub ended_ns: u64,
    /// What it did.
    pub tally: ThreadWork,
}

impl ThreadTally {
    pub(super) fn new(thread: Thread, began_ns: u64) -> ThreadTally {
        ThreadTally { thread, began_ns, ended_ns: began_ns, tally: ThreadWork::default() }
    }
}

/// A process, from its beginning to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessTally {
    /// Its number.
    pub pid: u32,
    /// The process that forked it, if that was seen.
    pub parent: Option<u32>,
    /// The name of the last program that it executed; of a fork that executed none, that of its
    /// parent.
    pub name: Name,
    /// Its beginning, or its first event.
    pub began_ns: u64,
    /// Its end, or that of the stream.
    pub ended_ns: u64,
    /// Its threads.
    pub threads: u64,
    /// The most live bytes of its own.
    pub peak_live_bytes: u64,
    /// The most resident bytes of private memory.
    pub peak_resident_bytes: u64,
    /// What its threads did.
    pub tally: ThreadWork,
    pub(super) live_bytes: u64,
}

impl ProcessTally {
    pub(super) fn new(pid: u32, began_ns: u64) -> ProcessTally {
        ProcessTally {
            pid,
            parent: None,
            name: Name::NONE,
            began_ns,
            ended_ns: began_ns,
            threads: 0,
            peak_live_bytes: 0,
            peak_resident_bytes: 0,
            tally: ThreadWork::default(),
            live_bytes: 0,
        }
    }
}
