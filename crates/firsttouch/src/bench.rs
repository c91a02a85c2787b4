//! `firsttouch bench [EXPERIMENT]`.

use std::io;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use lab::bench::{BenchError, MAX_TIME, Request};
use lab::experiment::{built_in, nearest};
use lab::{Experiment, Memory, Source};
use results::{LabResult, Stopped};
use sys::interrupt::Interrupt;

use crate::options::{BenchOptions, Color, MemoryState, Usage};
use crate::progress::Watcher;
use crate::sink::Sink;
use crate::stream;

pub(crate) fn run(options: &BenchOptions, color: Color) -> anyhow::Result<ExitCode> {
    if options.list {
        stream::print(&list(), color)?;
        return Ok(ExitCode::SUCCESS);
    }
    let request = request(options)?;
    // Opened before anything is measured: a minute's work must not end in "no such directory".
    let sink = options.json.as_deref().map(Sink::open).transpose()?;
    let interrupt = Interrupt::install().context("cannot watch for signals")?;

    let mut watcher = Watcher::new(options.quiet, request.cap());
    let outcome = lab::bench(&request, interrupt, |event| watcher.see(&event));
    watcher.finish();
    let result = match outcome {
        Ok(result) => result,
        Err(error) => {
            drop(sink);
            if let Some(signal) = interrupt.received() {
                eprintln!("firsttouch: {error}");
                sys::interrupt::die_by(signal);
            }
            return Err(explain(error));
        }
    };
    show(&result, sink, color)?;
    if let Some(signal) = interrupt.received() {
        sys::interrupt::die_by(signal);
    }
    Ok(status(&result, options))
}

fn show(result: &LabResult, sink: Option<Sink>, color: Color) -> anyhow::Result<()> {
    match sink {
        Some(Sink::Stdout) => Ok(stream::quietly(results::write(result, io::stdout().lock()))?),
        Some(Sink::File(file)) => {
            let printed = stream::print(&report::screen(result, stream::width()), color);
            file.replace(|writer| results::write(result, writer))?;
            Ok(printed?)
        }
        None => Ok(stream::print(&report::screen(result, stream::width()), color)?),
    }
}

/// An arm that was asked for by name and has no row, or one that broke, is a failure.
fn status(result: &LabResult, options: &BenchOptions) -> ExitCode {
    let asked = |arm: &String| options.arms.contains(arm);
    let broke = result.refused.iter().any(|refused| refused.failed || asked(&refused.arm));
    if broke || result.stopped == Some(Stopped::BaselineFailed) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn request(options: &BenchOptions) -> Result<Request, Usage> {
    let experiment = experiment(options.experiment.as_deref())?;
    let arms = arms(&experiment, &options.arms)?;
    Ok(Request {
        experiment,
        size_bytes: options.size,
        arms,
        blocks: options.blocks,
        margin: options.margin,
        max_time: options.max_time,
        seed: options.seed.unwrap_or_else(new_seed),
        cpu: options.cpu,
        memory: match options.memory {
            MemoryState::Warm => Memory::Warm,
            MemoryState::Cold => Memory::Cold,
        },
    })
}

fn experiment(name: Option<&str>) -> Result<Experiment, Usage> {
    let mut all = built_in();
    let Some(name) = name else { return Ok(all.swap_remove(0)) };
    if let Some(index) = all.iter().position(|experiment| experiment.name == name) {
        return Ok(all.swap_remove(index));
    }
    let names: Vec<&str> = all.iter().map(|experiment| experiment.name.as_str()).collect();
    Err(unknown("experiment", name, &names))
}

/// A name that is not among those `known`, with the one that it was most likely meant to be.
fn unknown(kind: &str, name: &str, known: &[&str]) -> Usage {
    let hint = nearest(name, known.iter().copied()).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
    Usage(format!("there is no {kind} {name:?}{hint} Known: {} (see bench --list)", known.join(", ")))
}

fn arms(experiment: &Experiment, wanted: &[String]) -> Result<Vec<Source>, Usage> {
    let names = Source::ALL.map(Source::name);
    let mut arms = Vec::new();
    for name in wanted {
        let Some(source) = Source::ALL.into_iter().find(|source| source.name() == name) else {
            return Err(unknown("arm", name, &names));
        };
        if arms.contains(&source) {
            return Err(Usage(format!("--arm {name} is given twice")));
        }
        arms.push(source);
    }
    if !arms.is_empty() && arms.iter().all(|&source| source == experiment.baseline) {
        return Err(Usage(format!(
            "{} is the baseline: name at least one other arm to compare with it (bench --list shows them)",
            experiment.baseline.name()
        )));
    }
    Ok(arms)
}

fn list() -> String {
    let line = |experiment: &Experiment| {
        let arms: Vec<&str> = experiment.arms.iter().map(|source| source.name()).collect();
        format!(
            "{}  {}\n           {} against {}, {}, at most {} s\n",
            experiment.name,
            experiment.question,
            arms.join(", "),
            experiment.baseline.name(),
            report::bytes(experiment.size_bytes as f64),
            MAX_TIME.as_secs()
        )
    };
    built_in().iter().map(line).collect()
}

/// Small enough to be typed again.
fn new_seed() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    (u64::from(now.subsec_nanos()) ^ u64::from(std::process::id()) << 12) % 100_000
}

/// Says what to try.
fn explain(error: BenchError) -> anyhow::Error {
    match error {
        BenchError::Capacity { size_bytes, refusal } => anyhow::anyhow!(
            "{} does not fit: a sample needs {}, and {} leaves {} for it. Choose a smaller --size",
            report::bytes(size_bytes as f64),
            report::bytes(refusal.needed as f64),
            refusal.limit,
            report::bytes(refusal.left as f64)
        ),
        other => other.into(),
    }
}
