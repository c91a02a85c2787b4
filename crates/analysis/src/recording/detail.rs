//! The details of sites, with the names of those who touched.

use std::cmp::Reverse;
use std::collections::HashMap;

use results::recording::{
    CallLatency, CallParts, LatencyStep, Seen, ServedCalls, SiteDetail, SizeStep, TimeStep, Toucher,
};

use super::names::{NamedFrame, Names};
use crate::allocations::{AllocationAccount, FrameId, ResolvedFrame, ServedBy, Site, SiteDetails};

/// Who touches memory for a syscall, such as read(2).
const KERNEL: &str = "the kernel (a syscall)";
/// Places beyond those that are told apart.
const OTHERS: &str = "other code";

pub(super) fn detail(
    account: &AllocationAccount,
    site: &Site,
    details: &SiteDetails,
    seen: Seen,
    names: &Names,
) -> SiteDetail {
    let sizes = details.sizes.steps().map(|(from_bytes, calls)| SizeStep { from_bytes, calls });
    let lifetimes = details.lifetimes.steps();
    let latencies = &details.latencies;
    let latency = (latencies.count() > 0).then(|| CallLatency {
        timed: latencies.count(),
        p50_ns: latencies.at_most(500),
        p99_ns: latencies.at_most(990),
        max_ns: latencies.max(),
    });
    let inside_ns = details.syscall_ns.saturating_add(details.inside_ns);
    let served = |by: ServedBy| details.served[by as usize];
    SiteDetail {
        sizes: sizes.collect(),
        lifetimes: lifetimes.map(|(from_ns, blocks)| TimeStep { from_ns, blocks }).collect(),
        latency,
        latencies: latencies
            .steps()
            .map(|(upto_ns, calls)| LatencyStep { upto_ns, calls })
            .collect(),
        parts: CallParts {
            user_ns: site.apparent.timed_ns.saturating_sub(inside_ns),
            syscall_ns: details.syscall_ns,
            fault_ns: details.inside_ns,
            touch_ns: details.touch_ns,
        },
        served: ServedCalls {
            without_syscall: served(ServedBy::Allocator),
            brk: served(ServedBy::Break),
            mmap: served(ServedBy::Mapping),
            mprotect: served(ServedBy::Protection),
            returned: served(ServedBy::Return),
            other: served(ServedBy::Other),
        },
        touchers: touchers(account, details, names),
        other_thread_faults: details.other_thread,
        other_process_faults: details.other_process,
        copied_faults: details.copied.0,
        copied_ns: details.copied.1,
        reused_faults: details.reused.0,
        reused_ns: details.reused.1,
        returned_faults: details.returned,
        watched_bytes: details.watched_bytes,
        never_touched_bytes: seen.kernel_faults.then_some(details.untouched_bytes),
        returned_ns: site.returned_ns,
        returned_bytes: site.returned_bytes,
    }
}

/// The functions that touched, the costliest first, each with the place of its costliest touches.
fn touchers(account: &AllocationAccount, details: &SiteDetails, names: &Names) -> Vec<Toucher> {
    let mut rows: Vec<Toucher> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    let mut places = details.touchers.clone();
    places.sort_by_key(|&(place, faults, ns)| (Reverse((ns, faults)), place));
    for (place, faults, fault_ns) in places {
        let (function, at) = name_of(account, place, names);
        let row = *known.entry(function.clone()).or_insert(rows.len());
        if row == rows.len() {
            rows.push(Toucher { function, at, faults: 0, fault_ns: 0 });
        }
        rows[row].faults += faults;
        rows[row].fault_ns = rows[row].fault_ns.saturating_add(fault_ns);
    }
    rows.sort_by_key(|row| Reverse((row.fault_ns, row.faults)));
    rows
}

fn name_of(account: &AllocationAccount, place: FrameId, names: &Names) -> (String, Option<String>) {
    let Some(frame) = account.frames(place).next() else { return (OTHERS.to_owned(), None) };
    if frame == ResolvedFrame::KERNEL {
        return (KERNEL.to_owned(), None);
    }
    let frames: Vec<NamedFrame<'_>> = names.at(frame);
    frames.first().map_or((OTHERS.to_owned(), None), |frame| (frame.function(), frame.at()))
}
