//! Where arms change places in a sweep, and where an allocator changes its mind, in words.

use results::{Crossover, LabResult, PassCrossover, Step, TurningPoint};

use crate::number::{bytes, count};
use crate::sentence::confidence;
use crate::text::clean;

/// One for each of them; one that says that there are none where they were looked for.
pub(crate) fn sentences(result: &LabResult) -> Vec<String> {
    let mut sentences: Vec<String> = result.crossovers.iter().map(over_sizes).collect();
    sentences.extend(result.pass_crossovers.iter().map(|crossover| over_passes(crossover, result)));
    let judged = result.comparisons.iter().any(|comparison| comparison.low.is_some());
    let swept = result.experiment.sizes_bytes.len() > 1 || result.experiment.passes.len() > 1;
    if sentences.is_empty() && judged && swept {
        sentences.push("No crossover was found.".to_owned());
    }
    sentences
}

/// One for each arm whose allocator changes its mind.
pub(crate) fn turning_points(result: &LabResult) -> Vec<String> {
    result.turning_points.iter().map(turning).collect()
}

fn over_sizes(crossover: &Crossover) -> String {
    let threads = crossover.threads.map_or_else(String::new, |n| format!(" with {n} threads"));
    let passes = crossover
        .passes
        .map_or_else(String::new, |n| format!(" in {n} pass{}", if n == 1 { "" } else { "es" }));
    format!(
        "Crossover: from some {} on {} is the {} one{threads}{passes} (between {} and {}, {}).",
        about(crossover.size_bytes),
        clean(&crossover.arm),
        if crossover.faster_above { "faster" } else { "slower" },
        bytes(crossover.low_bytes as f64),
        bytes(crossover.high_bytes as f64),
        how_sure(crossover.confidence, &crossover.steps)
    )
}

fn over_passes(crossover: &PassCrossover, result: &LabResult) -> String {
    let threads = crossover.threads.map_or_else(String::new, |n| format!(" with {n} threads"));
    let size = (result.experiment.sizes_bytes.len() > 1)
        .then(|| format!(" of {}", bytes(crossover.size_bytes as f64)));
    let PassCrossover { low_passes, high_passes, .. } = crossover;
    let (low, high) =
        if crossover.faster_above { ("slower", "faster") } else { ("faster", "slower") };
    format!(
        "Crossover: {} is {low} than {} up to {low_passes} pass{}{}{threads}, and {high} from {high_passes} on ({}).",
        clean(&crossover.arm),
        clean(&crossover.baseline),
        if *low_passes == 1 { "" } else { "es" },
        size.unwrap_or_default(),
        how_sure(crossover.confidence, &crossover.steps)
    )
}

/// Of the sweep, all comparisons hold together; a step holds by itself.
fn how_sure(of_all: f64, steps: &[Step]) -> String {
    match steps.last() {
        None => format!("{} simultaneous", confidence(of_all)),
        Some(last) => format!(
            "found by bisection in {} step{}, the last at {}",
            steps.len(),
            if steps.len() == 1 { "" } else { "s" },
            confidence(last.comparison.confidence)
        ),
    }
}

fn turning(point: &TurningPoint) -> String {
    let library =
        point.allocator.as_deref().and_then(|path| path.rsplit('/').next()).unwrap_or("?");
    format!(
        "{} ({}) moves the program break for blocks of up to {} bytes, and calls mmap from {} bytes on (found by bisection in {} \
         untimed runs).",
        clean(&point.arm),
        clean(library),
        count(point.break_bytes as f64),
        count(point.mapping_bytes as f64),
        point.runs
    )
}

/// Two digits of a size that lies somewhere between two points.
fn about(size_bytes: f64) -> String {
    let unit = 1024_f64.powf((size_bytes.max(1.0).log2() / 10.0).floor());
    let value = size_bytes / unit;
    let step = 10_f64.powf(value.max(1.0).log10().floor() - 1.0);
    bytes((value / step).round() * step * unit)
}
