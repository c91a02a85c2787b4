//! What `firsttouch report FILE --json` writes for a recording, `firsttouch.report/1`, as types.

mod recorder;
mod rest;

use serde::{Deserialize, Serialize};

pub use recorder::{EndedEarly, RecorderCounts};
pub use rest::{RestMemory, RestRow};

/// The schema that this version writes.
pub const SCHEMA: &str = "firsttouch.report/1";

/// The account of a recorded program: what each call site pays for memory.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RecordingReport {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of the program that wrote it.
    pub version: String,
    /// The command; empty for a process that was already running.
    pub command: Vec<String>,
    /// Whether arguments, paths and the machine's name were left out of the recording.
    #[serde(default)]
    pub redacted: bool,
    /// From the start of the recording to the end of its last event.
    pub elapsed_ns: u64,
    /// Why the recording ended before the program; `null`: it did not.
    pub ended_early: Option<EndedEarly>,
    /// What the recording can have seen: a figure that needs more is `null`.
    pub seen: Seen,
    /// Sums of the whole recording.
    pub totals: RecordingTotals,
    /// What the recorder says of the allocation calls that it has; `null`: the recording has none,
    /// or no end.
    pub recorder: Option<RecorderCounts>,
    /// The costs of all sites together.
    pub costs: SiteCosts,
    /// `true_ns` of all sites as a part of the lifetimes of all threads; `null` if either is not
    /// known.
    pub share: Option<f64>,
    /// What recording the calls added, by `probe_ns_per_call`; `null` if that is not known.
    pub recording_ns: Option<u64>,
    /// The same as a part of these lifetimes; `null` if either is not known.
    pub recording_share: Option<f64>,
    /// If not all calls are in the recording (`record --max-size`): what is exact, and what is
    /// estimated from some blocks. `null`: everything is exact.
    #[serde(default)]
    pub thinned: Option<ThinnedRecording>,
    /// If only some calls have their stack (`record --stacks sampled`): sites and callers are
    /// estimates, all other figures are exact. `null`: every call has its stack, or none.
    #[serde(default)]
    pub sampled: Option<SampledRecording>,
    /// Every site, by `true_ns`, then by bytes.
    pub sites: Vec<SiteRow>,
    /// The sites by the function that asked, in the same order.
    pub callers: Vec<CallerRow>,
    /// Faults that no site pays for, by kinds of memory, in the order of `fault_ns`. With those of
    /// the sites they are all faults.
    pub rest: Vec<RestRow>,
    /// Files whose code has no names here, and why.
    pub unnamed: Vec<UnnamedFile>,
}

/// What the sources of a recording can see.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub struct Seen {
    /// Calls of allocation functions.
    pub allocations: bool,
    /// Memory syscalls.
    pub syscalls: bool,
    /// Page faults in user mode.
    pub faults: bool,
    /// Page faults inside syscalls.
    pub kernel_faults: bool,
}

/// A recording that has only calls on some blocks. Calls, failed calls, bytes and the time in calls
/// are counted and exact. What depends on blocks is the sum over the blocks that were followed,
/// each as often as it stands for others: frees, faults, first touch, release, live and unreleased
/// bytes, syscalls inside calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThinnedRecording {
    /// From when on, since the start of the recording.
    pub from_ns: u64,
    /// The blocks of which one was followed at the end.
    pub one_in: u64,
    /// The standard error of `costs.first_touch_ns`.
    pub first_touch_error_ns: u64,
    /// Counted calls whose site is not known, since the recording lost the first of them.
    pub calls_without_site: u64,
}

/// A recording in which only calls have their stack that were chosen by chance: one of s bytes with
/// the chance 1 - exp(-s / `mean_bytes`). Each counts as many times as one was chosen of its size,
/// and so does its block with everything that is charged to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampledRecording {
    /// The mean distance of samples, in bytes that a thread asks for.
    pub mean_bytes: u64,
    /// The calls that were chosen.
    pub chosen_calls: u64,
}

/// Sums of a recording.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct RecordingTotals {
    /// Calls that ask for memory.
    pub calls: u64,
    /// Those of them whose time is known.
    pub timed_calls: u64,
    /// Those that failed.
    pub failed: u64,
    /// Blocks that were given back, by a free or by a reallocation.
    pub frees: u64,
    /// Calls that only give back.
    pub release_calls: u64,
    /// Those of them whose time is known: `release_ns` takes the others to be like them.
    pub timed_release_calls: u64,
    /// The sum of the sizes that were given out.
    pub allocated_bytes: u64,
    /// The most bytes that were live at once.
    pub peak_live_bytes: u64,
    /// When that was, since the start of the recording.
    pub peak_ns: u64,
    /// Faults that read no device; `null` if faults were not seen.
    pub minor_faults: Option<u64>,
    /// Faults that read a device.
    pub major_faults: Option<u64>,
    /// Faults that a site pays for.
    pub faults_attributed: Option<u64>,
    /// Faults whose time is not known.
    pub faults_untimed: Option<u64>,
    /// Records that were lost.
    pub lost: u64,
    /// Releases of addresses at which no block was known.
    pub unknown_releases: u64,
    /// Blocks whose address was given out again although no release had been seen.
    pub lost_releases: u64,
    /// Pauses of the recording (`record --start-paused`, SIGUSR2), in which it has no calls,
    /// syscalls and faults.
    pub pauses: u64,
    /// Their time.
    pub paused_ns: u64,
    /// Blocks that were live in a pause, whose release may have been missed. They are not among the
    /// `unreleased` of sites.
    pub across_pauses: u64,
    /// Their sizes.
    pub across_pauses_bytes: u64,
    /// Definitions that were invalid: the recording is damaged.
    pub damaged: u64,
    /// Processes.
    pub processes: u64,
    /// Threads of all of them.
    pub threads: u64,
    /// The sum of their lifetimes, without the pauses.
    pub threads_ns: u64,
    /// What recording adds to a call, as measured at its start with a loop that calls malloc and
    /// free; `null` if unknown.
    pub probe_ns_per_call: Option<f64>,
}

/// What a site, or several, paid.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct SiteCosts {
    /// Calls that ask for memory.
    pub calls: u64,
    /// Those that failed.
    pub failed: u64,
    /// Blocks of the site that were given back.
    pub frees: u64,
    /// The sum of the sizes that were given out.
    pub bytes: u64,
    /// Blocks that were never given back, or not before the recording's early end.
    pub unreleased: u64,
    /// Their sizes.
    pub unreleased_bytes: u64,
    /// Live bytes when all sites together had most.
    pub at_peak_bytes: u64,
    /// Time inside the calls, less the faults that `first_touch_ns` has.
    pub apparent_ns: u64,
    /// Time of the faults on blocks of the site; `null` if faults were not seen.
    pub first_touch_ns: Option<u64>,
    /// Time inside the calls that gave its blocks back.
    pub release_ns: u64,
    /// The sum of these three; `null` if one of them is.
    pub true_ns: Option<u64>,
    /// Faults without a device, on its blocks and inside its calls; `null` if faults were not seen.
    pub minor_faults: Option<u64>,
    /// Faults with a device.
    pub major_faults: Option<u64>,
    /// Memory syscalls inside its calls; `null` if syscalls were not seen.
    pub syscalls: Option<u64>,
    /// The standard error of `calls` where that is estimated; `null` where it is exact.
    #[serde(default)]
    pub calls_error: Option<u64>,
    /// The standard error of `bytes` where that is estimated; `null` where it is exact.
    #[serde(default)]
    pub bytes_error: Option<u64>,
    /// The standard error of `first_touch_ns` where that is estimated; `null` where it is exact.
    #[serde(default)]
    pub first_touch_error_ns: Option<u64>,
    /// At most the standard error of `true_ns` where that is estimated in all of its parts; `null`
    /// where it is exact or one of them is.
    #[serde(default)]
    pub true_error_ns: Option<u64>,
}

/// A call site: a stack from which memory was asked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SiteRow {
    /// Its frames, from the caller of the allocator outwards: `function (file:line)`, without debug
    /// information `function (module)`, without a name `0x… (module)`.
    pub stack: Vec<String>,
    /// The costs.
    #[serde(flatten)]
    pub costs: SiteCosts,
    /// The most bytes that it had live at once.
    pub peak_bytes: u64,
}

/// The sites of a function: the innermost one on their stacks that does not belong to an allocator
/// or a standard library.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CallerRow {
    /// The function, or an offset or address.
    pub function: String,
    /// Its line, `file:line`, or its module; `null` if unknown.
    pub at: Option<String>,
    /// The sites, as indices of `sites`.
    pub sites: Vec<usize>,
    /// The costs of all of them.
    #[serde(flatten)]
    pub costs: SiteCosts,
    /// `true_ns` as a multiple of `apparent_ns`; `null` if either is unknown or zero.
    pub true_per_apparent: Option<f64>,
}

/// A file whose code has no names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnnamedFile {
    /// Its path when it was recorded.
    pub path: String,
    /// The reason.
    pub why: Unnamed,
}

/// Why the code of a file has no names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unnamed {
    /// It is not the build that was recorded.
    Changed,
    /// It is not there, or could not be read.
    Missing,
}

impl SiteCosts {
    /// Adds the costs of other sites.
    pub fn add(&mut self, other: &SiteCosts) {
        let sum = |own: &mut u64, other: u64| *own = own.saturating_add(other);
        let known = |own: &mut Option<u64>, other: Option<u64>| {
            *own = own.zip(other).map(|(own, other)| own.saturating_add(other));
        };
        sum(&mut self.calls, other.calls);
        sum(&mut self.failed, other.failed);
        sum(&mut self.frees, other.frees);
        sum(&mut self.bytes, other.bytes);
        sum(&mut self.unreleased, other.unreleased);
        sum(&mut self.unreleased_bytes, other.unreleased_bytes);
        sum(&mut self.at_peak_bytes, other.at_peak_bytes);
        sum(&mut self.apparent_ns, other.apparent_ns);
        sum(&mut self.release_ns, other.release_ns);
        known(&mut self.first_touch_ns, other.first_touch_ns);
        known(&mut self.true_ns, other.true_ns);
        known(&mut self.minor_faults, other.minor_faults);
        known(&mut self.major_faults, other.major_faults);
        known(&mut self.syscalls, other.syscalls);
        // Sites are estimated from different calls.
        let independent = |own: &mut Option<u64>, other: Option<u64>| {
            let both = own.zip(other).map(|(own, other)| root_of_squares(own, other));
            *own = both.or(*own).or(other);
        };
        independent(&mut self.calls_error, other.calls_error);
        independent(&mut self.bytes_error, other.bytes_error);
        independent(&mut self.first_touch_error_ns, other.first_touch_error_ns);
        independent(&mut self.true_error_ns, other.true_error_ns);
    }

    /// No costs, of sites in a recording that can have `seen` so much.
    #[must_use]
    pub fn none(seen: Seen) -> SiteCosts {
        let faults = seen.faults.then_some(0);
        SiteCosts {
            first_touch_ns: faults,
            true_ns: faults,
            minor_faults: faults,
            major_faults: faults,
            syscalls: seen.syscalls.then_some(0),
            ..SiteCosts::default()
        }
    }

    /// The costs of all of `several`, in a recording that can have `seen` so much.
    pub fn sum<'a>(seen: Seen, several: impl IntoIterator<Item = &'a SiteCosts>) -> SiteCosts {
        let mut all = SiteCosts::none(seen);
        several.into_iter().for_each(|costs| all.add(costs));
        all
    }

    /// What is paid after the calls that asked: at first touch and at release.
    #[must_use]
    pub fn paid_later_ns(&self) -> u64 {
        self.first_touch_ns.unwrap_or(0).saturating_add(self.release_ns)
    }

    /// How far the true number of calls may be from `calls`, as a part of it, with 95 %; `None`: it
    /// is exact.
    #[must_use]
    pub fn calls_within(&self) -> Option<f64> {
        within(self.calls, self.calls_error)
    }

    /// The same of `bytes`.
    #[must_use]
    pub fn bytes_within(&self) -> Option<f64> {
        within(self.bytes, self.bytes_error)
    }

    /// The same of `true_ns`.
    #[must_use]
    pub fn true_within(&self) -> Option<f64> {
        within(self.true_ns?, self.true_error_ns)
    }

    /// `true_ns` as a multiple of `apparent_ns`.
    #[must_use]
    pub fn true_per_apparent(&self) -> Option<f64> {
        let true_ns = self.true_ns.filter(|_| self.apparent_ns > 0)?;
        Some(true_ns as f64 / self.apparent_ns as f64)
    }
}

/// Half the width of a 95 % interval of a normal distribution, in standard errors.
const HALF_OF_95: f64 = 1.96;

fn within(estimate: u64, error: Option<u64>) -> Option<f64> {
    let error = error.filter(|&error| error > 0 && estimate > 0)?;
    Some(HALF_OF_95 * error as f64 / estimate as f64)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a root is not negative, and the cast saturates"
)]
fn root_of_squares(one: u64, other: u64) -> u64 {
    (one as f64).hypot(other as f64).round() as u64
}

impl RecordingReport {
    /// The faults of memory that is not known, as a part of all; `None` if faults were not seen.
    #[must_use]
    pub fn unknown_share(&self) -> Option<f64> {
        let all = self.totals.minor_faults?.saturating_add(self.totals.major_faults?);
        let unknown = self.rest.iter().find(|row| row.kind == RestMemory::Unknown);
        let unknown = unknown.map_or(0, |row| row.minor_faults.saturating_add(row.major_faults));
        (all > 0).then(|| unknown as f64 / all as f64)
    }

    /// The faults that no site pays for, and their time.
    #[must_use]
    pub fn rest_sums(&self) -> (u64, u64) {
        self.rest.iter().fold((0, 0), |(faults, ns), row| {
            let own = row.minor_faults.saturating_add(row.major_faults);
            (faults.saturating_add(own), ns.saturating_add(row.fault_ns))
        })
    }

    /// The costs of all callers but the first `shown`, and the number of their sites; `None` if
    /// there are no others.
    #[must_use]
    pub fn others(&self, shown: usize) -> Option<(usize, SiteCosts)> {
        let others = self.callers.get(shown..).filter(|others| !others.is_empty())?;
        let sites = others.iter().map(|caller| caller.sites.len()).sum();
        Some((sites, SiteCosts::sum(self.seen, others.iter().map(|caller| &caller.costs))))
    }
}

#[cfg(test)]
mod tests;
