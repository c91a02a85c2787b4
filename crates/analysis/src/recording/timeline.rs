//! The timeline, and the moments that cost most.

use std::collections::HashMap;

use results::recording::{
    CostlyMoment, MomentPayer, RecordedStep, RecordedTimeline, RestMemory, Seen, SiteRow,
};

use super::rows::memory;
use crate::allocations::{
    AllocationAccount, FrameId, KernelCost, KernelPayer, Site, Timeline, TimelineStep,
};

/// The costliest moments that are told.
const MOMENTS: usize = 3;

/// The timeline of `account`, whose sites have these rows.
pub(super) fn timeline(
    account: &AllocationAccount,
    seen: Seen,
    sites: &[(&Site, SiteRow)],
) -> RecordedTimeline {
    let timeline = &account.timeline;
    let calls_until_ns = match account.thinned {
        _ if !seen.allocations => 0,
        Some(thinned) => thinned.from_ns.saturating_sub(account.header.began_ns),
        None => u64::MAX,
    };
    let knows_resident = timeline.knows_resident && seen.faults && seen.syscalls;
    let step = |(index, step): (usize, &TimelineStep)| {
        let resident = |bytes: u64| knows_resident.then_some(bytes);
        let of_faults = |figure: u64| seen.faults.then_some(figure);
        let of_syscalls = |figure: u64| seen.syscalls.then_some(figure);
        let until_ns = begin_ns(timeline, index + 1);
        RecordedStep {
            time_ns: begin_ns(timeline, index),
            live_bytes: step.live_bytes,
            live_end_bytes: step.live_end_bytes,
            resident_bytes: resident(step.resident_bytes),
            resident_end_bytes: resident(step.resident_end_bytes),
            faults: of_faults(step.faults),
            fault_ns: of_faults(step.fault_ns),
            calls: (until_ns <= calls_until_ns).then_some(step.calls),
            syscalls: of_syscalls(step.syscalls),
            syscall_ns: of_syscalls(step.syscall_ns),
        }
    };
    RecordedTimeline {
        step_ns: timeline.step_ns,
        steps: timeline.steps.iter().enumerate().map(step).collect(),
        moments: moments(account, sites),
    }
}

/// The beginning of a step, from that of the stream.
fn begin_ns(timeline: &Timeline, index: usize) -> u64 {
    timeline.step_ns.saturating_mul(index as u64)
}

/// The moments that cost most: each is a costly step with those beside it in which the same thing
/// took most time, and which cost half as much or more.
fn moments(account: &AllocationAccount, sites: &[(&Site, SiteRow)]) -> Vec<CostlyMoment> {
    let rows = RowsBySite::new(account, sites);
    let row_of = |number: usize| rows.row(number);
    let steps: Vec<(u64, Option<KernelCost>)> =
        account.timeline.steps.iter().map(|step| (step.cost_ns(), step.costliest())).collect();
    let mut order: Vec<usize> = (0..steps.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(steps[index].0));
    let mut taken = vec![false; steps.len()];
    let mut moments = Vec::new();
    for index in order {
        let (cost_ns, Some(costliest)) = steps[index] else { continue };
        if taken[index] || moments.len() == MOMENTS {
            continue;
        }
        let joins = |other: &usize| {
            let (other_ns, payer) = steps[*other];
            let same = payer.is_some_and(|other| other.payer == costliest.payer);
            same && other_ns >= cost_ns / 2 && !taken[*other]
        };
        let first = (0..index).rev().take_while(joins).last().unwrap_or(index);
        let last = (index + 1..steps.len()).take_while(joins).last().unwrap_or(index);
        let part = &steps[first..=last];
        let sum = |values: &mut dyn Iterator<Item = u64>| values.fold(0, u64::saturating_add);
        moments.push(CostlyMoment {
            time_ns: begin_ns(&account.timeline, first),
            until_ns: begin_ns(&account.timeline, last + 1)
                .min(account.ended_ns.saturating_sub(account.header.began_ns)),
            cost_ns: sum(&mut part.iter().map(|(ns, _)| *ns)),
            payer_ns: sum(&mut part.iter().filter_map(|(_, payer)| Some((*payer)?.ns))),
            ..named(costliest.payer, row_of)
        });
        taken[first..=last].fill(true);
    }
    moments.sort_by_key(|moment| std::cmp::Reverse(moment.cost_ns));
    moments
}

/// The rows of sites, by their numbers in the account: found by what tells sites apart.
pub(super) struct RowsBySite<'a> {
    account: &'a AllocationAccount,
    rows: HashMap<(FrameId, bool), usize>,
}

impl<'a> RowsBySite<'a> {
    pub(super) fn new(
        account: &'a AllocationAccount,
        sites: &[(&Site, SiteRow)],
    ) -> RowsBySite<'a> {
        let row = |(row, (site, _)): (usize, &(&Site, SiteRow))| ((site.stack, site.maps), row);
        RowsBySite { account, rows: sites.iter().enumerate().map(row).collect() }
    }

    /// The row of a site.
    pub(super) fn row(&self, number: usize) -> Option<usize> {
        let site = self.account.sites.get(number)?;
        self.rows.get(&(site.stack, site.maps)).copied()
    }
}

/// What `payer` is, in a moment without times.
fn named(payer: KernelPayer, row_of: impl Fn(usize) -> Option<usize>) -> CostlyMoment {
    let of = |payer, site: Option<usize>| CostlyMoment {
        payer,
        site: site.and_then(&row_of),
        ..CostlyMoment::default()
    };
    let syscall = |call: events::Call| Some(call.name().to_owned());
    match payer {
        KernelPayer::Blocks(site) => of(MomentPayer::Blocks, site),
        KernelPayer::Calls(site) => of(MomentPayer::Calls, site),
        KernelPayer::Rest(kind) => {
            let memory: Option<RestMemory> = Some(memory(kind));
            CostlyMoment { memory, ..of(MomentPayer::Rest, None) }
        }
        KernelPayer::Returns(call, site) => {
            CostlyMoment { syscall: syscall(call), ..of(MomentPayer::Returns, site) }
        }
        KernelPayer::SyscallsOf(call, site) => {
            CostlyMoment { syscall: syscall(call), ..of(MomentPayer::SyscallsInCalls, site) }
        }
        KernelPayer::Syscalls(call) => {
            CostlyMoment { syscall: syscall(call), ..of(MomentPayer::Syscalls, None) }
        }
    }
}
