//! What changed most, in a sentence.

use results::recording_diff::{
    CallerChange, ChangeCause, ChangeVerdict, CostPart, PartChange, RecordingDiff,
};

use super::signed;
use crate::number::{bytes, digits, several, whole};
use crate::recording::name_in_sentence;

/// A part of the change that is smaller than this is not named.
const NAMED: f64 = 0.1;

/// The largest change that is beyond the noise, or that there is none.
pub(super) fn answer(diff: &RecordingDiff) -> String {
    let is = |verdict| diff.callers.iter().find(|row| row.verdict == verdict);
    if let Some(row) = is(ChangeVerdict::Different) {
        return format!("{}: {}.", named(row), changed(row));
    }
    if let Some(row) = is(ChangeVerdict::Unclear) {
        return format!(
            "{}: {}, {}: too few sites to tell whether that is noise.",
            named(row),
            same_counts(row),
            signed(row.cost.change_ns)
        );
    }
    if diff.callers.is_empty() {
        return format!("Faults of no call site: {}.", signed(diff.rest_total.change_ns));
    }
    let is_same = diff.callers.iter().all(has_same_counts);
    let counts = if is_same { ": same calls, same faults" } else { "" };
    format!("No call site changed beyond the noise{counts}.")
}

fn named(row: &CallerChange) -> String {
    let maps = if row.maps { " by mmap" } else { "" };
    name_in_sentence(&row.function, row.at.as_deref()) + maps
}

fn changed(row: &CallerChange) -> String {
    let change = signed(row.cost.change_ns);
    match row.because {
        Some(ChangeCause::New) => format!("new, {}: {change}", counts(row.new.as_ref())),
        Some(ChangeCause::Gone) => format!("gone, {}: {change}", counts(row.old.as_ref())),
        Some(ChangeCause::Price) => {
            let price = costliest(row).map(|part| format!("; {}", dearer(part)));
            let counts = same_counts(row);
            format!("{counts}{}: {change}, or a busy machine", price.unwrap_or_default())
        }
        _ => {
            let mut parts: Vec<&PartChange> =
                row.parts.iter().filter(|part| part.by_counts_ns != 0).collect();
            parts.sort_by_key(|part| std::cmp::Reverse(part.by_counts_ns.unsigned_abs()));
            let most = row.by_counts_ns.unsigned_abs() as f64;
            let is_named =
                |part: &&PartChange| part.by_counts_ns.unsigned_abs() as f64 >= NAMED * most;
            let mut words: Vec<String> =
                parts.into_iter().filter(is_named).take(3).map(other_count).collect();
            if words.is_empty() {
                words.push("other counts".to_owned());
            }
            format!("{}: {change}", words.join(", "))
        }
    }
}

fn counts(costs: Option<&results::recording::SiteCosts>) -> String {
    let Some(costs) = costs else { return String::new() };
    let calls = several(costs.calls, "call", "calls");
    match costs.faults() {
        Some(faults) => format!("{calls}, {}", several(faults, "fault", "faults")),
        None => calls,
    }
}

/// Whether a row has as many calls and faults as before.
pub(super) fn has_same_counts(row: &CallerChange) -> bool {
    row.old.zip(row.new).is_some_and(|(old, new)| {
        old.calls == new.calls && old.faults().zip(new.faults()).is_none_or(|(old, new)| old == new)
    })
}

fn same_counts(row: &CallerChange) -> String {
    let Some((old, new)) = row.old.zip(row.new) else { return String::new() };
    let calls = if old.calls == new.calls { "same calls" } else { "nearly the same calls" };
    let faults = match old.faults().zip(new.faults()) {
        Some((old, new)) if old == new => ", same faults",
        Some(_) => ", nearly the same faults",
        None => "",
    };
    format!("{calls}{faults}")
}

/// The part whose price made most of the change.
fn costliest(row: &CallerChange) -> Option<&PartChange> {
    row.parts.iter().max_by_key(|part| part.by_price_ns.unsigned_abs())
}

/// `a fault costs 4.0x of what it did`.
fn dearer(part: &PartChange) -> String {
    let price = |ns: i64, count: u64| ns as f64 / count.max(1) as f64;
    let ratio = price(part.cost.new_ns, part.new_count) / price(part.cost.old_ns, part.old_count);
    let operation = super::operation(part.part.price());
    format!("{operation} costs {}x of what it did", digits(ratio, 2))
}

/// `120,000 fewer first-touch faults`.
fn other_count(part: &PartChange) -> String {
    let change = part.new_count.abs_diff(part.old_count);
    let word = if part.new_count < part.old_count { "fewer" } else { "more" };
    let (one, many) = match part.part {
        CostPart::Calls => ("call", "calls"),
        CostPart::Syscalls => ("syscall in the calls", "syscalls in the calls"),
        CostPart::FaultsInside => ("fault in the calls", "faults in the calls"),
        CostPart::FirstTouch => ("first-touch fault", "first-touch faults"),
        CostPart::Frees => ("free", "frees"),
        CostPart::Returned => {
            let word = if word == "fewer" { "less" } else { word };
            return format!("{} {word} returned to the kernel", bytes(change as f64));
        }
    };
    format!("{} {word} {}", whole(change), if change == 1 { one } else { many })
}
