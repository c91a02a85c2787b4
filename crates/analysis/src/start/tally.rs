//! Sums of faults by what they are for and by file.

use std::collections::BTreeMap;
use std::num::NonZeroU64;

use events::{Fault, ModuleId};
use results::start::StartCause;

/// Some faults.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StartSum {
    /// Their number.
    pub faults: u64,
    /// Those that read from a device.
    pub major: u64,
    /// Those without a time.
    pub untimed: u64,
    /// Their time, in nanoseconds.
    pub ns: u64,
    /// The sizes of their pages.
    pub bytes: u64,
}

impl StartSum {
    /// One fault.
    pub(super) fn of(fault: &Fault, smallest_bytes: u64) -> StartSum {
        StartSum {
            faults: 1,
            major: u64::from(fault.major),
            untimed: u64::from(fault.span.latency_ns.is_none()),
            ns: fault.span.latency_ns.map_or(0, NonZeroU64::get),
            bytes: fault.page_bytes.map_or(smallest_bytes, NonZeroU64::get),
        }
    }

    /// Adds others.
    pub fn add(&mut self, other: &StartSum) {
        let sum = |own: &mut u64, other: u64| *own = own.saturating_add(other);
        sum(&mut self.faults, other.faults);
        sum(&mut self.major, other.major);
        sum(&mut self.untimed, other.untimed);
        sum(&mut self.ns, other.ns);
        sum(&mut self.bytes, other.bytes);
    }
}

/// Faults by cause and file; those of the recorder apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StartTally {
    sums: BTreeMap<(StartCause, ModuleId), StartSum>,
    recorder: StartSum,
}

impl StartTally {
    /// Adds faults of one cause and file.
    fn add(&mut self, cause: StartCause, file: ModuleId, sum: &StartSum) {
        self.sums.entry((cause, file)).or_default().add(sum);
    }

    /// Adds a fault that `belongs` to a cause and a file, or, with none, to the recorder.
    pub(super) fn add_fault(&mut self, belongs: Option<(StartCause, ModuleId)>, sum: &StartSum) {
        match belongs {
            Some((cause, file)) => self.add(cause, file, sum),
            None => self.recorder.add(sum),
        }
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &StartTally) {
        for (&(cause, file), sum) in &other.sums {
            self.add(cause, file, sum);
        }
        self.recorder.add(&other.recorder);
    }

    /// The faults of the program.
    #[must_use]
    pub fn all(&self) -> StartSum {
        let mut all = StartSum::default();
        self.sums.values().for_each(|sum| all.add(sum));
        all
    }

    /// The faults of the recorder.
    #[must_use]
    pub fn recorder(&self) -> StartSum {
        self.recorder
    }

    /// By cause and file.
    pub(super) fn iter(&self) -> impl Iterator<Item = (StartCause, ModuleId, &StartSum)> {
        self.sums.iter().map(|(&(cause, file), sum)| (cause, file, sum))
    }
}
