//! `firsttouch trace`.

mod output;
mod text_output;

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use analysis::trace::{FaultLines, LineBuilder};
use collect::{CallSource, Options, Outcome};
use events::{Batch, Definitions, Ending, Header};
use results::trace::TraceSummary;
use sys::launch::Setup;

use crate::observed::{self, Consumer, FAILED, Observed, OnRequest, failed};
use crate::options::{CallMode, FaultMode, ScreenOptions, TraceOptions, Usage};
use crate::stream;
use output::Outputs;

pub(crate) fn run(options: &TraceOptions, screen: ScreenOptions) -> anyhow::Result<ExitCode> {
    if options.command.is_empty() && options.pid.is_none() {
        let missing = "name a program (trace -- COMMAND) or a process that runs (trace -p PID)";
        return Err(Usage(missing.into()).into());
    }
    if options.command.first().is_some_and(|name| name.is_empty()) {
        return Err(Usage("the name of the program is empty: trace -- ./app".into()).into());
    }
    let target = match observed::target(&options.command, options.pid) {
        Ok(target) => target,
        Err(unfit) => return Ok(failed(&unfit.clone().into(), unfit.status())),
    };
    let wanted = wanted(options)?;
    // Files are opened before the program runs, so that it does not run in vain.
    let mut outputs = match Outputs::open(options, screen) {
        Ok(outputs) => outputs,
        Err(error) if error.is::<Usage>() => return Err(error),
        Err(error) => return Ok(failed(&error, FAILED)),
    };
    let mut observed = match Observed::start(&target, wanted, &options.command) {
        Ok(observed) => observed,
        Err(refused) => return Ok(refused),
    };
    outputs.begin();
    observed.begin();
    let note = |sentence: &str| {
        if !options.quiet {
            observed::note(sentence);
        }
    };
    for sentence in observed.notices() {
        note(&sentence);
    }
    let until = options.time.map(|time| Instant::now() + time);
    let pid = observed.pid();
    let mut lines = Lines::new(observed.header(), &mut outputs);
    let ended = observed.watch(&mut lines, until, OnRequest::PassOn, &note);
    let summary = summary(&lines.builder, pid, &ended.outcome);
    let start = lines.builder.program_start(&lines.definitions);
    lines.outputs.finish(&summary, start, ended.was_interrupted());
    for sentence in ended.notices() {
        note(&sentence);
    }
    if let Some(error) = outputs.take_error() {
        return Ok(failed(&error, FAILED));
    }
    Ok(ended.exit())
}

/// What is traced, and by which way; an error where the options contradict each other.
fn wanted(options: &TraceOptions) -> Result<Options, Usage> {
    let faults = options.faults != FaultMode::Off;
    let calls = options.syscalls.into();
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

/// From the stream to the outputs.
struct Lines<'a> {
    definitions: Definitions,
    builder: LineBuilder,
    began_ns: u64,
    outputs: &'a mut Outputs,
}

impl<'a> Lines<'a> {
    fn new(header: &Header, outputs: &'a mut Outputs) -> Self {
        let builder = LineBuilder::new(header, outputs.wants_arguments());
        Lines { definitions: Definitions::default(), builder, began_ns: header.began_ns, outputs }
    }
}

impl Consumer for Lines<'_> {
    /// Writes everything that is ready. A slow reader holds up only this thread, and no process
    /// that is traced.
    fn take(&mut self, batch: &mut Batch) {
        let Lines { definitions, builder, outputs, .. } = self;
        if batch.events.is_empty() {
            outputs.wait(sys::clock::monotonic_ns().saturating_sub(self.began_ns));
        }
        builder.read(batch, definitions, &mut |line| outputs.take(line));
        outputs.flush();
    }

    fn is_closed(&self) -> bool {
        self.outputs.are_closed()
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

impl From<CallMode> for CallSource {
    fn from(mode: CallMode) -> Self {
        match mode {
            CallMode::Auto => CallSource::Best,
            CallMode::Tracepoints => CallSource::Tracepoints,
            CallMode::Ptrace => CallSource::Ptrace,
            CallMode::Off => CallSource::Off,
        }
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
