//! What differs between the two runs besides what they did.

use results::diff::{Difference, values};
use results::recording::{EndedEarly, RecordingReport};

use super::{RecordingFile, RecordingOrigin};
use crate::diff::conditions::{Values, between, line};

/// Every condition that is not the same in both.
pub(super) fn differences(old: RecordingFile, new: RecordingFile) -> Vec<Difference> {
    let mut found = machines(old.taken, new.taken);
    found.extend(between(&of(old.report), &of(new.report)));
    found
}

/// Where they were made: a report alone does not say it, which is no difference.
fn machines(old: Option<&RecordingOrigin>, new: Option<&RecordingOrigin>) -> Vec<Difference> {
    let (Some(old), Some(new)) = (old, new) else { return Vec::new() };
    let known = |what: &str, old: &Option<String>, new: &Option<String>| {
        let differs = old.is_some() && new.is_some() && old != new;
        differs.then(|| Difference { what: what.to_owned(), old: old.clone(), new: new.clone() })
    };
    let kernel = known("kernel", &old.kernel, &new.kernel);
    kernel.into_iter().chain(known("host", &old.host, &new.host)).collect()
}

/// The conditions of a report, by key.
fn of(report: &RecordingReport) -> Values {
    let totals = &report.totals;
    let yes = |is: bool| is.then(|| "yes".to_owned());
    let skipped: Vec<&str> = report.skipped.iter().map(|one| one.function.as_str()).collect();
    let all = [
        ("version", Some(report.version.clone())),
        ("command", (!report.command.is_empty()).then(|| line(&report.command))),
        ("attached", yes(report.attached.is_some())),
        ("redacted", yes(report.redacted)),
        ("ended_early", report.ended_early.map(word)),
        ("processes", Some(totals.processes.to_string())),
        ("threads", Some(totals.threads.to_string())),
        ("pauses", (totals.pauses > 0).then(|| totals.pauses.to_string())),
        ("sampled_mean_bytes", report.sampled.map(|one| one.mean_bytes.to_string())),
        ("thinned_one_in", report.thinned.map(|one| one.one_in.to_string())),
        ("skipped", (!skipped.is_empty()).then(|| skipped.join(", "))),
    ];
    let known = all.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    let mut found: Values = known.collect();
    let seen = values(&report.seen).into_iter();
    found.extend(seen.map(|(key, value)| (format!("{key}_seen"), value)));
    if let Some(filter) = &report.filter {
        let chosen = values(filter).into_iter().filter(|(key, _)| !key.starts_with("left_out"));
        found.extend(chosen.map(|(key, value)| (format!("chosen_{key}"), value)));
    }
    if let Some(mapping) = &report.mapping {
        found.extend(values(&mapping.limits));
    }
    found
}

fn word(early: EndedEarly) -> String {
    let word = match early {
        EndedEarly::Stopped => "stopped",
        EndedEarly::Limit => "limit",
        EndedEarly::Unwritable => "unwritable",
        EndedEarly::Unknown => "unknown",
    };
    word.to_owned()
}

/// When a recording began: RFC 3339.
pub(super) fn started(taken: Option<&RecordingOrigin>) -> Option<String> {
    let ns = taken?.started_ns?;
    jiff::Timestamp::from_nanosecond(i128::from(ns)).ok().map(|time| time.to_string())
}

/// From one start to the other.
pub(super) fn apart_ns(
    old: Option<&RecordingOrigin>,
    new: Option<&RecordingOrigin>,
) -> Option<i64> {
    new?.started_ns?.checked_sub(old?.started_ns?)
}
