//! Where arms change places in a sweep, and where an allocator changes how it gets memory.

use results::{Crossover, LabResult, PassCrossover, Step, TurningPoint};

use super::verdict::confidence;
use crate::number::{bytes, count};
use crate::table::table;
use crate::text::{DIM, clean, styled};
use crate::view::View;

/// A row for each crossover.
pub(super) fn crossovers(result: &LabResult, view: View) -> String {
    let header = ["crossover", "from", "between", "found by"];
    let mut rows = vec![header.iter().map(|name| styled(DIM, name)).collect::<Vec<String>>()];
    rows.extend(result.crossovers.iter().map(over_sizes));
    rows.extend(result.pass_crossovers.iter().map(|crossover| over_passes(crossover, result)));
    if rows.len() == 1 { String::new() } else { table(rows, view.table_columns(), &[3]) }
}

/// The absence of a crossover, where the run looked for one.
pub(super) fn none_found(result: &LabResult) -> Option<String> {
    let judged = result.comparisons.iter().any(|comparison| comparison.low.is_some());
    let swept = result.experiment.sizes_bytes.len() > 1 || result.experiment.passes.len() > 1;
    let none = result.crossovers.is_empty() && result.pass_crossovers.is_empty();
    (judged && swept && none).then(|| "No crossover was found.".to_owned())
}

/// A sentence for each allocator that changes how it gets memory, naming the arms that agree.
pub(super) fn turning_points(result: &LabResult) -> Vec<String> {
    let mut sentences: Vec<(String, Vec<String>)> = Vec::new();
    for point in &result.turning_points {
        let where_it_turns = turning(point);
        match sentences.iter_mut().find(|(other, _)| *other == where_it_turns) {
            Some((_, arms)) => arms.push(clean(&point.arm)),
            None => sentences.push((where_it_turns, vec![clean(&point.arm)])),
        }
    }
    sentences.iter().map(|(turns, arms)| format!("{} {turns}", arms.join(" and "))).collect()
}

/// `file becomes faster, 4 passes   26 KiB   24 to 28 KiB   bisection, 3 steps, 95 %`.
fn over_sizes(crossover: &Crossover) -> Vec<String> {
    let becomes = if crossover.faster_above { "faster" } else { "slower" };
    let at = [
        crossover.threads.map(|n| format!(", {n} threads")),
        crossover.passes.map(|n| format!(", {n} pass{}", if n == 1 { "" } else { "es" })),
    ];
    vec![
        format!(
            "{} becomes {becomes}{}",
            clean(&crossover.arm),
            at.into_iter().flatten().collect::<String>()
        ),
        about(crossover.size_bytes),
        format!("{} and {}", bytes(crossover.low_bytes as f64), bytes(crossover.high_bytes as f64)),
        how_sure(crossover.confidence, &crossover.steps),
    ]
}

fn over_passes(crossover: &PassCrossover, result: &LabResult) -> Vec<String> {
    let becomes = if crossover.faster_above { "faster" } else { "slower" };
    let at = [
        (result.experiment.sizes_bytes.len() > 1)
            .then(|| format!(", {}", bytes(crossover.size_bytes as f64))),
        crossover.threads.map(|n| format!(", {n} threads")),
    ];
    let PassCrossover { low_passes, high_passes, .. } = crossover;
    vec![
        format!(
            "{} becomes {becomes}{}",
            clean(&crossover.arm),
            at.into_iter().flatten().collect::<String>()
        ),
        format!("{high_passes} passes"),
        format!("{low_passes} and {high_passes}"),
        how_sure(crossover.confidence, &crossover.steps),
    ]
}

/// All comparisons of the sweep hold together; a step of the bisection holds by itself.
fn how_sure(of_all: f64, steps: &[Step]) -> String {
    match steps.last() {
        None => format!("the sweep, {}", confidence(of_all)),
        Some(last) => format!(
            "bisection, {} step{}, {}",
            steps.len(),
            if steps.len() == 1 { "" } else { "s" },
            confidence(last.comparison.confidence)
        ),
    }
}

/// `(libc.so.6): program break up to 131,048 bytes, mmap from 131,049 bytes on.`
fn turning(point: &TurningPoint) -> String {
    let path = point.allocator.as_deref();
    let library = path.and_then(|path| path.rsplit('/').next()).unwrap_or("?");
    format!(
        "({}): program break up to {} bytes, mmap from {} bytes on.",
        clean(library),
        count(point.break_bytes as f64),
        count(point.mapping_bytes as f64)
    )
}

/// A size between two points, to two digits.
fn about(size_bytes: f64) -> String {
    let unit = 1024_f64.powf((size_bytes.max(1.0).log2() / 10.0).floor());
    let value = size_bytes / unit;
    let step = 10_f64.powf(value.max(1.0).log10().floor() - 1.0);
    bytes((value / step).round() * step * unit)
}
