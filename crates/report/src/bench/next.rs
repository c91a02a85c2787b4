//! The last line of a screen: the most useful next command.

use results::{ExperimentRecord, LabResult, More, Verdict};

use crate::text::quoted;

/// The experiment to run after one that is decided: its name, the next one, and what that shows.
const FOLLOWS: [(&str, &str, &str); 16] = [
    ("populate", "page-size", "fewer faults instead of earlier ones"),
    ("page-size", "floors", "the least that a page can cost"),
    ("size-sweep", "threshold", "where malloc turns to mmap, and the cost of that"),
    ("threads", "small-objects --threads 2", "the cost of threads inside the allocator"),
    ("refault", "threshold", "when malloc gives memory back by itself"),
    ("release", "refault", "the cost of needing the memory again"),
    ("threshold", "allocators", "other allocators and their thresholds"),
    ("allocators", "small-objects", "blocks too small for the kernel"),
    ("small-objects", "allocators", "blocks so large that the kernel serves them"),
    ("realloc-growth", "size-sweep", "blocks whose size is known"),
    ("cow", "fork", "the cost of fork itself, before anything is copied"),
    ("fork", "cow", "the cost of copies after it"),
    ("file-scan", "map-or-copy", "how many passes make a mapping worth it"),
    ("file-random", "file-scan", "the same file from end to end"),
    ("map-or-copy", "file-random", "pages here and there"),
    ("latency", "page-size", "fewer and longer faults"),
];

/// The allocators beside the system's, in the order in which they are proposed.
const ALLOCATORS: [&str; 3] = ["jemalloc", "mimalloc", "tcmalloc"];

/// The most useful next command.
pub(super) fn next(result: &LabResult) -> String {
    if super::survey::is_survey(result) {
        return after_survey(result);
    }
    let again = same_question(result);
    if result.placebo.as_ref().is_some_and(|placebo| placebo.trusted == Some(false)) {
        let seed = result.seed.wrapping_add(1);
        return format!("{again} --seed {seed}    (repeat a run that is not trusted)");
    }
    if is_open(result) {
        return format!("{again} {}    (more blocks decide more)", more(result));
    }
    if result.placebo.as_ref().is_some_and(|placebo| placebo.trusted.is_none()) {
        return format!("{again} {}    (more blocks show whether to trust it)", more(result));
    }
    if let Some(next) = super::pairs::next(result) {
        return next;
    }
    after_an_answer(result)
}

/// Whether a verdict is missing.
pub(crate) fn is_open(result: &LabResult) -> bool {
    let comparisons = result.comparisons.iter().map(|comparison| comparison.verdict);
    let verdicts = comparisons.chain(result.effects.iter().map(|effect| effect.verdict));
    verdicts.clone().any(|verdict| verdict == Verdict::Inconclusive) || verdicts.count() == 0
}

/// The option that decides more. Files of older versions do not have it.
fn more(result: &LabResult) -> String {
    result.more.unwrap_or_else(|| More::MaxTimeNs(longer_seconds(result) * 1_000_000_000)).option()
}

/// An allocator to try next: none that this run could not have.
pub(super) fn allocator(result: &LabResult) -> Option<&'static str> {
    let is_refused = |name: &str| {
        let suffix = format!("@{name}");
        result.refused.iter().any(|refused| refused.arm == name || refused.arm.ends_with(&suffix))
    };
    ALLOCATORS.into_iter().find(|name| !is_refused(name))
}

/// The next command where everything is decided.
fn after_an_answer(result: &LabResult) -> String {
    let experiment = &result.experiment;
    if let Some((name, next, why)) = FOLLOWS.iter().find(|(name, ..)| *name == experiment.name) {
        let under = allocator(result).filter(|_| *name == "allocators");
        let under = under.map(|name| format!(" --allocator {name}")).unwrap_or_default();
        return format!("firsttouch bench {next}{under}    ({why})");
    }
    let is_the_default = experiment.sizes_bytes.len() <= 1
        && experiment.name == "anonymous"
        && experiment.size_bytes == 100 << 20;
    let next = if !experiment.factors.is_empty() {
        "firsttouch bench    (more ways of getting memory, phase by phase)"
    } else if is_the_default {
        "firsttouch bench position    (what a naive comparison mixes up, factor by factor)"
    } else if experiment.size_bytes >= 1 << 20 {
        "firsttouch bench --size 64KiB    (small blocks, which the allocator keeps when freed)"
    } else {
        "firsttouch bench --size 100MiB    (large blocks: the allocator asks the kernel each time)"
    };
    next.to_owned()
}

/// The command that asks the same question, without seed and time.
fn same_question(result: &LabResult) -> String {
    let experiment = &result.experiment;
    let several = |values: &[u64]| values.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
    let mut command = subject(experiment);
    if !experiment.threads.is_empty() {
        command = format!("{command} --threads {}", several(&experiment.threads));
    }
    match experiment.asked_passes {
        Some(one) => command = format!("{command} --passes {one}"),
        None if experiment.passes.is_empty() => {}
        None => command = format!("{command} --passes {}", several(&experiment.passes)),
    }
    // An arm that was refused would make the command fail.
    let is_refused = |arm: &&String| result.refused.iter().any(|refused| refused.arm == **arm);
    for arm in experiment.asked_arms.iter().filter(|arm| !is_refused(arm)) {
        command = format!("{command} --arm {}", quoted(arm));
    }
    // 0.07 is 7 %, not 7.000000000000001 %.
    let margin = (experiment.margin * 1e8).round() / 1e6;
    // A file has its own margin, and the built-in experiments have 3 %.
    if (margin - 3.0).abs() > 1e-9 && experiment.file.is_none() {
        command = format!("{command} --margin {margin}%");
    }
    if experiment.memory == "cold" {
        command += " --memory cold";
    }
    command + &place(experiment)
}

/// `firsttouch bench position --size 100MiB`
fn subject(experiment: &ExperimentRecord) -> String {
    let sizes = &experiment.sizes_bytes;
    let doubles = sizes.windows(2).all(|pair| Some(pair[1]) == pair[0].checked_mul(2));
    let sizes = match &sizes[..] {
        [] => exact(experiment.size_bytes),
        [first, .., last] if doubles => format!("{}..{}", exact(*first), exact(*last)),
        several => several.iter().map(|&one| exact(one)).collect::<Vec<_>>().join(","),
    };
    let name = experiment.file.as_ref().unwrap_or(&experiment.name);
    format!("firsttouch bench {} --size {sizes}", quoted(name))
}

/// The options for the folder of its files and for its processor.
fn place(experiment: &ExperimentRecord) -> String {
    let directory = experiment.asked_directory.as_ref();
    let directory = directory.map(|path| format!(" --dir {}", quoted(path)));
    let cpu = experiment.cpu.map(|cpu| format!(" --cpu {cpu}"));
    directory.into_iter().chain(cpu).collect()
}

/// More blocks if there were few, or else the sources that the floors explain.
fn after_survey(result: &LabResult) -> String {
    let experiment = &result.experiment;
    if result.warnings.iter().any(|warning| warning.id == "few-blocks") {
        let same = subject(experiment) + &place(experiment);
        return format!("{same} {}    (more blocks, narrower intervals)", more(result));
    }
    let size = exact(experiment.size_bytes);
    format!("firsttouch bench --size {size}    (these sources against each other, phase by phase)")
}

/// A time cap that decides more: three times the present one, and time for the first look at least.
fn longer_seconds(result: &LabResult) -> u64 {
    let cap_ns = result.experiment.max_time_ns.unwrap_or(20_000_000_000);
    let blocks = |arm: &results::Arm| arm.samples.len() / arm.points.len().max(1);
    let baseline = result.arms.iter().find(|arm| arm.baseline).or(result.arms.first());
    let done = baseline.map_or(1, blocks).max(1) as u64;
    let twelve_ns = (result.elapsed_ns / done).saturating_mul(15);
    (cap_ns.saturating_mul(3).max(twelve_ns) / 1_000_000_000 + 1).next_multiple_of(10)
}

/// A size as the command line reads it, to the byte.
pub(crate) fn exact(size_bytes: u64) -> String {
    let units = [(1_u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let unit =
        units.into_iter().find(|(unit, _)| size_bytes >= *unit && size_bytes.is_multiple_of(*unit));
    unit.map_or_else(
        || size_bytes.to_string(),
        |(unit, name)| format!("{}{name}", size_bytes / unit),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_exact() {
        assert_eq!(
            [100_000, 65_536, 100 << 20, 3 << 30].map(exact),
            ["100000", "64KiB", "100MiB", "3GiB"]
        );
    }
}
