//! `firsttouch compare ARMS -- COMMAND`.

mod options;

use std::process::ExitCode;

use ::compare::CompareError;
use ::compare::metric::ProgramMetric;
use ::compare::request::{ArmRequest, CompareRequest, Load, Way};
use anyhow::Context;
use lab::question::preload::Allocator;
use report::Document;
use results::Stopped;
use results::compare::{GateOutcome, ProgramResult};
use sys::interrupt::Interrupt;
use sys::launch::Addresses;

pub(crate) use self::options::CompareOptions;
use self::options::{Aslr, Thp};
use crate::bench::new_seed;
use crate::exports::Exports;
use crate::interrupted;
use crate::options::{ScreenOptions, Usage};
use crate::progress::Watcher;

/// The name of the arm that is the program as it is.
const UNCHANGED: &str = "unchanged";
/// A limit that the user set is exceeded.
const GATE: u8 = 3;

pub(crate) fn run(options: &CompareOptions, screen: ScreenOptions) -> anyhow::Result<ExitCode> {
    let request = request(options)?;
    // Before anything is measured: minutes of work must not end in "no such directory".
    let exports = Exports::open(&options.exports, options.json.as_deref())?;
    let interrupt = Interrupt::install().context("cannot watch for signals")?;
    // A second request must not keep this process from ending what it has started.
    interrupt.record_repeats();
    interrupt.accept_quit();
    sys::interrupt::count_continues();
    if !request.way.cpus.is_empty() {
        sys::process::allow_cpus(&request.way.cpus).map_err(|errno| {
            Usage(format!("--cpu: this process may not use those processors ({errno})"))
        })?;
    }
    let mut watcher = Watcher::new(options.quiet, request.max_time);
    let outcome = ::compare::compare(&request, interrupt, |event| watcher.see(&event));
    watcher.finish();
    let result = interrupted::unless(interrupt, outcome).map_err(explain)?;
    let text = || report::compare_screen(&result, screen.view());
    exports.deliver(Document::Program(&result), text, screen.color)?;
    if let Some(signal) = interrupt.received() {
        sys::interrupt::die_by(signal);
    }
    Ok(status(&result))
}

/// Failure if an arm has no row, or if nothing could be compared.
fn status(result: &ProgramResult) -> ExitCode {
    if result.gates.iter().any(|gate| gate.outcome == GateOutcome::Failed) {
        return ExitCode::from(GATE);
    }
    if !result.refused.is_empty() || result.stopped == Some(Stopped::BaselineFailed) {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn explain(error: CompareError) -> anyhow::Error {
    match error {
        CompareError::Unfit(wish) => Usage(wish).into(),
        other => other.into(),
    }
}

fn request(options: &CompareOptions) -> Result<CompareRequest, Usage> {
    if options.tune && options.command.is_empty() {
        return Err(Usage("--tune has no command: write it at the end, after --".to_owned()));
    }
    let arms = arms(options)?;
    let without = arms.iter().find(|arm| arm.command.is_none());
    if let Some(arm) = without.filter(|_| options.command.is_empty()) {
        return Err(Usage(format!(
            "{} has no command: write it at the end, after --, or in the arm itself",
            arm.name
        )));
    }
    let mut metrics =
        options.metric.iter().map(|name| metric(name)).collect::<Result<Vec<_>, _>>()?;
    let gates = [
        (ProgramMetric::Wall, options.fail_if_slower),
        (ProgramMetric::MaxRss, options.fail_if_fatter),
    ];
    let gates: Vec<(ProgramMetric, f64)> =
        gates.into_iter().filter_map(|(metric, limit)| Some((metric, limit?))).collect();
    metrics.extend(gates.iter().map(|(metric, _)| *metric));
    let mut seen: Vec<ProgramMetric> = Vec::new();
    metrics.retain(|metric| {
        let is_new = !seen.contains(metric);
        seen.push(*metric);
        is_new
    });
    Ok(CompareRequest {
        command: options.command.clone(),
        arms,
        metrics,
        margin: options.margin,
        way: way(options),
        max_time: options.max_time,
        blocks: options.blocks,
        seed: options.seed.unwrap_or_else(new_seed),
        gates,
        observe: true,
        tune: options.tune,
    })
}

fn way(options: &CompareOptions) -> Way {
    Way {
        prepare: options.prepare.clone(),
        cleanup: options.cleanup.clone(),
        stdin: options.stdin.clone(),
        shell: options.shell,
        ignore_failure: options.ignore_failure,
        same_output: options.same_output,
        timeout: options.timeout,
        addresses: match options.aslr {
            None => Addresses::Inherited,
            Some(Aslr::On) => Addresses::Random,
            Some(Aslr::Off) => Addresses::Fixed,
        },
        cpus: options.cpu.clone(),
        nice: options.nice,
        settle: options.settle,
        figure: options.figure.clone(),
        load: options.load.clone().map(|command| Load { command, ready: options.ready.clone() }),
    }
}

/// The arms, the baseline first: allocators, described arms, settings, page policies. Where the
/// first two make only one arm or none, and for a race, the program as it is comes first.
fn arms(options: &CompareOptions) -> Result<Vec<ArmRequest>, Usage> {
    let allocator = |name: &String| {
        if name == UNCHANGED {
            return Ok(ArmRequest { name: name.clone(), ..ArmRequest::default() });
        }
        let allocator = Allocator::named(name)?;
        Ok(ArmRequest { name: name.clone(), allocator: Some(allocator), ..ArmRequest::default() })
    };
    let mut arms: Vec<ArmRequest> =
        options.allocators.iter().map(allocator).collect::<Result<_, _>>().map_err(Usage)?;
    let described = options.arms.iter().map(|text| ArmRequest::parse(text));
    arms.extend(
        described
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| Usage(format!("--arm {error}")))?,
    );
    let wants_baseline = options.tune || arms.len() < 2;
    for tunables in &options.tunables {
        let tunables: Vec<String> = tunables.split(',').map(str::to_owned).collect();
        let name = tunables.iter().map(|tunable| short(tunable)).collect::<Vec<_>>().join(",");
        arms.push(ArmRequest { name, tunables, ..ArmRequest::default() });
    }
    match options.thp {
        Some(Thp::Never) => arms.push(ArmRequest {
            name: "thp=never".to_owned(),
            huge_pages_off: true,
            ..ArmRequest::default()
        }),
        Some(Thp::Always) => arms.push(always()?),
        None => {}
    }
    if arms.is_empty() && !options.tune {
        return Err(Usage(
            "there is nothing to compare: give --allocator system,jemalloc or --arm, --tunable, \
             --thp, or --tune to try a list (firsttouch compare --help has examples)"
                .to_owned(),
        ));
    }
    if wants_baseline {
        let name = UNCHANGED.to_owned();
        let command = arms.first().and_then(|arm| arm.command.clone());
        let command = if options.command.is_empty() { command } else { None };
        arms.insert(0, ArmRequest { name, command, ..ArmRequest::default() });
    }
    Ok(arms)
}

/// Without the prefix that most settings share.
fn short(tunable: &str) -> &str {
    tunable.strip_prefix("glibc.malloc.").unwrap_or(tunable)
}

/// No process can turn huge pages on for itself where the machine has not.
fn always() -> Result<ArmRequest, Usage> {
    match sys::machine::thp().as_deref() {
        Some("always") => Ok(ArmRequest { name: "thp=always".to_owned(), ..ArmRequest::default() }),
        found => Err(Usage(format!(
            "--thp always: transparent huge pages are {:?} on this machine, and a process cannot \
             turn them on for itself; --tunable glibc.malloc.hugetlb=1 makes malloc ask for them",
            found.unwrap_or("unknown")
        ))),
    }
}

fn metric(name: &str) -> Result<ProgramMetric, Usage> {
    let names = || ProgramMetric::ALL.iter().map(|metric| metric.option());
    ProgramMetric::ALL.into_iter().find(|metric| metric.option() == name).ok_or_else(|| {
        let hint = lab::question::arm::nearest(name, names())
            .map_or(".".to_owned(), |near| format!("; did you mean {near}?"));
        let known = names().collect::<Vec<_>>().join(", ");
        Usage(format!("unknown metric {name:?}{hint} Known: {known}"))
    })
}
