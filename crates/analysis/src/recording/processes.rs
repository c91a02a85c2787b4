//! Processes and threads, with their names.

use std::cmp::Reverse;
use std::collections::HashMap;

use events::{Definitions, Name};
use results::recording::{OthersRow, ProcessRow, Seen, TalliedCosts, ThreadRow};

use crate::allocations::{AllocationAccount, Others, ThreadWork};

/// The processes, by cost.
pub(super) fn processes(
    account: &AllocationAccount,
    seen: Seen,
    definitions: &Definitions,
) -> Vec<ProcessRow> {
    let knows_resident = account.timeline.knows_resident && seen.faults && seen.syscalls;
    let row = |process: &crate::allocations::ProcessTally| ProcessRow {
        pid: process.pid,
        parent: process.parent,
        comm: comm(process.name, definitions),
        started_ns: process.began_ns.saturating_sub(account.header.began_ns),
        lived_ns: account.recorded_ns(process.began_ns, process.ended_ns),
        thread_count: process.threads,
        peak_live_bytes: process.peak_live_bytes,
        peak_resident_bytes: knows_resident.then_some(process.peak_resident_bytes),
        costs: costs(&process.tally, account, seen),
    };
    let mut rows: Vec<ProcessRow> = account.tallied.processes.iter().map(row).collect();
    rows.sort_by_key(|row| Reverse(row.costs.cost_ns));
    rows
}

/// The threads, by cost.
pub(super) fn threads(
    account: &AllocationAccount,
    seen: Seen,
    definitions: &Definitions,
) -> Vec<ThreadRow> {
    // Of processes with one number, that of the last one.
    let names: HashMap<u32, Name> =
        account.tallied.processes.iter().map(|process| (process.pid, process.name)).collect();
    let row = |thread: &crate::allocations::ThreadTally| ThreadRow {
        pid: thread.thread.pid,
        tid: thread.thread.tid,
        comm: names.get(&thread.thread.pid).and_then(|&name| comm(name, definitions)),
        started_ns: thread.began_ns.saturating_sub(account.header.began_ns),
        lived_ns: account.recorded_ns(thread.began_ns, thread.ended_ns),
        costs: costs(&thread.tally, account, seen),
    };
    let mut rows: Vec<ThreadRow> = account.tallied.threads.iter().map(row).collect();
    rows.sort_by_key(|row| Reverse(row.costs.cost_ns));
    rows
}

/// Those that have no row of their own.
pub(super) fn others(
    others: &Others,
    account: &AllocationAccount,
    seen: Seen,
) -> Option<OthersRow> {
    let costs = costs(&others.tally, account, seen);
    (others.count > 0).then_some(OthersRow { count: others.count, costs })
}

fn comm(name: Name, definitions: &Definitions) -> Option<String> {
    (name != Name::NONE).then(|| definitions.text(name).to_owned())
}

fn costs(tally: &ThreadWork, account: &AllocationAccount, seen: Seen) -> TalliedCosts {
    let has_calls = seen.allocations && account.thinned.is_none();
    let of_calls = |figure: u64| has_calls.then_some(figure);
    let of_faults = |figure: u64| seen.faults.then_some(figure);
    let of_syscalls = |figure: u64| seen.syscalls.then_some(figure);
    let apparent_ns = of_calls(tally.apparent.estimate_ns(&account.all_apparent()));
    let release_ns = of_calls(tally.release.estimate_ns(&account.all_releases()));
    let other_faults_ns = of_faults(tally.other_faults_ns());
    let other_syscalls_ns = of_syscalls(tally.other_syscalls_ns());
    let known = [apparent_ns, release_ns, other_faults_ns, other_syscalls_ns];
    TalliedCosts {
        calls: of_calls(tally.apparent.calls),
        allocated_bytes: of_calls(tally.bytes),
        apparent_ns,
        release_calls: of_calls(tally.release.calls),
        release_ns,
        touched_for_others_bytes: of_calls(tally.touched_for_others_bytes).filter(|_| seen.faults),
        faults: of_faults(tally.faults.faults()),
        fault_ns: of_faults(tally.faults.ns),
        syscalls: of_syscalls(tally.syscalls),
        syscall_ns: of_syscalls(tally.syscall_ns),
        cost_ns: known.into_iter().flatten().fold(0, u64::saturating_add),
    }
}
