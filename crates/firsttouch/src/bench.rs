//! `firsttouch bench [EXPERIMENT]`.

mod list;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use lab::question::arm::ArmSpec;
use lab::question::experiment::{Subject, built_in, by_name};
use lab::question::preload::Allocator;
use lab::{BenchError, BenchRequest, Experiment, MemoryState};
use report::Document;
use results::{LabResult, Stopped};
use sys::interrupt::Interrupt;

use crate::exports::Exports;
use crate::input;
use crate::interrupted;
use crate::options::{BenchOptions, MemoryChoice, ScreenOptions, Usage};
use crate::progress::Watcher;
use crate::stream;

pub(crate) fn run(options: &BenchOptions, screen: ScreenOptions) -> anyhow::Result<ExitCode> {
    if options.list {
        let named = options.experiment.as_deref().map(|name| experiment(Some(name))).transpose()?;
        let list = named.map_or_else(
            || list::all(screen.view()),
            |experiment| list::one(&experiment, screen.view()),
        );
        stream::print(&list, screen.color)?;
        return Ok(ExitCode::SUCCESS);
    }
    let request = request(options)?;
    check_files(&request, options)?;
    // Before anything is measured: a minute's work must not end in "no such directory".
    let exports = Exports::open(&options.exports, options.json.as_deref())?;
    let interrupt = Interrupt::install().context("cannot watch for signals")?;

    let mut watcher = Watcher::new(options.quiet, request.cap());
    let outcome = lab::bench(&request, interrupt, |event| watcher.see(&event));
    watcher.finish();
    let result = interrupted::unless(interrupt, outcome).map_err(explain)?;
    let text = || report::screen(&result, screen.view());
    exports.deliver(Document::Lab(&result), text, screen.color)?;
    if let Some(signal) = interrupt.received() {
        sys::interrupt::die_by(signal);
    }
    Ok(status(&result, options))
}

/// Refuses to write over the experiment itself, and to draw a run that has no ratios.
fn check_files(request: &BenchRequest, options: &BenchOptions) -> Result<(), Usage> {
    if let Some(file) = &request.experiment.file {
        options.exports.keep(Path::new(file), options.json.as_deref())?;
    }
    match request.experiment.subject {
        Subject::Floors => options.exports.refuse_drawing(&request.experiment.name),
        _ => Ok(()),
    }
}

/// Failure if an arm or allocator that the user named has no row, if an arm broke, or if nothing
/// could be compared.
fn status(result: &LabResult, options: &BenchOptions) -> ExitCode {
    let missing =
        options.arms.iter().any(|wanted| !result.arms.iter().any(|arm| arm.name == *wanted));
    let without =
        |name: &String| !result.arms.iter().any(|arm| arm.name.ends_with(&format!("@{name}")));
    let broke = missing
        || options.allocators.iter().any(without)
        || result.refused.iter().any(|refused| refused.failed);
    if broke || result.stopped == Some(Stopped::BaselineFailed) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn request(options: &BenchOptions) -> anyhow::Result<BenchRequest> {
    let experiment = experiment(options.experiment.as_deref())?;
    let arms =
        with_allocators(&experiment, arms(&experiment, &options.arms)?, &options.allocators)?;
    Ok(BenchRequest {
        experiment,
        sizes_bytes: options.size.as_ref().map(|sizes| sizes.0.clone()),
        threads: options.threads.as_ref().map(|threads| threads.0.clone()),
        passes: options.passes.as_ref().map(|passes| passes.0.clone()),
        arms,
        blocks: options.blocks,
        margin: options.margin,
        max_time: options.max_time,
        seed: options.seed.unwrap_or_else(new_seed),
        cpu: options.cpu,
        memory: match options.memory {
            MemoryChoice::Warm => MemoryState::Warm,
            MemoryChoice::Cold => MemoryState::Cold,
        },
        directory: options.dir.clone(),
    })
}

/// A built-in experiment, or the user's own: a name with a slash or the ending .toml is a path.
fn experiment(name: Option<&str>) -> anyhow::Result<Experiment> {
    let Some(name) = name else { return Ok(built_in().swap_remove(0)) };
    if !name.contains('/')
        && !Path::new(name).extension().is_some_and(|end| end.eq_ignore_ascii_case("toml"))
    {
        return Ok(by_name(name).map_err(Usage)?);
    }
    let bytes = input::experiment(Path::new(name)).context("cannot read the experiment")?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let sound = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = String::from_utf8_lossy(sound).matches('\n').count() + 1;
        Usage(format!("{name}:{line}: not UTF-8, so not TOML"))
    })?;
    let experiment = Experiment::parse(&text)
        .map_err(|mistake| Usage(format!("{name}:{}: {}", mistake.line, mistake.message.trim())))?;
    Ok(Experiment { file: Some(name.to_owned()), ..experiment })
}

/// The arms that the user named: first the experiment's own arms, then any source by its name.
fn arms(experiment: &Experiment, wanted: &[String]) -> Result<Vec<ArmSpec>, Usage> {
    let Subject::Arms { baseline, arms: own, .. } = &experiment.subject else {
        // The lab refuses arms in an experiment of another kind.
        return wanted.iter().map(|name| ArmSpec::named(name).map_err(Usage)).collect();
    };
    let mut arms: Vec<ArmSpec> = Vec::new();
    for name in wanted {
        let known = own.iter().chain([baseline]).find(|arm| arm.name == *name).cloned();
        let arm = known.map_or_else(|| ArmSpec::named(name).map_err(Usage), Ok)?;
        if arms.contains(&arm) {
            return Err(Usage(format!("--arm {name} is given twice")));
        }
        arms.push(arm);
    }
    if !arms.is_empty() && arms.iter().all(|arm| arm.name == baseline.name) {
        return Err(Usage(format!(
            "{} is the baseline: name at least one other arm to compare with it (bench {} --list \
             shows them)",
            baseline.name, experiment.name
        )));
    }
    Ok(arms)
}

/// The wanted arms (by default those of the experiment), and each heap arm again under each of
/// `allocators`. Arms of the experiment that name an allocator themselves are left out, unless they
/// are wanted by name.
fn with_allocators(
    experiment: &Experiment,
    wanted: Vec<ArmSpec>,
    allocators: &[String],
) -> Result<Vec<ArmSpec>, Usage> {
    if allocators.is_empty() {
        return Ok(wanted);
    }
    let Subject::Arms { baseline, arms: own, .. } = &experiment.subject else {
        return Err(Usage(format!(
            "{} has no arms to choose from: leave out --allocator",
            experiment.name
        )));
    };
    let plain = |arm: &ArmSpec| arm.environment.allocator.is_none();
    let mut arms = if wanted.is_empty() {
        own.iter().filter(|arm| plain(arm)).cloned().collect()
    } else {
        wanted
    };
    let heap = [std::slice::from_ref(baseline), &arms].concat();
    let of_the_heap =
        |arm: &&ArmSpec| plain(arm) && arm.source.is_some_and(lab::Source::is_of_the_heap);
    let heap: Vec<&ArmSpec> = heap.iter().filter(of_the_heap).collect();
    if heap.is_empty() {
        return Err(Usage(format!(
            "no arm of {} uses the process's allocator: leave out --allocator",
            experiment.name
        )));
    }
    for name in allocators {
        let allocator = Allocator::named(name).map_err(Usage)?;
        for &arm in &heap {
            let under = arm.clone().with_allocator(allocator.clone()).map_err(Usage)?;
            if arms.iter().any(|other| other.name == under.name) {
                return Err(Usage(format!(
                    "{} is in the run already: leave out --allocator {name}",
                    under.name
                )));
            }
            arms.push(ArmSpec { against: Some(arm.name.clone()), ..under });
        }
    }
    Ok(arms)
}

/// A new seed, small enough to be typed again.
pub(crate) fn new_seed() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    (u64::from(now.subsec_nanos()) ^ u64::from(std::process::id()) << 12) % 100_000
}

/// Turns an error of the lab into one that says what to try.
fn explain(error: BenchError) -> anyhow::Error {
    match error {
        BenchError::Capacity { size_bytes, refusal } => anyhow::anyhow!(
            "{} does not fit: a sample needs {}, and {} leaves {} for it. \
             Choose a smaller --size{}",
            report::bytes(size_bytes as f64),
            report::bytes(refusal.needed as f64),
            refusal.limit,
            report::bytes(refusal.left as f64),
            if refusal.limit.contains("ulimit") {
                ", or raise that limit (small blocks come in a batch of 32 MiB)"
            } else {
                ""
            }
        ),
        BenchError::Unfit(wish) => Usage(wish).into(),
        other => other.into(),
    }
}
