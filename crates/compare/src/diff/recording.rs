//! Two recordings of programs, call site by call site: which counts changed, which prices, and
//! which of that is noise.
//!
//! A recording is one run, so nothing is known of how its times scatter from run to run. The prices
//! of the other sites tell: what all of them share is the machine, and how they scatter around that
//! is what a site may do by chance (`prices`).

mod conditions;
mod matching;
mod parts;
mod prices;
mod rest;
mod rows;

use results::recording::{CallerRow, RecordingReport, SiteCosts};
use results::recording_diff::{
    CallerMatching, ComparedCost, CostChange, DiffedRecording, FoldedChanges, MatchedBy,
    RecordingDiff, SCHEMA,
};

use matching::Matched;
use parts::Known;

/// A change smaller than this part of a site's cost does not matter.
const MARGIN: f64 = 0.03;

/// A report of a recording, and the file that it is from.
#[derive(Debug, Clone, Copy)]
pub struct RecordingFile<'a> {
    /// The file, as the user named it.
    pub file: &'a str,
    /// Its report.
    pub report: &'a RecordingReport,
    /// What the recording says of where and when it was made; a report alone does not.
    pub taken: Option<&'a RecordingOrigin>,
}

/// Where and when a recording was made, as far as it says.
#[derive(Debug, Clone, Default)]
pub struct RecordingOrigin {
    /// When it began, in nanoseconds since 1970.
    pub started_ns: Option<i64>,
    /// The name of the machine.
    pub host: Option<String>,
    /// The kernel's release.
    pub kernel: Option<String>,
}

/// Why two recordings cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IncomparableRecordings {
    /// They are one.
    #[error("{0} and {1} are the same recording, so everything is the same: a diff needs two")]
    Same(String, String),
    /// One of them has no calls of an allocator.
    #[error(
        "{without} has no allocation calls, {with} has some: record both in the same way to \
         compare their call sites"
    )]
    WithoutCalls {
        /// The file without.
        without: String,
        /// The file with calls.
        with: String,
    },
    /// Neither has anything that is compared.
    #[error(
        "{0} and {1} have neither allocation calls nor page faults in both: nothing to compare"
    )]
    Nothing(String, String),
}

/// Compares `new` with `old`. `version` is that of this program.
///
/// # Errors
/// [`IncomparableRecordings`], if they have nothing in common.
pub fn recording_diff(
    version: &str,
    old: RecordingFile,
    new: RecordingFile,
) -> Result<RecordingDiff, IncomparableRecordings> {
    check(old, new)?;
    let known = Known::of(old.report, new.report);
    let (olds, news) = callers(old.report, new.report);
    let matches = matching::matched((old.report, &olds), (new.report, &news));
    let pairs: Vec<rows::Pair> =
        matches.iter().map(|one| rows::Pair::of(one, old.report, new.report, known)).collect();
    let faults = known.faults.then_some((&old.report.rest[..], &new.report.rest[..]));
    let prices = prices::Prices::of(&pairs, faults);
    let mut changes: Vec<_> = pairs.iter().map(|pair| pair.change(&prices)).collect();
    changes.sort_by_cached_key(|one| std::cmp::Reverse(one.cost.change_ns.unsigned_abs()));
    let listed = CostChange::sum(changes.iter().map(|one| one.cost));
    let sites = all_sites(known, (&old.report.costs, &new.report.costs), listed);
    let quiet = || changes.iter().filter(|one| RecordingDiff::is_noise(one));
    let noise = FoldedChanges {
        callers: quiet().count() as u64,
        cost: CostChange::sum(quiet().map(|one| one.cost)),
    };
    let rest = if known.faults { rest::rows(old.report, new.report) } else { Vec::new() };
    let rest_total = CostChange::sum(rest.iter().map(|row| row.cost));
    Ok(RecordingDiff {
        schema: SCHEMA.to_owned(),
        version: version.to_owned(),
        apart_ns: conditions::apart_ns(old.taken, new.taken),
        compared: if known.faults { ComparedCost::True } else { ComparedCost::InCalls },
        estimated: known.estimated,
        margin: MARGIN,
        differences: conditions::differences(old, new),
        matching: count(&matches),
        prices: prices.changes(),
        noise,
        remainder: CostChange::of(
            sites.old_ns.saturating_sub(listed.old_ns),
            sites.new_ns.saturating_sub(listed.new_ns),
        ),
        start: rest::start(old.report, new.report).filter(|_| known.faults),
        total: CostChange::sum([sites, rest_total]),
        old: recording(old, sites.old_ns, known),
        new: recording(new, sites.new_ns, known),
        callers: changes,
        rest,
        rest_total,
        sites,
    })
}

/// Refuses what has nothing in common, and a recording against itself.
fn check(old: RecordingFile, new: RecordingFile) -> Result<(), IncomparableRecordings> {
    let files = || (old.file.to_owned(), new.file.to_owned());
    let facts = |report: &RecordingReport| (report.elapsed_ns, report.totals, report.costs);
    if facts(old.report) == facts(new.report) && old.report.command == new.report.command {
        let (old, new) = files();
        return Err(IncomparableRecordings::Same(old, new));
    }
    let lacks = (old.report.lacks_calls(), new.report.lacks_calls());
    let (old_file, new_file) = files();
    match lacks {
        (true, false) => {
            Err(IncomparableRecordings::WithoutCalls { without: old_file, with: new_file })
        }
        (false, true) => {
            Err(IncomparableRecordings::WithoutCalls { without: new_file, with: old_file })
        }
        (true, true) if !Known::of(old.report, new.report).faults => {
            Err(IncomparableRecordings::Nothing(old_file, new_file))
        }
        _ => Ok(()),
    }
}

/// The rows of both. Where one has no stacks, all calls of each are one row.
fn callers(old: &RecordingReport, new: &RecordingReport) -> (Vec<CallerRow>, Vec<CallerRow>) {
    if !old.has_no_stacks() && !new.has_no_stacks() {
        return (old.callers.clone(), new.callers.clone());
    }
    let all = |report: &RecordingReport| {
        vec![CallerRow {
            function: "all calls".to_owned(),
            sites: (0..report.sites.len()).collect(),
            costs: report.costs,
            ..CallerRow::default()
        }]
    };
    (all(old), all(new))
}

/// What all sites cost. Where sites are estimates their exact sum is known besides.
fn all_sites(known: Known, (old, new): (&SiteCosts, &SiteCosts), listed: CostChange) -> CostChange {
    match (old.true_ns, new.true_ns) {
        (Some(old), Some(new)) if known.faults => CostChange::of(signed(old), signed(new)),
        _ => listed,
    }
}

fn recording(source: RecordingFile, cost_ns: i64, known: Known) -> DiffedRecording {
    let report = source.report;
    let totals = &report.totals;
    let faults = totals.minor_faults.zip(totals.major_faults);
    DiffedRecording {
        file: source.file.to_owned(),
        started: conditions::started(source.taken),
        command: report.command.clone(),
        elapsed_ns: report.elapsed_ns,
        cost_ns,
        share: report.share.filter(|_| known.faults),
        threads: totals.threads,
        calls: report.costs.calls,
        faults: faults.map(|(minor, major)| minor.saturating_add(major)),
        lost: totals.lost,
    }
}

fn count(matches: &[Matched]) -> CallerMatching {
    let by = |wanted| matches.iter().filter(|one| one.by() == Some(wanted)).count() as u64;
    CallerMatching {
        by_line: by(MatchedBy::Line),
        by_file: by(MatchedBy::File),
        by_function: by(MatchedBy::Function),
        by_stacks: by(MatchedBy::Stacks),
        gone: matches.iter().filter(|one| matches!(one, Matched::Gone(_))).count() as u64,
        new: matches.iter().filter(|one| matches!(one, Matched::New(_))).count() as u64,
    }
}

/// A time that may become smaller than zero.
fn signed(ns: u64) -> i64 {
    i64::try_from(ns).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
