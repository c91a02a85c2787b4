//! Two results of one question, arm by arm: what changed, and what differs between the two runs.
//!
//! The runs were not randomised together, so there are no ratios within blocks
//! (`stats::compare_independent`).

mod conditions;
mod recording;
mod series;

use lab::judge::comparison::verdict;
use results::diff::{Change, Diff, DiffedRun, LeftOut, RelativeChange, SCHEMA};
use results::{AnyResult, Warning};

use series::{Point, Series};

pub use recording::{IncomparableRecordings, RecordingFile, RecordingOrigin, recording_diff};

/// The error probability of all comparisons together.
const ALPHA: f64 = 0.05;

/// A result, and the file that it is from.
#[derive(Debug, Clone, Copy)]
pub struct ResultFile<'a> {
    /// The file, as the user named it.
    pub file: &'a str,
    /// Its result.
    pub result: &'a AnyResult,
}

/// Why two results cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Incomparable {
    /// They answer different questions.
    #[error(
        "{} is of the experiment {}, {} of {}: only results of one experiment are compared",
        .old.0, .old.1, .new.0, .new.1
    )]
    Experiments {
        /// The old file, and its experiment.
        old: (String, String),
        /// The new one.
        new: (String, String),
    },
    /// They ran different programs.
    #[error("{} ran \"{}\", {} ran \"{}\": only results of one command are compared",
        .old.0, .old.1, .new.0, .new.1
    )]
    Commands {
        /// The old file, and its command.
        old: (String, String),
        /// The new one.
        new: (String, String),
    },
    /// They compared different figures.
    #[error("{} compares {}, {} compares {}: only results about one figure are compared",
        .old.0, .old.1, .new.0, .new.1
    )]
    Metrics {
        /// The old file, and its metric.
        old: (String, String),
        /// The new one.
        new: (String, String),
    },
    /// They are copies of one result.
    #[error("{old} and {new} hold the same run, started {started}: a diff needs two runs")]
    SameRun {
        /// The old file.
        old: String,
        /// The new one.
        new: String,
        /// The start of the run.
        started: String,
    },
    /// No arm of one is in the other at the same size and number of threads.
    #[error(
        "{} and {} have no samples of one arm at one size and number of threads ({}; {})",
        .old.0, .new.0, .old.1, .new.1
    )]
    NothingShared {
        /// The old file, and what it has.
        old: (String, String),
        /// The new one.
        new: (String, String),
    },
}

/// Compares `new` with `old`. `version` is that of this program.
///
/// # Errors
/// [`Incomparable`], if they do not answer the same question, or have nothing in common.
pub fn diff(version: &str, old: ResultFile, new: ResultFile) -> Result<Diff, Incomparable> {
    check(old, new)?;
    let (olds, news) = (series::of(old.result), series::of(new.result));
    let margin = margin(old.result).max(margin(new.result));
    let pairs: Vec<Pair> = olds.iter().filter_map(|old| Pair::of(old, &olds, &news)).collect();
    if pairs.is_empty() {
        return Err(Incomparable::NothingShared {
            old: (old.file.to_owned(), series::described(&olds)),
            new: (new.file.to_owned(), series::described(&news)),
        });
    }
    let (comparable, without): (Vec<Pair>, Vec<Pair>) =
        pairs.into_iter().partition(Pair::is_positive);
    let relative = comparable.iter().filter(|pair| pair.baselines.is_some()).count();
    let alphas = (ALPHA / comparable.len().max(1) as f64, ALPHA / relative.max(1) as f64);
    let left_out = without.into_iter().map(|pair| LeftOut {
        arm: pair.old.arm.clone(),
        metric: pair.old.metric.to_owned(),
        reason: "a sample is 0, so there is no ratio".to_owned(),
    });
    Ok(Diff {
        schema: SCHEMA.to_owned(),
        version: version.to_owned(),
        experiment: experiment(old.result).to_owned(),
        experiment_file: experiment_file(new.result),
        command: command(old.result).to_vec(),
        old: run(old),
        new: run(new),
        apart_ns: apart_ns(started(old.result), started(new.result)),
        margin,
        confidence: 1.0 - ALPHA,
        randomised_together: false,
        differences: conditions::differences(old.result, new.result),
        comparisons: comparable.iter().filter_map(|pair| pair.change(alphas, margin)).collect(),
        left_out: left_out.collect(),
    })
}

/// Refuses what does not answer the same question.
fn check(old: ResultFile, new: ResultFile) -> Result<(), Incomparable> {
    let both = |of: &dyn Fn(&AnyResult) -> String| {
        let of = |source: ResultFile| (source.file.to_owned(), of(source.result));
        (of(old), of(new))
    };
    let differ = |(old, new): &((String, String), (String, String))| old.1 != new.1;
    let pair = both(&|result| experiment(result).to_owned());
    if differ(&pair) {
        return Err(Incomparable::Experiments { old: pair.0, new: pair.1 });
    }
    if command(old.result) != command(new.result) {
        let (old, new) = both(&|result| conditions::line(command(result)));
        return Err(Incomparable::Commands { old, new });
    }
    let metric = |result: &AnyResult| match result {
        AnyResult::Lab(lab) => lab.experiment.metric.clone(),
        AnyResult::Program(_) => String::new(),
    };
    let pair = both(&metric);
    if differ(&pair) {
        return Err(Incomparable::Metrics { old: pair.0, new: pair.1 });
    }
    if started(old.result) == started(new.result) && seed(old.result) == seed(new.result) {
        let (old, new, started) = (old.file.into(), new.file.into(), started(old.result).into());
        return Err(Incomparable::SameRun { old, new, started });
    }
    Ok(())
}

/// The same figure of the same arm in both runs.
struct Pair<'a> {
    old: &'a Series,
    new: &'a Series,
    /// The baseline that the arm has in both runs, with its samples in each.
    baselines: Option<(&'a Series, &'a Series)>,
}

impl<'a> Pair<'a> {
    fn of(old: &'a Series, olds: &'a [Series], news: &'a [Series]) -> Option<Self> {
        let new = news.iter().find(|new| new.is_like(old))?;
        let baselines = old.reference_in(olds).zip(new.reference_in(news));
        let baselines = baselines.filter(|(old, new)| old.arm == new.arm);
        Some(Pair { old, new, baselines })
    }

    /// Whether every sample has a logarithm.
    fn is_positive(&self) -> bool {
        self.old.is_positive() && self.new.is_positive()
    }

    /// The change, with the error allowances of its ratio and of that against the baseline.
    fn change(&self, alphas: (f64, f64), margin: f64) -> Option<Change> {
        let (old, new) = (self.old.logarithms(), self.new.logarithms());
        let found = stats::compare_independent(&old, &new, alphas.0, margin)?;
        let Point { size_bytes, threads, passes } = self.old.point;
        Some(Change {
            arm: self.old.arm.clone(),
            baseline: self.old.is_baseline && self.new.is_baseline,
            metric: self.old.metric.to_owned(),
            size_bytes,
            threads,
            passes,
            old: stats::median(&old)?.exp(),
            new: stats::median(&new)?.exp(),
            old_samples: old.len() as u64,
            new_samples: new.len() as u64,
            ratio: found.ratio,
            low: found.interval.map(|interval| interval.low),
            high: found.interval.map(|interval| interval.high),
            confidence: 1.0 - ALPHA,
            verdict: verdict(found.verdict),
            against_baseline: self.against_baseline(alphas.1, margin),
        })
    }

    fn against_baseline(&self, alpha: f64, margin: f64) -> Option<RelativeChange> {
        let (old_baseline, new_baseline) = self.baselines?;
        let old = self.old.log_ratios_to(old_baseline);
        let new = self.new.log_ratios_to(new_baseline);
        let found = stats::compare_independent(&old, &new, alpha, margin)?;
        Some(RelativeChange {
            baseline: old_baseline.arm.clone(),
            ratio: found.ratio,
            low: found.interval.map(|interval| interval.low),
            high: found.interval.map(|interval| interval.high),
            verdict: verdict(found.verdict),
        })
    }
}

fn run(source: ResultFile) -> DiffedRun {
    let (elapsed_ns, warnings, placebo) = match source.result {
        AnyResult::Lab(lab) => (lab.elapsed_ns, &lab.warnings, &lab.placebo),
        AnyResult::Program(program) => (program.elapsed_ns, &program.warnings, &program.placebo),
    };
    DiffedRun {
        file: source.file.to_owned(),
        started: started(source.result).to_owned(),
        elapsed_ns,
        warnings: ids(warnings),
        trusted: placebo.as_ref().and_then(|placebo| placebo.trusted),
    }
}

/// The id of each warning, once.
fn ids(warnings: &[Warning]) -> Vec<String> {
    let mut ids: Vec<String> = Vec::new();
    for warning in warnings {
        if !ids.contains(&warning.id) {
            ids.push(warning.id.clone());
        }
    }
    ids
}

fn experiment(result: &AnyResult) -> &str {
    match result {
        AnyResult::Lab(lab) => &lab.experiment.name,
        AnyResult::Program(program) => &program.experiment.name,
    }
}

fn experiment_file(result: &AnyResult) -> Option<String> {
    match result {
        AnyResult::Lab(lab) => lab.experiment.file.clone(),
        AnyResult::Program(_) => None,
    }
}

/// The command that all arms run; the lab's own experiments have none.
fn command(result: &AnyResult) -> &[String] {
    match result {
        AnyResult::Lab(_) => &[],
        AnyResult::Program(program) => &program.experiment.command,
    }
}

fn margin(result: &AnyResult) -> f64 {
    match result {
        AnyResult::Lab(lab) => lab.experiment.margin,
        AnyResult::Program(program) => program.experiment.margin,
    }
}

fn started(result: &AnyResult) -> &str {
    match result {
        AnyResult::Lab(lab) => &lab.started,
        AnyResult::Program(program) => &program.started,
    }
}

fn seed(result: &AnyResult) -> u64 {
    match result {
        AnyResult::Lab(lab) => lab.seed,
        AnyResult::Program(program) => program.seed,
    }
}

/// From one start to the other; `None` if either is no time, or they are centuries apart.
fn apart_ns(old: &str, new: &str) -> Option<i64> {
    let [old, new] = [old, new].map(|text| text.parse::<jiff::Timestamp>().ok());
    i64::try_from(new?.as_nanosecond() - old?.as_nanosecond()).ok()
}

#[cfg(test)]
pub(crate) mod tests;
