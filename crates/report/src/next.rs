//! The last line of a screen: the most useful next command.

use results::{LabResult, Verdict};

use crate::text::clean;

/// What to ask after an experiment that has been answered: its name, the next one's, and what that
/// tells.
const FOLLOWS: [(&str, &str, &str); 16] = [
    ("populate", "page-size", "fewer faults instead of earlier ones"),
    ("page-size", "floors", "what no page size can beat"),
    ("size-sweep", "threshold", "where malloc turns to mmap, and what that costs"),
    ("threads", "small-objects --threads 2", "what threads cost inside the allocator"),
    ("refault", "threshold", "when malloc gives memory back by itself"),
    ("release", "refault", "what it costs to need the memory again"),
    ("threshold", "allocators", "what other allocators keep"),
    (
        "allocators",
        "small-objects --allocator jemalloc",
        "small blocks, which never reach the kernel",
    ),
    ("small-objects", "allocators", "large blocks, which do"),
    ("realloc-growth", "size-sweep", "blocks whose size is known"),
    ("cow", "fork", "what fork itself takes before anything is copied"),
    ("fork", "cow", "what is paid after it"),
    ("file-scan", "map-or-copy", "how many passes make a mapping worth it"),
    ("file-random", "file-scan", "the same file from end to end"),
    ("map-or-copy", "file-random", "pages here and there"),
    ("latency", "page-size", "fewer and longer faults"),
];

/// The most useful next command.
pub(crate) fn next(result: &LabResult) -> String {
    let experiment = &result.experiment;
    let sizes = match &experiment.sizes_bytes[..] {
        [] => exact(experiment.size_bytes),
        [first, .., last]
            if experiment
                .sizes_bytes
                .windows(2)
                .all(|pair| Some(pair[1]) == pair[0].checked_mul(2)) =>
        {
            format!("{}..{}", exact(*first), exact(*last))
        }
        several => several.iter().map(|&one| exact(one)).collect::<Vec<_>>().join(","),
    };
    let threads: Vec<String> = experiment.threads.iter().map(u64::to_string).collect();
    let threads = if threads.is_empty() {
        String::new()
    } else {
        format!(" --threads {}", threads.join(","))
    };
    let passes: Vec<String> = experiment.passes.iter().map(u64::to_string).collect();
    let passes = experiment.asked_passes.map_or(passes, |one| vec![one.to_string()]);
    let threads = if passes.is_empty() {
        threads
    } else {
        format!("{threads} --passes {}", passes.join(","))
    };
    let question = quoted(&clean(experiment.file.as_ref().unwrap_or(&experiment.name)));
    let directory = experiment.asked_directory.as_ref();
    let directory =
        directory.map_or_else(String::new, |path| format!(" --dir {}", quoted(&clean(path))));
    let cold = if experiment.memory == "cold" { " --memory cold" } else { "" };
    let cpu = experiment.cpu.map(|cpu| format!(" --cpu {cpu}")).unwrap_or_default();
    let arms = experiment
        .asked_arms
        .iter()
        .fold(String::new(), |text, arm| text + " --arm " + &quoted(&clean(arm)));
    if crate::survey::is_survey(result) {
        return after_survey(
            result,
            &format!("firsttouch bench {question} --size {sizes}{directory}{cpu}"),
        );
    }
    let margin = experiment.margin * 100.0;
    // The built-in experiments' margin need not be said.
    let margin = if (margin - 3.0).abs() < 1e-9 || experiment.file.is_some() {
        String::new()
    } else {
        format!(" --margin {margin}%")
    };
    let same_question = format!(
        "firsttouch bench {question} --size {sizes}{threads}{arms}{margin}{cold}{directory}{cpu}"
    );
    if result.placebo.as_ref().is_some_and(|placebo| placebo.trusted == Some(false)) {
        return format!(
            "{same_question} --seed {}    (an untrusted run is worth repeating)",
            result.seed.wrapping_add(1)
        );
    }
    let open = result
        .comparisons
        .iter()
        .map(|c| c.verdict)
        .chain(result.effects.iter().map(|e| e.verdict));
    if open.clone().any(|verdict| verdict == Verdict::Inconclusive) || open.count() == 0 {
        return format!(
            "{same_question} --max-time {}s    (more blocks decide more)",
            longer_seconds(result)
        );
    }
    if let Some(next) = crate::pairs::next(result) {
        return next;
    }
    if let Some((_, next, why)) = FOLLOWS.iter().find(|(name, ..)| *name == experiment.name) {
        return format!("firsttouch bench {next}    ({why})");
    }
    if !experiment.factors.is_empty() {
        return "firsttouch bench    (more ways of getting memory, phase by phase)".to_owned();
    }
    if experiment.sizes_bytes.len() <= 1
        && experiment.name == "anonymous"
        && experiment.size_bytes == 100 << 20
    {
        return "firsttouch bench position    (what a naive comparison mixes up, factor by factor)"
            .to_owned();
    }
    if experiment.size_bytes >= 1 << 20 {
        "firsttouch bench --size 64KiB    (small blocks: the allocator keeps what the kernel would take back)"
            .to_owned()
    } else {
        "firsttouch bench --size 100MiB    (large blocks: the allocator asks the kernel each time)"
            .to_owned()
    }
}

/// More blocks if there were few, or else what the floors are there to explain.
fn after_survey(result: &LabResult, same_question: &str) -> String {
    if result.warnings.iter().any(|warning| warning.id == "few-blocks") {
        return format!(
            "{same_question} --max-time {}s    (more blocks, narrower intervals)",
            longer_seconds(result)
        );
    }
    let size = exact(result.experiment.size_bytes);
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

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "+-@./_:%".contains(c));
    if plain { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

/// A size as the command line reads it, to the byte.
fn exact(size_bytes: u64) -> String {
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
