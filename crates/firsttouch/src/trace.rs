//! `firsttouch trace`.

mod notice;
mod output;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use analysis::{FaultLines, HugePages, Paging, Story};
use anyhow::Context;
use collect::{Asked, Calls, Collection, Outcome, Progress, Target, Wish};
use events::Event;
use results::trace::{Ending, Summary};
use sys::interrupt::{Interrupt, Keyboard, die_by, forget_stop, hold_stop, is_stop_wanted, stop_now};
use sys::launch::Program;

use crate::options::{CallMode, Color, FaultMode, TraceOptions};
use crate::stream;
pub(crate) use notice::refusal;
use output::Outputs;

/// Our own failure, as against the program's.
const FAILED: u8 = 125;
/// A program that has not stopped so long after Ctrl-Z takes it for something else.
const STOPPING: Duration = Duration::from_secs(1);
/// How long to wait for events before looking for signals.
const PATIENCE: Duration = Duration::from_millis(100);

pub(crate) fn run(options: &TraceOptions, color: Color) -> anyhow::Result<ExitCode> {
    let failed = |error: anyhow::Error, status: u8| {
        stream::complain(&format!("{error:#}"));
        Ok(ExitCode::from(status))
    };
    let target = match target(options) {
        Ok(target) => target,
        Err(unfit) => return failed(unfit.clone().into(), unfit.status()),
    };
    let faults = options.faults != FaultMode::Off;
    let calls = match options.syscalls {
        CallMode::Auto => Calls::Best,
        CallMode::Tracepoints => Calls::Tracepoints,
        CallMode::Ptrace => Calls::Stops,
        CallMode::Off => Calls::Off,
    };
    if !faults && calls == Calls::Off {
        return Err(crate::options::Usage("--faults off and --syscalls off leave nothing to trace".into()).into());
    }
    if let (Some(output), Some(json)) = (&options.output, &options.json)
        && stream::is_same_file(output, json)
    {
        return Err(crate::options::Usage("-o and --json name the same file: give each its own".into()).into());
    }
    // Standard output is for one of the two.
    let wish = Wish { faults, calls, output_to_errors: options.json.as_deref() == Some(Path::new("-")) };
    // Everything that can go wrong with files goes wrong before the program runs.
    let mut outputs = match Outputs::open(options, color) {
        Ok(outputs) => outputs,
        Err(error) if error.is::<crate::options::Usage>() => return Err(error),
        Err(error) => return failed(error, FAILED),
    };
    let interrupt = Interrupt::install().context("cannot take over signals")?;
    let collection = match Collection::start(&target, wish) {
        Ok(collection) => collection,
        Err(error) => {
            let who = options.command.first().map(|name| format!("{}: ", name.display())).unwrap_or_default();
            return failed(anyhow::anyhow!("{who}{}", notice::refusal(error)), notice::status(error));
        }
    };
    interrupt.bear_repeats();
    let keyboard = options.pid.is_none().then(Keyboard::leave_to_program);
    if collection.is_program_held() {
        hold_stop();
    }
    let note = |sentence: &str| {
        if !options.quiet {
            note(sentence);
        }
    };
    for &notice in collection.notices() {
        note(&notice::sentence(notice, options.pid.is_some()));
    }
    let watched = watch(collection, &mut outputs, interrupt, keyboard, &note);
    if watched.foreign > 0 {
        note(&notice::foreign(watched.foreign));
    }
    if watched.narrow_calls > 0 {
        note(&notice::narrow_calls(watched.narrow_calls));
    }
    if let Some(error) = outputs.take_error() {
        return failed(error, FAILED);
    }
    match (watched.ending, interrupt.received()) {
        (Some(sys::process::Ending::Exited(status)), _) => {
            Ok(ExitCode::from(u8::try_from(status & 0xff).unwrap_or(FAILED)))
        }
        (Some(sys::process::Ending::Killed(signal)), _) | (None, Some(signal)) => die_by(signal),
        (None, None) => Ok(ExitCode::SUCCESS),
    }
}

fn note(sentence: &str) {
    stream::say(report::wrapped("note: ", sentence, stream::width_of_errors()).trim_end());
}

fn target(options: &TraceOptions) -> Result<Target, sys::launch::Unfit> {
    match options.pid {
        Some(pid) => Ok(Target::Process(pid)),
        None => Program::find(&options.command).map(Target::Program),
    }
}

/// Tells what comes until the program ends, or until this is asked to end.
fn watch(
    mut collection: Collection,
    outputs: &mut Outputs,
    interrupt: Interrupt,
    mut keyboard: Option<Keyboard>,
    note: &dyn Fn(&str),
) -> Outcome {
    let mut story = Story::new(collection.began_ns(), paging(), outputs.wants_arguments());
    let pid = collection.pid();
    let (mut events, mut warned, mut stop_wanted) = (Vec::new(), false, None);
    loop {
        let progress = collection.next(PATIENCE, &mut events);
        tell(&mut events, &mut story, &collection, outputs);
        if progress == Progress::Over {
            break;
        }
        if keyboard.is_some() && collection.program_has_ended() {
            // What it left behind may run for ever.
            keyboard.take().into_iter().for_each(Keyboard::take_back);
        }
        if let Some(signal) = interrupt.take()
            && collection.ask_to_end(signal) == Asked::Descendants
        {
            note(&notice::passed_on(signal, &mut warned));
        }
        if outputs.are_closed() || collection.is_stopping() {
            // Nobody reads any more, or wants to: what still runs goes on without us.
            collection.stop();
        }
        if !is_stop_wanted() {
            stop_wanted = None;
        } else if collection.is_program_standing() || collection.program_has_ended() {
            stop_now();
        } else if stop_wanted.get_or_insert_with(Instant::now).elapsed() > STOPPING {
            forget_stop();
        }
    }
    let names = collection.names().clone();
    let outcome = collection.finish(&mut events);
    for event in events.drain(..) {
        story.take(&event, &names, &mut |line| outputs.take(line));
    }
    story.pause(&mut |line| outputs.take(line));
    outputs.finish(&summary(&story, pid, &outcome), interrupt.received().is_some());
    outcome
}

fn tell(events: &mut Vec<Event>, story: &mut Story, collection: &Collection, outputs: &mut Outputs) {
    if events.is_empty() {
        outputs.wait(sys::clock::monotonic_ns().saturating_sub(collection.began_ns()));
    }
    let names = collection.names();
    for event in events.drain(..) {
        story.take(&event, &names, &mut |line| outputs.take(line));
    }
    drop(names);
    story.pause(&mut |line| outputs.take(line));
    outputs.flush();
}

fn summary(story: &Story, pid: u32, outcome: &Outcome) -> Summary {
    let number = |number: i32| u8::try_from(number).unwrap_or(u8::MAX);
    Summary {
        pid,
        ending: outcome.ending.map(|ending| match ending {
            sys::process::Ending::Exited(status) => Ending::Exited(number(status & 0xff)),
            sys::process::Ending::Killed(signal) => Ending::Killed(number(signal)),
        }),
        lost: outcome.lost,
        foreign: outcome.foreign,
        late: outcome.late,
        faults_seen: outcome.faults_seen,
        faults_counted: outcome.faults_counted,
        rusage_minor_faults: outcome.rusage.map(|usage| usage.minor_faults),
        rusage_major_faults: outcome.rusage.map(|usage| usage.major_faults),
        recording_ns: outcome.recording_ns,
        ..story.summary()
    }
}

fn paging() -> Paging {
    let huge_pages = match sys::machine::thp().as_deref() {
        Some("always") => HugePages::Always,
        Some("never") | None => HugePages::Never,
        Some(_) => HugePages::Advised,
    };
    Paging { page_bytes: sys::limits::page_bytes(), huge_pages }
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
