//! A call site, and what it is charged.

use events::CallCounts;

use super::figures::{Amount, FaultSums, TimedCalls, rounded};
use super::frames::FrameId;

/// A call site: a stack from which memory was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Site<N = u64> {
    /// The innermost frame of its stack.
    pub stack: FrameId,
    /// Whether it maps memory itself, by mmap(2) or mremap(2): its blocks are mappings then, and
    /// their release is munmap(2).
    pub maps: bool,
    /// Calls that ask for memory, failed ones included.
    pub calls: N,
    /// Those of them that failed.
    pub failed: N,
    /// Its blocks that were given back, by a free or by a reallocation.
    pub frees: N,
    /// The sum of the sizes that were given out, in bytes.
    pub bytes: N,
    /// Its blocks that were live when their process ended, executed a program, or when the
    /// recording ended.
    pub unreleased: N,
    /// Their sizes, in bytes.
    pub unreleased_bytes: N,
    /// The most bytes that it had live at once.
    pub peak_bytes: N,
    /// Its live bytes when all sites together had most.
    pub at_peak_bytes: N,
    /// Time inside the allocating calls, less the faults on blocks in them.
    pub apparent: TimedCalls<N>,
    /// Time inside the calls that only give its blocks back, less the faults on blocks in them.
    pub release: TimedCalls<N>,
    /// Faults on its blocks.
    pub touches: FaultSums<N>,
    /// Faults inside its calls that concern no block, such as the allocator's own data. Their time
    /// is part of `apparent` or `release`.
    pub inside: FaultSums<N>,
    /// Memory syscalls inside its calls.
    pub syscalls: N,
    /// The time of syscalls that returned pages to the kernel for whose touch it had paid, in
    /// nanoseconds. It is in no other figure.
    pub returned_ns: N,
    /// The bytes of these pages.
    pub returned_bytes: N,
    /// The standard errors of estimates; 0 of what is exact.
    pub errors: SiteErrors,
    live_bytes: N,
    /// The number of the peak that `at_peak_bytes` belongs to.
    at_peak: u64,
}

/// The standard errors of a site's figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SiteErrors {
    /// Of its calls.
    pub calls: u64,
    /// Of the bytes that were given out.
    pub bytes: u64,
    /// Of the time of faults on its blocks, in nanoseconds.
    pub touches_ns: u64,
    /// Of the time inside its calls that were timed, in nanoseconds.
    pub apparent_ns: u64,
    /// Of the time of the releases of its blocks, in nanoseconds.
    pub release_ns: u64,
}

/// What a site pays for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Charge {
    /// A call that asks for memory and gets so many bytes, or fails.
    Call { given_bytes: Option<u64>, latency_ns: Option<u64> },
    /// A call that only gives back a block.
    Release { latency_ns: Option<u64> },
    /// A block is given back, or some of a mapping.
    Free,
    /// A block of so many bytes, or what is left of a mapping, is never given back.
    Kept { size_bytes: u64 },
    /// A fault on a block.
    Touch { major: bool, latency_ns: Option<u64> },
    /// A fault inside a call, on no block.
    Inside { major: bool, latency_ns: Option<u64> },
    /// A part of the time of a fault on another block, on a page that its block shares.
    Share { ns: u64 },
    /// A syscall inside a call.
    Syscall,
    /// A part of a syscall that returned pages for whose touch it had paid.
    Returned { ns: u64, bytes: u64 },
    /// So much of the time of a call belongs to something else, and so much is left of it.
    Interruption { releases: bool, ns: u64, left_ns: u64 },
}

impl Site {
    /// Faults that it pays for: on its blocks, and inside its calls.
    #[must_use]
    pub fn faults(&self) -> FaultSums {
        let mut all = self.touches;
        all.add_all(&self.inside);
        all
    }

    /// Adds calls that were counted.
    pub(super) fn count(&mut self, counts: &CallCounts) {
        self.calls = self.calls.saturating_add(counts.calls);
        self.failed = self.failed.saturating_add(counts.failed);
        self.bytes = self.bytes.saturating_add(counts.bytes);
        self.apparent.add_all(&TimedCalls::counted(counts));
    }
}

impl<N: Amount> Site<N> {
    /// A site that has paid nothing yet.
    pub(super) fn new(stack: FrameId, maps: bool) -> Site<N> {
        Site { stack, maps, ..Site::default() }
    }

    /// Pays for `charge`, which stands for `weight` of them.
    #[inline]
    pub(super) fn pay(&mut self, charge: Charge, weight: N) {
        match charge {
            Charge::Call { given_bytes, latency_ns } => {
                self.calls = self.calls.plus(1, weight);
                match given_bytes {
                    Some(bytes) => self.bytes = self.bytes.plus(bytes, weight),
                    None => self.failed = self.failed.plus(1, weight),
                }
                self.apparent.add(latency_ns, weight);
            }
            Charge::Release { latency_ns } => self.release.add(latency_ns, weight),
            Charge::Free => self.frees = self.frees.plus(1, weight),
            Charge::Kept { size_bytes } => {
                self.unreleased = self.unreleased.plus(1, weight);
                self.unreleased_bytes = self.unreleased_bytes.plus(size_bytes, weight);
            }
            Charge::Touch { major, latency_ns } => self.touches.add(major, latency_ns, weight),
            Charge::Inside { major, latency_ns } => self.inside.add(major, latency_ns, weight),
            Charge::Share { ns } => self.touches.ns = self.touches.ns.plus(ns, weight),
            Charge::Returned { ns, bytes } => {
                self.returned_ns = self.returned_ns.plus(ns, weight);
                self.returned_bytes = self.returned_bytes.plus(bytes, weight);
            }
            Charge::Syscall => self.syscalls = self.syscalls.plus(1, weight),
            Charge::Interruption { releases: true, ns, .. } => self.release.take(ns, weight),
            Charge::Interruption { releases: false, ns, .. } => self.apparent.take(ns, weight),
        }
    }

    /// `size_bytes`, so many times, are live from now on. The latest peak of all sites is the one
    /// with the number `peak`.
    pub(super) fn grow(&mut self, size_bytes: u64, weight: N, peak: u64) {
        self.note_peak(peak);
        self.live_bytes = self.live_bytes.plus(size_bytes, weight);
        if self.live_bytes > self.peak_bytes {
            self.peak_bytes = self.live_bytes;
        }
    }

    /// They are live no longer.
    pub(super) fn shrink(&mut self, size_bytes: u64, weight: N, peak: u64) {
        self.note_peak(peak);
        self.live_bytes = self.live_bytes.minus(size_bytes, weight);
    }

    /// Notes the live bytes at the latest peak, the one with the number `peak`, before they change.
    pub(super) fn note_peak(&mut self, peak: u64) {
        if self.at_peak < peak {
            (self.at_peak, self.at_peak_bytes) = (peak, self.live_bytes);
        }
    }
}

impl Site<f64> {
    /// Its figures as whole numbers.
    pub(super) fn rounded(&self) -> Site {
        Site {
            stack: self.stack,
            maps: self.maps,
            calls: rounded(self.calls),
            failed: rounded(self.failed),
            frees: rounded(self.frees),
            bytes: rounded(self.bytes),
            unreleased: rounded(self.unreleased),
            unreleased_bytes: rounded(self.unreleased_bytes),
            peak_bytes: rounded(self.peak_bytes),
            at_peak_bytes: rounded(self.at_peak_bytes),
            apparent: self.apparent.rounded(),
            release: self.release.rounded(),
            touches: self.touches.rounded(),
            inside: self.inside.rounded(),
            syscalls: rounded(self.syscalls),
            returned_ns: rounded(self.returned_ns),
            returned_bytes: rounded(self.returned_bytes),
            errors: self.errors,
            live_bytes: rounded(self.live_bytes),
            at_peak: self.at_peak,
        }
    }
}
