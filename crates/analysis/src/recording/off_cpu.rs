//! The part of what memory cost in which threads were not on a processor.

use results::recording::{OffCpu, Seen, SiteCosts};

use crate::allocations::{AllocationAccount, OffCpuTimes, Site, scaled};

/// Of `costs`, which are those of all calls. Where calls are left out of the stream, it is not
/// known what the others did.
pub(super) fn off_cpu(account: &AllocationAccount, seen: Seen, costs: &SiteCosts) -> OffCpu {
    if !seen.absences || !seen.allocations || account.thinned.is_some() {
        return OffCpu::default();
    }
    let off_cpu = account.off_cpu;
    let calls_ns = account.all_apparent().timed_ns;
    let releases_ns = account.all_releases().timed_ns.saturating_sub(account.unowned.timed_ns);
    let sum_of = |of: fn(&Site) -> u64, maps: bool| {
        let sites = account.sites.iter().filter(|site| site.maps == maps);
        sites.map(of).fold(0, u64::saturating_add)
    };
    let returned_ns = match &account.sampled {
        Some(sampled) => sampled.all.returned_ns,
        None => sum_of(|site| site.returned_ns, false),
    };
    // Calls that map memory are all timed.
    let mapping_ns = sum_of(|site| site.apparent.timed_ns, true);
    let unmapping_ns = sum_of(|site| site.release.timed_ns, true);
    let returned_ns = returned_ns.saturating_add(sum_of(|site| site.returned_ns, true));
    let exact_ns = [costs.first_touch_ns.unwrap_or(0), returned_ns, mapping_ns, unmapping_ns];
    let exact_ns = exact_ns.into_iter().fold(0, u64::saturating_add);
    let freeing_ns = costs.release_ns.saturating_sub(returned_ns).saturating_sub(unmapping_ns);
    let parts = [
        fitted(off_cpu.calls, calls_ns, costs.apparent_ns.saturating_sub(mapping_ns)),
        // As the time of all releases is taken to be like that of those that were timed.
        fitted(off_cpu.releases, releases_ns, freeing_ns),
        fitted(off_cpu.kernel, exact_ns, exact_ns),
    ];
    let sum = |of: fn(&OffCpuTimes) -> u64| Some(parts.iter().map(of).fold(0, u64::saturating_add));
    OffCpu {
        off_cpu_ns: sum(OffCpuTimes::ns),
        off_cpu_preempted_ns: sum(|times| times.preempted_ns),
        off_cpu_waited_ns: sum(|times| times.waited_ns),
        off_cpu_stopped_ns: sum(|times| times.stopped_ns),
        off_cpu_unknown_ns: sum(|times| times.unknown_ns),
    }
}

/// `times`, which are parts of `measured_ns`, as parts of the `cost_ns` that follows from that.
fn fitted(times: OffCpuTimes, measured_ns: u64, cost_ns: u64) -> OffCpuTimes {
    // By another clock, a thread may be away for longer than its call takes.
    let whole_ns = measured_ns.max(times.ns());
    times.map(|ns| scaled(ns, cost_ns, whole_ns))
}
