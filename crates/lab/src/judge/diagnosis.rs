//! Warnings: properties of the data that make figures unreliable. A warning is raised only if it
//! concerns a figure.

use results::{Machine, More, Sample, Stopped, Warning};
use sample::source::Source;
use stats::{Placebo, trend, two_modes};
use sys::mapping::HUGE_PAGE_BYTES;

use crate::design::Design;
use crate::judge::more::more;
use crate::question::experiment::Metric;
use crate::question::memory::MemoryState;
use crate::run::Run;
use crate::run::disturbance::outside_cause;

/// A smaller trend over the whole run does not change a significant digit.
const TREND_MIN: f64 = 0.10;

/// All warnings about `run`, the most serious first.
#[must_use]
pub(crate) fn warnings(
    design: &Design,
    run: &Run,
    machine: &Machine,
    placebo: Option<&Placebo>,
) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let drifts = drifting(&labelled(design, run));
    let bimodal = modes(design, run, machine);
    warnings.extend(untrusted(placebo, drifts.is_some(), bimodal.is_some()));
    warnings.extend(too_few_blocks(design, run));
    warnings.extend(vague(placebo, more(design, run)));
    warnings.extend(bimodal);
    warnings.extend(drifts);
    warnings.extend(busy(run));
    warnings.extend(thp_always(design, machine));
    warnings.extend(without_proc(run));
    warnings
}

/// A warning.
#[must_use]
pub fn warning(id: &str, message: String, arms: Vec<String>) -> Warning {
    Warning { id: id.to_owned(), message, arms }
}

/// The baseline differs from itself.
#[must_use]
pub fn untrusted(placebo: Option<&Placebo>, drifting: bool, bimodal: bool) -> Option<Warning> {
    let placebo = placebo.filter(|placebo| placebo.trusted == Some(false))?;
    let why = match (bimodal, drifting) {
        (true, _) => "the machine was in two states (see below)",
        (_, true) => "the machine drifted (see below)",
        _ => {
            "one run in a hundred does so by chance; otherwise an outside cause favours a position \
             or a name"
        }
    };
    let message = format!(
        "the baseline differs from itself ({:.3}x): verdicts cannot be trusted; {why}. Run it \
         again with another --seed",
        placebo.ratio
    );
    Some(warning("untrusted", message, Vec::new()))
}

/// The placebo's interval holds 1, and much else. `more` narrows it.
#[must_use]
pub fn vague(placebo: Option<&Placebo>, more: More) -> Option<Warning> {
    let placebo = placebo.filter(|placebo| placebo.trusted.is_none())?;
    let interval = placebo.interval?;
    let reach = f64::max(interval.high - 1.0, 1.0 / interval.low - 1.0);
    let message = format!(
        "the baseline differs from itself by [{:.2}, {:.2}]x: verdicts are not trusted, because \
         this run would not notice an outside cause of less than {:.0} %; {} narrows it",
        interval.low,
        interval.high,
        100.0 * reach,
        more.option()
    );
    Some(warning("vague-placebo", message, Vec::new()))
}

/// The run was too short for an interval, or ended before all was decided.
fn too_few_blocks(design: &Design, run: &Run) -> Option<Warning> {
    let open = |index: &usize| {
        run.estimates[*index].is_some_and(|e| e.verdict == stats::Verdict::Inconclusive)
    };
    let undecided: Vec<String> = (0..design.contrasts.len())
        .filter(open)
        .filter_map(|index| match design.contrasts[index].factor {
            Some(factor) => Some(design.factors[factor].name.clone()),
            None => design.contrasts[index].plus.first().map(|&arm| design.label(arm)),
        })
        .collect();
    let first = design.schedule.looks.first()?.blocks;
    let done = run.samples.iter().map(Vec::len).max().unwrap_or(0);
    (run.stopped == Some(Stopped::TimeCap) && done < first && !undecided.is_empty()).then(|| {
        // If all are concerned, they are not listed.
        let arms = if undecided.len() == design.contrasts.len() { Vec::new() } else { undecided };
        time_cap(done, first, more(design, run), arms)
    })
}

/// There was time for `done` of the `first` blocks of the first look; `more` is enough for these.
#[must_use]
pub fn time_cap(done: usize, first: usize, more: More, arms: Vec<String>) -> Warning {
    let message = format!(
        "time for only {done} of {first} blocks, so little is decided: {} would be enough for \
         {first}",
        more.option()
    );
    warning("time-cap", message, arms)
}

/// Two modes in fresh anonymous memory that was warmed up are probably due to memory that was cold.
/// Modes of files and small objects have other causes: a disk, a cache, a lock.
fn modes(design: &Design, run: &Run, machine: &Machine) -> Option<Warning> {
    let Bimodal { arm, counts, names } = bimodal(&labelled(design, run))?;
    // Whether the metric includes the first touch of memory.
    let fresh = matches!(design.metric(), Metric::Total | Metric::FirstTouch | Metric::Whole);
    let anonymous = |arm: usize| {
        fresh && !matches!(design.arms[arm].work.source, Source::File(_) | Source::Small(_))
    };
    if machine.free_page_reporting == Some(true)
        && design.memory == MemoryState::Warm
        && anonymous(arm)
    {
        let message = format!(
            "two modes: {counts}; this guest returns freed memory to its host, which may have had \
             to back it again"
        );
        return Some(warning("memory-cold", message, names));
    }
    Some(warning("two-modes", format!("two modes: {counts}; medians fall in one of them"), names))
}

/// Samples that fall into two groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bimodal {
    /// The arm whose groups are the farthest apart, by index.
    pub arm: usize,
    /// How many of its samples are in the slower group, and how much slower that is.
    pub counts: String,
    /// All arms with two groups, by name.
    pub names: Vec<String>,
}

/// The arms with two groups of samples among `values`, which have the name of each arm.
#[must_use]
pub fn bimodal(values: &[(String, Vec<f64>)]) -> Option<Bimodal> {
    let found: Vec<_> = values
        .iter()
        .enumerate()
        .filter_map(|(arm, (name, values))| Some((arm, name, two_modes(values)?)))
        .collect();
    let (arm, name, modes) =
        found.iter().max_by(|(.., a), (.., b)| (a.high / a.low).total_cmp(&(b.high / b.low)))?;
    let counts = format!(
        "{} of {} samples of {name} took {:.1}x as long as the others",
        modes.high_count,
        modes.high_count + modes.low_count,
        modes.high / modes.low
    );
    let names = found.iter().map(|(_, name, _)| (*name).clone()).collect();
    Some(Bimodal { arm: *arm, counts, names })
}

/// A steady change among `values`, which have the name of each arm.
#[must_use]
pub fn drifting(values: &[(String, Vec<f64>)]) -> Option<Warning> {
    let found: Vec<_> = values
        .iter()
        .filter_map(|(name, values)| Some((name, trend(values)?.last_over_first)))
        .filter(|(_, change)| change.ln().abs() >= TREND_MIN)
        .collect();
    let (name, change) =
        found.iter().max_by(|(_, a), (_, b)| a.ln().abs().total_cmp(&b.ln().abs()))?;
    let message = format!(
        "figures changed steadily during the run ({name} by {:+.0} %): medians are an average over \
         it, and so is the ratio of an arm that did not change as the baseline did",
        100.0 * (change - 1.0)
    );
    Some(warning("trend", message, found.iter().map(|(name, _)| (*name).clone()).collect()))
}

/// More blocks were disturbed than the rule may drop. The numbers add up with the blocks that were
/// run, count and were dropped.
#[must_use]
pub fn busy<S>(run: &Run<S>) -> Option<Warning> {
    let dropped = run.dropped.iter().filter(|dropped| dropped.complete).count();
    let kept_disturbed = run
        .blocks
        .iter()
        .filter(|block| !run.dropped.iter().any(|dropped| dropped.block == block.block))
        .filter(|block| outside_cause(block).is_some())
        .count();
    (kept_disturbed > 0).then(|| {
        let disturbed = dropped + kept_disturbed;
        let were = if dropped == 1 { "was" } else { "were" };
        let count = if kept_disturbed == 1 { "counts" } else { "count" };
        let message = format!(
            "other processes or the hypervisor disturbed {disturbed} of {} blocks: {dropped} \
             {were} dropped, at most one in five, and {kept_disturbed} {count} all the same, which \
             widens intervals",
            run.blocks.len()
        );
        warning("busy-machine", message, Vec::new())
    })
}

/// With THP on for all memory, the plain arms measure huge pages too.
fn thp_always(design: &Design, machine: &Machine) -> Option<Warning> {
    let large = design.points.iter().any(|point| point.size_bytes >= HUGE_PAGE_BYTES as u64);
    (machine.thp.as_deref() == Some("always") && large).then(|| {
        let message = "transparent huge pages are on for all memory (always): every arm may get \
                       them, not only mmap+hugepage";
        warning("thp", message.to_owned(), Vec::new())
    })
}

/// Without `/proc` some figures are unknown, and disturbed blocks are not recognised.
fn without_proc(run: &Run) -> Option<Warning> {
    let resident_unknown = run.samples.iter().flatten().any(|sample| sample.rss_bytes.is_none());
    let disturbance_unknown = run.blocks.iter().any(|block| block.others_cpu_ns.is_none());
    (resident_unknown || disturbance_unknown).then(|| {
        let message = "/proc is not readable, or only in part: resident and huge page memory, or \
                       the activity of other processes, is unknown";
        warning("proc-missing", message.to_owned(), Vec::new())
    })
}

/// The metric of every arm's samples.
fn labelled(design: &Design, run: &Run) -> Vec<(String, Vec<f64>)> {
    let metric = design.metric();
    let values = |samples: &[Sample]| samples.iter().map(|s| metric.of(s) as f64).collect();
    (0..design.arms.len()).map(|arm| (design.label(arm), values(&run.samples[arm]))).collect()
}

#[cfg(test)]
mod tests {
    use results::Block;
    use stats::judge_placebo;

    use super::*;
    use crate::design::tests::empty;
    use crate::question::experiment::by_name;
    use crate::run::DroppedBlock;

    #[test]
    fn disturbed_blocks_add_up() {
        let block = |number: u64| Block {
            block: number,
            elapsed_ns: 500_000_000,
            steal_ns: Some(if number < 14 { 60_000_000 } else { 0 }),
            ..Block::default()
        };
        let lost = |block: u64| DroppedBlock::<Sample> {
            block,
            reason: "steal: some".to_owned(),
            complete: true,
            samples: Vec::new(),
        };
        let mut run = Run {
            blocks: (0..72).map(block).collect(),
            dropped: (0..12).map(lost).collect(),
            ..Run::default()
        };
        let said = busy(&run).unwrap().message;
        let adds_up =
            "disturbed 14 of 72 blocks: 12 were dropped, at most one in five, and 2 count";
        assert!(said.contains(adds_up), "{said}");
        run.dropped.extend([12, 13].map(lost));
        assert_eq!(busy(&run), None, "none of them counts");
    }

    #[test]
    fn a_vague_placebo_is_named_with_what_to_do() {
        let design = empty(by_name("anonymous").unwrap());
        let placebo = judge_placebo(&[-0.6, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.17]).unwrap();
        let more = more(&design, &Run::default());
        let vague = vague(Some(&placebo), more).unwrap();
        assert!(
            vague.id == "vague-placebo"
                && vague.message.contains("[0.55, 1.19]x")
                && vague.message.contains("less than 82 %; --max-time "),
            "{}",
            vague.message
        );
        for sound in [[0.01; 12], [-0.01; 12], [0.0; 12]].map(|ratios| judge_placebo(&ratios)) {
            assert_eq!(super::vague(sound.as_ref(), more), None);
        }
    }
}
