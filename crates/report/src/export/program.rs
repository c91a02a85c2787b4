//! What the tables and pictures of a program's comparison share: what the run was.

use results::compare::ProgramResult;

use crate::bench::head::stop;
use crate::compare::metric::is_open;
use crate::number::{duration, percent};
use crate::text::{clean, typed};

/// The file name of the program, without its folder; of a line for a shell, its first word.
pub(super) fn name(result: &ProgramResult) -> &str {
    let first = result.experiment.command.first().map_or("", String::as_str);
    let word = if result.experiment.shell {
        first.split_whitespace().next().unwrap_or_default()
    } else {
        first
    };
    match word.rsplit('/').next() {
        None | Some("") => "compare", // each arm has a command of its own
        Some(name) => name,
    }
}

/// The command as it is typed.
pub(super) fn command(words: &[String]) -> String {
    typed(words).unwrap_or_else(|| clean(&words.join(" ")))
}

/// The machine, the command, how it was run, and what the design was.
pub(super) fn provenance(result: &ProgramResult) -> Vec<String> {
    let experiment = &result.experiment;
    let line = match &experiment.command[..] {
        [] => "each arm its own command".to_owned(),
        [line] if experiment.shell => clean(line),
        words => command(words),
    };
    let of = |what: &str, line: &Option<String>| {
        line.as_ref().map(|line| format!("{what} {}", clean(line)))
    };
    let cpus: Vec<String> = experiment.cpus.iter().map(u32::to_string).collect();
    let mut run: Vec<String> = [
        Some(line),
        of("prepare", &experiment.prepare),
        of("cleanup", &experiment.cleanup),
        of("input", &experiment.stdin),
        of("load", &experiment.load),
        experiment.settle_ns.map(|ns| format!("settled for {}", duration(ns as f64))),
        experiment.aslr.map(|on| if on { "ASLR on" } else { "ASLR off" }.to_owned()),
        (!cpus.is_empty()).then(|| format!("cpu {}", cpus.join(" "))),
        (experiment.nice != 0).then(|| format!("nice {}", experiment.nice)),
    ]
    .into_iter()
    .flatten()
    .collect();
    run.push(super::blocks(result.comparisons.iter().map(|comparison| comparison.blocks)));
    run.extend(stop(result.stopped, is_open(result)).map(str::to_owned));
    run.push(format!("margin {}", percent(experiment.margin)));
    run.push(format!("seed {}", result.seed));
    run.push(format!("firsttouch {}", clean(&result.version)));
    vec![super::machine(&result.machine), run.join(", ")]
}

/// The metrics that were compared but do not decide when to stop, in the order of the result.
pub(super) fn other_metrics(result: &ProgramResult) -> Vec<&str> {
    let mut others: Vec<&str> = Vec::new();
    for comparison in &result.comparisons {
        let metric = comparison.metric.as_str();
        if !result.experiment.metrics.iter().any(|own| own == metric) && !others.contains(&metric) {
            others.push(metric);
        }
    }
    others
}
