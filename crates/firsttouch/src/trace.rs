//! `firsttouch trace`.

mod notice;
mod output;
mod text_output;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use analysis::trace::{FaultLines, LineBuilder};
use anyhow::Context;
use collect::{Asked, CallSource, Collection, Options, Outcome, StreamState, Target};
use events::{Batch, Definitions, Ending};
use results::trace::TraceSummary;
use sys::interrupt::{
    Interrupt, accept_interrupts, defer_stop, die_by, drop_pending_stop, is_stop_wanted, stop_now,
};
use sys::launch::{Program, Setup};
use sys::relay::{Relay, Requests, Sent};

use crate::options::{CallMode, FaultMode, ScreenOptions, TraceOptions, Usage};
use crate::stream;
pub(crate) use notice::refusal;
use output::Outputs;

/// The exit status of a failure that is not the program's.
const FAILED: u8 = 125;
/// A program that still runs so long after Ctrl-Z does not stop for it.
const STOPPING: Duration = Duration::from_secs(1);
/// The longest wait for events before signals are looked for.
const PATIENCE: Duration = Duration::from_millis(100);

pub(crate) fn run(options: &TraceOptions, screen: ScreenOptions) -> anyhow::Result<ExitCode> {
    if options.command.is_empty() && options.pid.is_none() {
        let missing = "name a program (trace -- COMMAND) or a process that runs (trace -p PID)";
        return Err(Usage(missing.into()).into());
    }
    if options.command.first().is_some_and(|name| name.is_empty()) {
        return Err(Usage("the name of the program is empty: trace -- ./app".into()).into());
    }
    let target = match target(options) {
        Ok(target) => target,
        Err(unfit) => return failed(&unfit.clone().into(), unfit.status()),
    };
    let wanted = wanted(options)?;
    // Files are opened before the program runs, so that it does not run in vain.
    let mut outputs = match Outputs::open(options, screen) {
        Ok(outputs) => outputs,
        Err(error) if error.is::<Usage>() => return Err(error),
        Err(error) => return failed(&error, FAILED),
    };
    let (interrupt, mut relay) =
        take_over_signals(options.pid.is_none()).context("cannot take over signals")?;
    let collection = match Collection::start(&target, wanted) {
        Ok(collection) => collection,
        Err(error) => {
            let command = options.command.first();
            let command = command.map(|name| format!("{}: ", name.display())).unwrap_or_default();
            let refusal = anyhow::anyhow!("{command}{}", notice::refusal(error));
            return failed(&refusal, notice::status(error));
        }
    };
    outputs.begin();
    match &mut relay {
        Some(relay) => relay.take_requests(Requests::ExceptKeys),
        None => interrupt.record_repeats(),
    }
    if collection.is_program_held() {
        defer_stop();
    }
    let note = |sentence: &str| {
        if !options.quiet {
            note(sentence);
        }
    };
    for &notice in collection.notices() {
        note(&notice::sentence(notice, options.pid.is_some()));
    }
    let until = options.time.map(|time| Instant::now() + time);
    let watched = watch(collection, &mut outputs, interrupt, relay, until, &note);
    if watched.misattributed > 0 {
        note(&notice::misattributed(watched.misattributed));
    }
    if watched.compat32_calls > 0 {
        note(&notice::compat32_calls(watched.compat32_calls));
    }
    if watched.refused_tracing > 0 {
        note(&notice::refused_tracing(watched.refused_tracing));
    }
    if let Some(error) = outputs.take_error() {
        return failed(&error, FAILED);
    }
    match (watched.ending, interrupt.received()) {
        (Some(sys::process::WaitStatus::Exited(status)), _) => {
            Ok(ExitCode::from(u8::try_from(status & 0xff).unwrap_or(FAILED)))
        }
        (Some(sys::process::WaitStatus::Killed(signal)), _) | (None, Some(signal)) => {
            die_by(signal)
        }
        (None, None) => Ok(ExitCode::SUCCESS),
    }
}

/// Takes over signals, and those that are meant for a program before it runs.
fn take_over_signals(of_program: bool) -> Result<(Interrupt, Option<Relay>), sys::Errno> {
    if !of_program {
        accept_interrupts();
    }
    let interrupt = Interrupt::install()?;
    let mut relay = of_program.then(Relay::new).transpose()?;
    if let Some(relay) = &mut relay {
        relay.take_requests(Requests::Starting);
    }
    Ok((interrupt, relay))
}

/// Our own failure, with a status that is not the program's.
#[expect(clippy::unnecessary_wraps, reason = "the outcome of a verb")]
fn failed(error: &anyhow::Error, status: u8) -> anyhow::Result<ExitCode> {
    stream::complain(&format!("{error:#}"));
    Ok(ExitCode::from(status))
}

/// What is traced, and by which way; an error where the options contradict each other.
fn wanted(options: &TraceOptions) -> Result<Options, Usage> {
    let faults = options.faults != FaultMode::Off;
    let calls = match options.syscalls {
        CallMode::Auto => CallSource::Best,
        CallMode::Tracepoints => CallSource::Tracepoints,
        CallMode::Ptrace => CallSource::Ptrace,
        CallMode::Off => CallSource::Off,
    };
    if !faults && calls == CallSource::Off {
        return Err(Usage("--faults off and --syscalls off leave nothing to trace".into()));
    }
    if options.time.is_some() && options.pid.is_none() {
        return Err(Usage("--for needs -p PID: a program is traced to its end".into()));
    }
    if let (Some(output), Some(json)) = (&options.output, &options.json)
        && stream::is_same_file(output, json)
    {
        return Err(Usage("-o and --json name the same file: give each its own".into()));
    }
    // Standard output is for the JSON or for the program, not for both.
    let output_to_errors = options.json.as_deref() == Some(Path::new("-"));
    let setup = Setup { output_to_errors, ..Setup::default() };
    Ok(Options { faults, calls, setup, ..Options::default() })
}

fn note(sentence: &str) {
    let sentence = report::clean(sentence);
    stream::say(report::wrapped("note: ", &sentence, stream::width_of_errors()).trim_end());
}

fn target(options: &TraceOptions) -> Result<Target, sys::launch::Unfit> {
    match options.pid {
        Some(pid) => Ok(Target::Process(pid)),
        None => Program::find(&options.command).map(Target::Program),
    }
}

/// Writes the events until the program ends, or a signal or the time `until` ends the trace.
fn watch(
    mut collection: Collection,
    outputs: &mut Outputs,
    interrupt: Interrupt,
    mut relay: Option<Relay>,
    until: Option<Instant>,
    note: &dyn Fn(&str),
) -> Outcome {
    let mut lines = Lines::new(&collection, outputs);
    let pid = collection.pid();
    let (mut batch, mut warned, mut stop_wanted) = (Batch::default(), false, None);
    loop {
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        let due_in = relay.as_ref().and_then(Relay::due_in);
        let wait = [left, due_in].into_iter().flatten().fold(PATIENCE, Duration::min);
        let progress = collection.next(wait, &mut batch);
        lines.write(&mut batch);
        if progress == StreamState::Over {
            break;
        }
        let due = relay.as_mut().map(|relay| relay.due(pid)).unwrap_or_default();
        for sent in due.into_iter().chain(interrupt.take().map(Sent::new)) {
            if !sent.asks_to_end() {
                collection.pass_on(sent);
            } else if collection.ask_to_end(sent) == Asked::Descendants {
                note(&notice::passed_on(sent.signal(), &mut warned));
            }
        }
        if let Some(relay) = &mut relay
            && collection.program_has_ended()
        {
            // Its descendants may run for ever: Ctrl-C is for the trace again.
            relay.give_back_requests();
        }
        let time_is_up = left.is_some_and(|left| left.is_zero());
        if lines.outputs.are_closed() || collection.is_stopping() || time_is_up {
            // No output is open, a signal has come, or the time is up: the processes go on without
            // us.
            collection.stop();
        }
        if !is_stop_wanted() {
            stop_wanted = None;
        } else if collection.is_program_stopped() || collection.program_has_ended() {
            stop_now();
        } else if stop_wanted.get_or_insert_with(Instant::now).elapsed() > STOPPING {
            drop_pending_stop();
        }
    }
    let outcome = collection.finish(&mut batch);
    lines.write(&mut batch);
    let summary = summary(&lines.builder, pid, &outcome);
    lines.outputs.finish(&summary, interrupt.received().is_some());
    outcome
}

/// From the stream to the outputs.
struct Lines<'a> {
    definitions: Definitions,
    builder: LineBuilder,
    began_ns: u64,
    outputs: &'a mut Outputs,
}

impl<'a> Lines<'a> {
    fn new(collection: &Collection, outputs: &'a mut Outputs) -> Self {
        let header = collection.header();
        let builder = LineBuilder::new(header, outputs.wants_arguments());
        Lines { definitions: Definitions::default(), builder, began_ns: header.began_ns, outputs }
    }

    /// Writes everything that is ready. A slow reader holds up only this thread, and no process
    /// that is traced.
    fn write(&mut self, batch: &mut Batch) {
        let Lines { definitions, builder, outputs, .. } = self;
        if batch.events.is_empty() {
            outputs.wait(sys::clock::monotonic_ns().saturating_sub(self.began_ns));
        }
        builder.read(batch, definitions, &mut |line| outputs.take(line));
        outputs.flush();
    }
}

fn summary(lines: &LineBuilder, pid: u32, outcome: &Outcome) -> TraceSummary {
    let number = |number: i32| u8::try_from(number).unwrap_or(u8::MAX);
    TraceSummary {
        pid,
        ending: outcome.ending.map(|ending| match ending {
            sys::process::WaitStatus::Exited(status) => Ending::Exited(number(status & 0xff)),
            sys::process::WaitStatus::Killed(signal) => Ending::Killed(number(signal)),
        }),
        lost: outcome.lost,
        foreign: outcome.misattributed,
        late: outcome.late,
        faults_seen: outcome.faults_seen,
        faults_counted: outcome.faults_counted,
        rusage_minor_faults: outcome.rusage.map(|usage| usage.minor_faults),
        rusage_major_faults: outcome.rusage.map(|usage| usage.major_faults),
        own_faults: outcome.own_faults,
        before_exec_faults: outcome.before_exec_faults,
        recording_ns: outcome.recording_ns,
        recording_call_ns: outcome.recording_call_ns,
        ..lines.summary(outcome.until_ns)
    }
}

impl From<FaultMode> for FaultLines {
    fn from(mode: FaultMode) -> Self {
        match mode {
            FaultMode::Off => FaultLines::Off,
            FaultMode::Summary => FaultLines::Summary,
            FaultMode::All => FaultLines::All,
        }
    }
}
