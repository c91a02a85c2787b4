//! What the cost of a call site consists of: how often each thing was paid for, and its time.

use results::recording::{CallerRow, RecordingReport, SiteDetail};
use results::recording_diff::CostPart;

/// What both recordings know.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub(super) struct Known {
    /// Page faults.
    pub(super) faults: bool,
    /// Memory syscalls.
    syscalls: bool,
    /// What the time of calls consists of.
    details: bool,
    /// Whether figures of sites are estimates in one of them.
    pub(super) estimated: bool,
}

impl Known {
    pub(super) fn of(old: &RecordingReport, new: &RecordingReport) -> Self {
        let both = |is: &dyn Fn(&RecordingReport) -> bool| is(old) && is(new);
        let is_exact = both(&|report| report.thinned.is_none() && report.sampled.is_none());
        Known {
            faults: both(&|report| report.seen.faults && !report.lacks_faults()),
            syscalls: both(&|report| report.seen.syscalls && !report.lacks_faults()),
            // Details count only the calls that were followed.
            details: is_exact && both(&has_parts),
            estimated: !is_exact,
        }
    }
}

/// Whether a report says what the time of calls consists of; older ones do not.
fn has_parts(report: &RecordingReport) -> bool {
    let mut sites = report.sites.iter().filter(|site| site.costs.apparent_ns > 0);
    let has_parts = |detail: &SiteDetail| in_calls_ns(detail) > 0 || detail.parts.touch_ns > 0;
    report.sites.is_empty() || sites.any(|site| has_parts(&site.detail))
}

/// A part of the cost of a site.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) kind: CostPart,
    pub(super) count: u64,
    /// Those of them that were timed.
    pub(super) timed: f64,
    pub(super) ns: u64,
}

/// The parts of the cost of `caller`, and the longest of its calls. Any two callers have the same
/// parts as long as the same is `known`.
pub(super) fn of(report: &RecordingReport, caller: &CallerRow, known: Known) -> (Vec<Part>, u64) {
    let costs = &caller.costs;
    let totals = &report.totals;
    let detail = if known.details { report.detail_of(caller) } else { SiteDetail::default() };
    let share = |timed: u64, all: u64| if all > 0 { timed as f64 / all as f64 } else { 1.0 };
    let calls_timed = share(totals.timed_calls, totals.calls);
    let frees_timed = share(totals.timed_release_calls, totals.release_calls);
    let part = |kind, count: u64, timed_share: f64, ns| {
        let timed = count as f64 * timed_share.min(1.0);
        Part { kind, count, timed, ns }
    };
    let inside = |ns: u64| scaled(costs.apparent_ns, ns, in_calls_ns(&detail));
    let syscalls_ns = if known.syscalls { inside(detail.parts.syscall_ns) } else { 0 };
    let faults_ns = if known.faults { inside(detail.parts.fault_ns) } else { 0 };
    // Without faults in one, the calls of the other have theirs as well.
    let touch_ns = if known.faults { 0 } else { detail.parts.touch_ns };
    let calls_ns = costs.apparent_ns.saturating_sub(syscalls_ns).saturating_sub(faults_ns);
    let returned_ns = if known.syscalls { detail.returned_ns.min(costs.release_ns) } else { 0 };
    let mut parts = vec![
        part(CostPart::Calls, costs.calls, calls_timed, calls_ns.saturating_add(touch_ns)),
        part(CostPart::Frees, costs.frees, frees_timed, costs.release_ns - returned_ns),
    ];
    let touches = costs.touch_faults.or(costs.faults()).unwrap_or(0);
    if known.faults {
        parts.push(part(CostPart::FirstTouch, touches, 1.0, costs.first_touch_ns.unwrap_or(0)));
    }
    if known.details && known.faults {
        let inside = costs.faults().unwrap_or(0).saturating_sub(touches);
        parts.push(part(CostPart::FaultsInside, inside, 1.0, faults_ns));
    }
    if known.details && known.syscalls {
        let syscalls = costs.syscalls.unwrap_or(0);
        parts.push(part(CostPart::Syscalls, syscalls, 1.0, syscalls_ns));
        parts.push(part(CostPart::Returned, detail.returned_bytes, 1.0, returned_ns));
    }
    (parts, detail.latency.map_or(0, |latency| latency.max_ns))
}

/// The time in the calls that is not first touch.
fn in_calls_ns(detail: &SiteDetail) -> u64 {
    let parts = &detail.parts;
    parts.user_ns.saturating_add(parts.syscall_ns).saturating_add(parts.fault_ns)
}

/// `part / all` of `ns`.
fn scaled(ns: u64, part: u64, all: u64) -> u64 {
    let scaled = u128::from(ns) * u128::from(part.min(all)) / u128::from(all.max(1));
    u64::try_from(scaled).unwrap_or(ns)
}
