//! The stages that run the lab on work with a known result: copies that must be the same, and
//! injected work that must be found.

use std::path::{Path, PathBuf};

use anyhow::Context;
use results::Verdict;
use sys::interrupt::Interrupt;

use crate::neighbour::Neighbour;
use crate::program::{Found, Program};
use crate::rates::Rate;
use crate::stage::{Stage, Subject};
use crate::store::Store;

/// The shares that are injected, in percent.
const INJECTED: [u64; 3] = [1, 2, 5];

/// Copies of the baseline in an A/A run.
const COPIES: usize = 4;

/// Writes the experiment of a stage to `directory`.
///
/// # Errors
/// If it cannot be written.
pub(crate) fn write_experiment(directory: &Path, subject: Subject) -> anyhow::Result<PathBuf> {
    let (name, arms, margin) = match subject {
        Subject::Same => {
            let copy = |number| format!("{{ name = \"copy-{number}\", source = \"mmap\" }}");
            ("same", (1..=COPIES).map(copy).collect::<Vec<String>>(), 0.02)
        }
        Subject::Injected => {
            let arm = |percent: &u64| format!("\"injected:+{percent}%\"");
            ("injected", INJECTED.iter().map(arm).collect(), 0.005)
        }
        Subject::OneCopy => {
            ("one-copy", vec!["{ name = \"copy\", source = \"mmap\" }".to_owned()], 0.02)
        }
    };
    let text = format!(
        r#"name = "{name}"
question = "Does the lab find injected work, and nothing else?"
metric = "total_ns"
size = "1MiB"
margin = {margin}
max_time = "2m"
fill = 1
baseline = "mmap"
arms = [{}]
"#,
        arms.join(", ")
    );
    let file = directory.join(format!("{name}.toml"));
    std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
}

/// Adds one run to `stage`; `false` after an interrupt.
///
/// # Errors
/// If the program fails, or the outcome cannot be stored.
pub(crate) fn run_once(
    stage: Stage,
    subject: Subject,
    program: &Program,
    store: &Store,
    directory: &Path,
    seed: u64,
    interrupt: Interrupt,
) -> anyhow::Result<bool> {
    let experiment = write_experiment(directory, subject)?;
    let neighbour = if stage.busy { Some(Neighbour::start(seed)?) } else { None };
    let result = program.bench(&experiment, seed, interrupt)?;
    drop(neighbour);
    let Some(result) = result else { return Ok(false) };
    store.add(&stage.name(), Found::from(&result))?;
    Ok(true)
}

/// The results of the runs.
#[must_use]
pub(crate) fn report(subject: Subject, runs: &[Found]) -> String {
    let all = || runs.iter().flat_map(|run| &run.comparisons);
    let dropped: u64 = runs.iter().map(|run| run.dropped).sum();
    let conditions = format!(
        "{} runs, {:.1} blocks dropped a run, {} cut short by their time",
        runs.len(),
        dropped as f64 / runs.len().max(1) as f64,
        runs.iter().filter(|run| run.cut_short).count()
    );
    match subject {
        Subject::Same | Subject::OneCopy => {
            let verdict = |wanted: Verdict| Rate::of(all().map(|c| c.verdict == wanted));
            let trusted = runs.iter().filter_map(|run| run.trusted);
            format!(
                "called different: {} (in {} of the runs)\n\
                interval excludes 1: {}\n\
                called same: {}\n\
                placebo untrusted: {}\n\
                blocks (median): {}, half width of an interval (median): {}\n\
                {conditions}\n",
                verdict(Verdict::Different),
                runs.iter()
                    .filter(|r| r.comparisons.iter().any(|c| c.verdict == Verdict::Different))
                    .count(),
                Rate::of(all().map(|c| !c.holds(1.0))),
                verdict(Verdict::Equivalent),
                Rate::of(trusted.map(|trusted| !trusted)),
                middle(all().map(|c| c.blocks as f64)),
                width(all().filter_map(|c| c.low.zip(c.high))),
            )
        }
        Subject::Injected => {
            let line = |percent: &u64| {
                let own = || all().filter(|c| c.arm == format!("injected:+{percent}%"));
                let truth = 1.0 + *percent as f64 / 100.0;
                format!(
                    "+{percent} %: found {}; interval contains the truth {}; estimate (median) {}, \
                    half width {}\n",
                    Rate::of(own().map(|c| c.low.is_some_and(|low| low > 1.0))),
                    Rate::of(own().map(|c| c.holds(truth))),
                    middle(own().map(|c| c.ratio)),
                    width(own().filter_map(|c| c.low.zip(c.high))),
                )
            };
            let placebo =
                Rate::of(runs.iter().filter_map(|run| run.trusted).map(|trusted| !trusted));
            INJECTED.iter().map(line).collect::<String>()
                + &format!("placebo untrusted: {placebo}\n{conditions}\n")
        }
    }
}

fn middle(values: impl Iterator<Item = f64>) -> String {
    stats::median(&values.collect::<Vec<f64>>()).map_or_else(
        || "-".to_owned(),
        |v| format!("{v:.4}").trim_end_matches('0').trim_end_matches('.').to_owned(),
    )
}

/// Half of the interval, as a share.
pub(crate) fn width(bounds: impl Iterator<Item = (f64, f64)>) -> String {
    let widths: Vec<f64> = bounds.map(|(low, high)| (high / low).sqrt() - 1.0).collect();
    stats::median(&widths).map_or_else(|| "-".to_owned(), |width| format!("{:.2} %", 100.0 * width))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::FoundRatio;

    fn found(arm: &str, low: f64, high: f64, verdict: Verdict) -> Found {
        let ratio = FoundRatio {
            arm: arm.to_owned(),
            ratio: f64::midpoint(low, high),
            low: Some(low),
            high: Some(high),
            blocks: 96,
            verdict,
        };
        Found {
            seed: 1,
            elapsed_ns: 1,
            cut_short: false,
            dropped: 2,
            trusted: Some(true),
            comparisons: vec![ratio],
        }
    }

    #[test]
    fn rates_are_counted_from_the_runs() {
        let runs = [
            found("copy-1", 0.99, 1.01, Verdict::Equivalent),
            found("copy-1", 1.001, 1.05, Verdict::Different),
        ];
        let text = report(Subject::Same, &runs);
        assert!(
            text.contains("called different: 1 of 2")
                && text.contains("interval excludes 1: 1 of 2"),
            "{text}"
        );
        assert!(
            text.contains("placebo untrusted: 0 of 2") && text.contains("2.0 blocks dropped"),
            "{text}"
        );
        let runs = [
            found("injected:+2%", 1.01, 1.03, Verdict::Different),
            found("injected:+2%", 0.99, 1.01, Verdict::Inconclusive),
        ];
        let text = report(Subject::Injected, &runs);
        assert!(
            text.contains("+2 %: found 1 of 2") && text.contains("contains the truth 1 of 2"),
            "{text}"
        );
        assert!(text.contains("+5 %: found -"), "{text}");
    }

    #[test]
    fn the_lab_reads_the_experiments() {
        let directory =
            std::env::temp_dir().join(format!("firsttouch-stage-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        for subject in [Subject::Same, Subject::Injected, Subject::OneCopy] {
            let file = write_experiment(&directory, subject).unwrap();
            lab::Experiment::parse(&std::fs::read_to_string(file).unwrap()).unwrap();
        }
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
