//! The rows and sums of a report.

use std::collections::HashMap;

use results::recording::{
    EndedEarly, RecordingTotals, ReportFilter, RestRow, Seen, SiteCosts, SiteRow, by_true_cost,
};

use super::names::Names;
use super::{RecordingFacts, RestMemory};
use crate::allocations::{
    AllocationAccount, FaultSums, ResolvedFrame, RestKind, SampledAccount, Site, SiteDetails,
    TimedCalls, scaled,
};

/// Every site with its row, by true cost, then by bytes.
pub(super) fn sites<'a>(
    account: &'a AllocationAccount,
    seen: Seen,
    names: &Names,
) -> Vec<(&'a Site, SiteRow)> {
    let similar = (account.all_apparent(), account.all_releases());
    let row = |(site, details): (&'a Site, &SiteDetails)| {
        let stack =
            account.frames(site.stack).flat_map(|frame| names.lines(frame, false)).collect();
        let costs = with_errors(costs(site, seen, &similar), site, account);
        let detail = super::detail::detail(account, site, details, seen, names);
        let peak_bytes = site.peak_bytes;
        (site, SiteRow { stack, maps: site.maps, costs, peak_bytes, detail })
    };
    let all = account.sites.iter().zip(&account.details);
    let mut rows: Vec<(&Site, SiteRow)> = all.map(row).collect();
    tell_apart(account, names, &mut rows);
    rows.sort_by_cached_key(|(_, row)| by_true_cost(&row.costs));
    rows
}

/// Stacks that read the same, such as of two calls on a line, get offsets in the functions in which
/// they differ.
fn tell_apart(account: &AllocationAccount, names: &Names, rows: &mut [(&Site, SiteRow)]) {
    let mut same: HashMap<&[String], Vec<usize>> = HashMap::new();
    for (index, (_, row)) in rows.iter().enumerate() {
        same.entry(&row.stack).or_default().push(index);
    }
    let several: Vec<Vec<usize>> = same.into_values().filter(|indices| indices.len() > 1).collect();
    for indices in several {
        let frames = indices.iter().map(|&index| account.frames(rows[index].0.stack).collect());
        let frames: Vec<Vec<ResolvedFrame>> = frames.collect();
        for (&index, own) in indices.iter().zip(&frames) {
            let line = |(depth, &frame): (usize, &ResolvedFrame)| {
                let differs = frames.iter().any(|other| other.get(depth) != Some(&frame));
                names.lines(frame, differs)
            };
            rows[index].1.stack = own.iter().enumerate().flat_map(line).collect();
        }
    }
}

/// The costs of a site with their errors, as far as they are estimated.
fn with_errors(costs: SiteCosts, site: &Site, account: &AllocationAccount) -> SiteCosts {
    let errors = site.errors;
    let of_faults = |figure: u64| costs.first_touch_ns.map(|_| figure);
    if account.sampled.is_none() || site.maps {
        let first_touch_error_ns =
            account.thinned.filter(|_| !site.maps).and_then(|_| of_faults(errors.touches_ns));
        return SiteCosts { first_touch_error_ns, ..costs };
    }
    // The calls that were not timed are like those that were.
    let apparent_ns = scaled(errors.apparent_ns, costs.apparent_ns, site.apparent.timed_ns);
    // The error of a sum is at most the sum of the errors.
    let of_calls_ns = apparent_ns.saturating_add(errors.release_ns);
    SiteCosts {
        calls_error: Some(errors.calls),
        bytes_error: Some(errors.bytes),
        first_touch_error_ns: of_faults(errors.touches_ns),
        true_error_ns: of_faults(of_calls_ns.saturating_add(errors.touches_ns)),
        ..costs
    }
}

/// What all sites pay together: their sum, or what is exact where they are estimates.
pub(super) fn all_sites(
    account: &AllocationAccount,
    seen: Seen,
    sites: &[(&Site, SiteRow)],
    is_filtered: bool,
) -> SiteCosts {
    let sum = || {
        let mut all = SiteCosts::none(seen);
        for (_, row) in sites {
            all.add(&counted(row));
        }
        all
    };
    match (&account.sampled, is_filtered) {
        (Some(sampled), false) => sampled_sites(account, sampled, seen),
        (Some(_), true) => sum(),
        (None, _) => SiteCosts {
            first_touch_error_ns: account.thinned.map(|thinned| thinned.touches_error_ns),
            ..sum()
        },
    }
}

/// The costs of a site as a part of those of all: what is counted in these is the allocator's.
pub(super) fn counted(row: &SiteRow) -> SiteCosts {
    if row.maps { row.costs.without_counts() } else { row.costs }
}

/// What all sites pay together of which those of the allocator are estimates: exact.
fn sampled_sites(account: &AllocationAccount, sampled: &SampledAccount, seen: Seen) -> SiteCosts {
    let similar = (account.all_apparent(), account.all_releases());
    let mut all = costs(&sampled.all, seen, &similar);
    for site in account.sites.iter().filter(|site| site.maps) {
        all.add(&costs(site, seen, &similar).without_counts());
    }
    all
}

/// What all calls cost of which a filter left some out: `chosen` and the others, or what is exact.
pub(super) fn with_left_out(
    account: &AllocationAccount,
    seen: Seen,
    mut chosen: SiteCosts,
    filter: Option<&ReportFilter>,
) -> SiteCosts {
    let Some(filter) = filter else { return chosen };
    if let Some(sampled) = &account.sampled {
        return sampled_sites(account, sampled, seen);
    }
    chosen.add(&filter.left_out);
    chosen
}

fn costs(site: &Site, seen: Seen, (calls, releases): &(TimedCalls, TimedCalls)) -> SiteCosts {
    let faults = site.faults();
    let of_faults = |figure: u64| seen.faults.then_some(figure);
    let apparent_ns = site.apparent.estimate_ns(calls);
    let release_ns = site.release.estimate_ns(releases).saturating_add(site.returned_ns);
    let true_ns = apparent_ns.saturating_add(release_ns).saturating_add(site.touches.ns);
    SiteCosts {
        calls: site.calls,
        failed: site.failed,
        frees: site.frees,
        bytes: site.bytes,
        unreleased: site.unreleased,
        unreleased_bytes: site.unreleased_bytes,
        // Most of the allocator's blocks says nothing of mappings.
        at_peak_bytes: if site.maps { site.peak_bytes } else { site.at_peak_bytes },
        apparent_ns,
        first_touch_ns: of_faults(site.touches.ns),
        release_ns,
        true_ns: of_faults(true_ns),
        minor_faults: of_faults(faults.minor),
        major_faults: of_faults(faults.major),
        touch_faults: of_faults(site.touches.minor.saturating_add(site.touches.major)),
        syscalls: seen.syscalls.then_some(site.syscalls),
        ..SiteCosts::none(seen)
    }
}

/// The sums of the whole recording; `costs` are those of all calls.
pub(super) fn totals(
    account: &AllocationAccount,
    seen: Seen,
    costs: &SiteCosts,
    facts: &RecordingFacts,
) -> RecordingTotals {
    let all: FaultSums = account.all_faults();
    let (calls, releases) = (account.all_apparent(), account.all_releases());
    let of_faults = |figure: u64| seen.faults.then_some(figure);
    let attributed = costs.minor_faults.zip(costs.major_faults);
    // Which calls a syscall is inside, and which blocks it returns, is not known where not all are.
    let is_cut = matches!(facts.ended_early, Some(EndedEarly::Unknown | EndedEarly::Unwritable));
    let has_calls = seen.allocations && account.thinned.is_none() && !is_cut;
    let knows_own = seen.syscalls && has_calls;
    let own = |figure: u64| knows_own.then_some(figure);
    let mapping = || account.sites.iter().filter(|site| site.maps);
    RecordingTotals {
        calls: costs.calls,
        timed_calls: calls.timed,
        failed: costs.failed,
        frees: costs.frees,
        release_calls: releases.calls,
        timed_release_calls: releases.timed,
        allocated_bytes: costs.bytes,
        mapping_calls: mapping().map(|site| site.calls).sum(),
        mapped_bytes: mapping().fold(0, |all, site| site.bytes.saturating_add(all)),
        peak_live_bytes: account.peak_live_bytes,
        peak_ns: account.peak_ns.saturating_sub(account.header.began_ns),
        minor_faults: of_faults(all.minor),
        major_faults: of_faults(all.major),
        faults_attributed: attributed.map(|(minor, major)| minor.saturating_add(major)),
        faults_untimed: of_faults(all.untimed),
        syscalls: seen.syscalls.then_some(facts.syscalls),
        own_syscalls: own(account.own_syscalls.0),
        own_syscall_ns: own(account.own_syscalls.1),
        lost: account.lost,
        unknown_releases: account.unknown_releases,
        lost_releases: account.lost_releases,
        pauses: account.pauses,
        paused_ns: account.paused_ns,
        across_pauses: account.across_pauses,
        across_pauses_bytes: account.across_pauses_bytes,
        damaged: account.refused_definitions,
        processes: account.processes,
        threads: account.threads,
        threads_ns: account.threads_ns,
        probe_ns_per_call: facts.probe_ns_per_call,
        clock_ns_per_call: facts.clock_floor.call_ns,
        clock_ns_per_release: facts.clock_floor.release_ns,
        probe_ns_per_fault: facts.probe_ns_per_fault,
        probe_ns_per_syscall: facts.probe_ns_per_syscall,
        absences_left_out: account.slow.left_out,
        off_cpu: super::off_cpu::off_cpu(account, seen, costs),
    }
}

/// The faults of no site, by their time.
pub(super) fn rest(account: &AllocationAccount) -> Vec<RestRow> {
    let row = |rest: &crate::allocations::RestFaults| RestRow {
        kind: memory(rest.kind),
        minor_faults: rest.faults.minor,
        major_faults: rest.faults.major,
        fault_ns: rest.faults.ns,
    };
    let mut rows: Vec<RestRow> = account.rest.iter().map(row).collect();
    rows.sort_by_key(|row| {
        std::cmp::Reverse((row.fault_ns, row.minor_faults.saturating_add(row.major_faults)))
    });
    rows
}

/// A kind of memory, as it is written.
pub(super) fn memory(kind: RestKind) -> RestMemory {
    match kind {
        RestKind::File => RestMemory::File,
        RestKind::ProgramData => RestMemory::ProgramData,
        RestKind::Stack => RestMemory::Stack,
        RestKind::Heap => RestMemory::Heap,
        RestKind::Anonymous => RestMemory::Anonymous,
        RestKind::Shared => RestMemory::Shared,
        RestKind::Recorder => RestMemory::Recorder,
        RestKind::Unknown => RestMemory::Unknown,
    }
}
