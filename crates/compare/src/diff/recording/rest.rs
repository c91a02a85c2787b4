//! Faults that no call site pays for, and those before `main`.

use results::recording::{RecordingReport, RestMemory, RestRow};
use results::recording_diff::{CostChange, RestChange, StartChange};

use super::signed;

/// The kinds of memory that either has, the largest change first.
pub(super) fn rows(old: &RecordingReport, new: &RecordingReport) -> Vec<RestChange> {
    let mut kinds: Vec<RestMemory> = old.rest.iter().chain(&new.rest).map(|row| row.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let row = |kind| {
        let of = |report: &RecordingReport| {
            let rows = report.rest.iter().filter(|row| row.kind == kind);
            rows.fold((0_u64, 0_u64), |(faults, ns), row| {
                let own = row.minor_faults.saturating_add(row.major_faults);
                (faults.saturating_add(own), ns.saturating_add(row.fault_ns))
            })
        };
        let ((old_faults, old_ns), (new_faults, new_ns)) = (of(old), of(new));
        let cost = CostChange::of(signed(old_ns), signed(new_ns));
        RestChange { kind, old_faults, new_faults, cost }
    };
    let mut rows: Vec<RestChange> = kinds.into_iter().map(row).collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.cost.change_ns.unsigned_abs()));
    rows
}

/// The faults of a row, if none read a device: that has no price of its own.
pub(super) fn exact_faults(row: &RestRow) -> Option<u64> {
    (row.major_faults == 0).then_some(row.minor_faults)
}

pub(super) fn start(old: &RecordingReport, new: &RecordingReport) -> Option<StartChange> {
    let (old, new) = (old.start.as_ref()?, new.start.as_ref()?);
    Some(StartChange {
        old_faults: old.faults,
        new_faults: new.faults,
        cost: CostChange::of(signed(old.fault_ns), signed(new.fault_ns)),
    })
}
