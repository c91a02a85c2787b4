//! What happened when.

use serde::{Deserialize, Serialize};

use super::RestMemory;

/// A recording as equal steps of time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedTimeline {
    /// The width of a step. The last one may be shorter.
    pub step_ns: u64,
    /// The steps, from the start to the end. What takes time is in the step in which it begins.
    pub steps: Vec<RecordedStep>,
    /// When faults and syscalls took most time, the costliest first.
    pub moments: Vec<CostlyMoment>,
}

/// A step of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedStep {
    /// Its beginning, since the start of the recording.
    pub time_ns: u64,
    /// The most live bytes in it, of all processes.
    pub live_bytes: u64,
    /// The live bytes at its end.
    pub live_end_bytes: u64,
    /// The most resident bytes of private memory in it, of all processes: an estimate from faults
    /// and syscalls. `null` if it cannot be made.
    pub resident_bytes: Option<u64>,
    /// The same at its end.
    pub resident_end_bytes: Option<u64>,
    /// Page faults; `null` if they were not seen.
    pub faults: Option<u64>,
    /// Their time.
    pub fault_ns: Option<u64>,
    /// Calls that ask for memory; `null` where not all of them are in the recording.
    pub calls: Option<u64>,
    /// Memory syscalls; `null` if they were not seen.
    pub syscalls: Option<u64>,
    /// Their time.
    pub syscall_ns: Option<u64>,
}

/// Steps one after the other in which the same thing took most time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostlyMoment {
    /// Their beginning, since the start of the recording.
    pub time_ns: u64,
    /// Their end.
    pub until_ns: u64,
    /// The time of the faults and syscalls in them.
    pub cost_ns: u64,
    /// What took most of it.
    pub payer: MomentPayer,
    /// At least so much of it.
    pub payer_ns: u64,
    /// The site, as an index of `sites`; `null` if it concerns none, or its stack is unknown.
    pub site: Option<usize>,
    /// Of faults elsewhere, the kind of memory.
    pub memory: Option<RestMemory>,
    /// Of syscalls, their name.
    pub syscall: Option<String>,
}

/// What took most of the time of a moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MomentPayer {
    /// Faults on blocks.
    #[default]
    Blocks,
    /// Faults inside calls of the allocator, on no block.
    Calls,
    /// Faults elsewhere.
    Rest,
    /// Syscalls that return pages of blocks to the kernel.
    Returns,
    /// Other syscalls inside calls of the allocator that were timed.
    SyscallsInCalls,
    /// The others: of the program itself, or inside a free that was not timed.
    Syscalls,
}

impl RecordedTimeline {
    /// The largest figure of a step that is not zero, and the step with it, the first of several.
    pub fn most(
        &self,
        figure: impl Fn(&RecordedStep) -> Option<u64>,
    ) -> Option<(u64, RecordedStep)> {
        let figures = self.steps.iter().filter_map(|step| Some((figure(step)?, *step)));
        let larger = |most: (u64, RecordedStep), other: (u64, RecordedStep)| {
            if other.0 > most.0 { other } else { most }
        };
        figures.reduce(larger).filter(|(most, _)| *most > 0)
    }

    /// So many in a step, as a number per second. The last step may be too short to say.
    #[must_use]
    pub fn per_second(&self, count: u64) -> f64 {
        count as f64 * 1e9 / self.step_ns.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_is_the_first_of_the_largest_and_never_zero() {
        let step = |time_ns, faults| RecordedStep { time_ns, faults, ..RecordedStep::default() };
        let steps = vec![step(0, Some(1)), step(5, Some(3)), step(10, Some(3)), step(15, None)];
        let timeline = RecordedTimeline { step_ns: 500_000, steps, moments: Vec::new() };
        let (most, at) = timeline.most(|step| step.faults).expect("some faults");
        assert_eq!((most, at.time_ns), (3, 5));
        assert_eq!(timeline.most(|step| Some(step.live_bytes)), None);
        assert!((timeline.per_second(3) - 6000.0).abs() < 1e-9);
    }
}
