//! `firsttouch record`: everything that a program does with memory, in a file.

mod absences;
mod bounded;
mod calls;
mod disk;
mod ending;
mod file;
mod loading;
mod mapping_rules;
mod observed_chunks;
pub(crate) mod options;
mod output;
pub(crate) mod own_cost;
mod pausing;
mod programs;
mod requests;

use std::ffi::OsString;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use anyhow::Context;
use collect::Options;
use collect::shim::{Shims, Stacks};
use events::{Header, StackSampling};
use recording::{About, RecordingSwitch, Redaction, Writer, encode_counts, encode_switch};
use sys::switch::SignalSwitch;

use crate::observed::{self, FAILED, Observed, OnRequest, failed};
use crate::options::{ScreenOptions, Usage};
use crate::sink;
use absences::WaitingAbsences;
use calls::CallsThread;
use file::FileThread;
use loading::{Loaded, with_shims};
use observed_chunks::ObservedChunks;
use options::RecordOptions;
use output::Output;
use pausing::{Pauses, SwitchThread, Switched};
use programs::Programs;

pub(crate) fn run(options: &RecordOptions, _screen: ScreenOptions) -> anyhow::Result<ExitCode> {
    check(options)?;
    // At once: a script may send a signal as soon as it has started this.
    let switch = match SignalSwitch::install().context("cannot take over signals") {
        Ok(switch) => switch,
        Err(error) => return Ok(failed(&error, FAILED)),
    };
    let target = match observed::target(&options.command, options.pid) {
        Ok(target) => target,
        Err(unfit) => return Ok(failed(&unfit.clone().into(), unfit.status())),
    };
    // The file is opened before the program runs, so that it does not run in vain.
    let output = match Output::open(&options.output) {
        Ok(output) => output,
        Err(error) => return Ok(failed(&error, FAILED)),
    };
    let forecast = disk::forecast(&options.output, std::io::stderr().is_terminal());
    if let Some(sentence) = forecast.filter(|_| !options.quiet) {
        observed::note(&sentence);
    }
    let (target, loaded) = match with_shims(target, options) {
        Ok(both) => both,
        Err(error) => {
            output.forget();
            return Ok(failed(&error, FAILED));
        }
    };
    let wanted = Options {
        calls: options.syscalls.into(),
        texts: !options.redact,
        absences: true,
        ..Options::default()
    };
    let observed = match Observed::start(&target, wanted, &options.command) {
        Ok(observed) => observed,
        Err(refused) => {
            output.forget();
            return Ok(refused);
        }
    };
    Ok(record(observed, output, (loaded, switch), options))
}

/// Refuses what cannot be meant.
fn check(options: &RecordOptions) -> Result<(), Usage> {
    if options.command.first().is_some_and(|name| name.is_empty()) {
        let usage = "the name of the program is empty: record -o app.ft -- ./app";
        return Err(Usage(usage.to_owned()));
    }
    if options.max_size.is_some() && matches!(options.stacks, Stacks::Sampled(_)) {
        let usage = "--stacks sampled and --max-size both leave out by chance, by rules that do \
                     not combine: use one of them";
        return Err(Usage(usage.to_owned()));
    }
    if options.output.as_os_str() == "-" {
        let usage = "a recording cannot be a pipe: name a file, such as -o app.ft";
        return Err(Usage(usage.to_owned()));
    }
    Ok(())
}

/// Records what has been started, to its end.
fn record(
    mut observed: Observed,
    output: Output,
    (loaded, switch): (Option<Loaded>, SignalSwitch),
    options: &RecordOptions,
) -> ExitCode {
    observed.begin();
    let cost = loaded.as_ref().and_then(|loaded| loaded.cost);
    let shims = loaded.map(|loaded| loaded.shims);
    let mut notices = observed.notices();
    notices.extend(shims.is_none().then(|| ONLY_FROM_THE_START.to_owned()));
    let note = |sentence: &str| {
        if !options.quiet {
            observed::note(sentence);
        }
    };
    for sentence in &notices {
        note(sentence);
    }
    if options.start_paused {
        note(&observed::notice::paused());
    }
    let has_shims = shims.is_some();
    let mut header = *observed.header();
    header.sees.allocations = has_shims;
    let began_ns = header.began_ns;
    let command = match options.pid {
        Some(pid) => words(&sys::proc::task::command_line(pid)),
        None => words(&options.command),
    };
    let sampling = match options.stacks {
        Stacks::Sampled(sampling) if has_shims => Some(sampling),
        _ => None,
    };
    let redaction = options.redact.then(|| Redaction::new(&command));
    let about = About {
        mapping_rules: mapping_rules::of(options.pid),
        clock_floor: cost.map(|cost| cost.floor).unwrap_or_default(),
        ..about(command, notices, sampling)
    };
    let about = redaction.iter().fold(about, |about, redaction| redaction.about(about));
    let threads = Threads::start(output, (&header, &about), (shims, switch), options);
    let threads = match threads.with_context(|| sink::unwritable(&options.output)) {
        Ok(threads) => threads,
        Err(error) => return failed(&error, FAILED),
    };
    let mut chunks = threads.observed_chunks(redaction);
    let until = options.time.map(|time| Instant::now() + time);
    let mut ended = observed.watch(&mut chunks, until, OnRequest::Leave, &note);
    let Threads { file, calls, switch, pauses } = threads;
    switch.finish();
    let heard = calls.map(CallsThread::finish).unwrap_or_default();
    let ObservedChunks { sender, programs, faults, .. } = chunks.finished();
    if has_shims {
        let silent = programs.silent_count(&heard.greeted);
        sender.send_for_the_end(encode_counts(ending::probe_counts(heard.counts, silent)));
    }
    drop(sender);
    ended.drop_faults(faults);
    for sentence in ended.notices() {
        note(&sentence);
    }
    let summary = ending::summary(&ended, heard.counts, cost.map(|cost| cost.ns));
    let written = file.finish(summary);
    let never = pauses.is_whole().then(|| ending::NEVER_STARTED.to_owned());
    let silent = programs.silent(&heard.greeted).filter(|_| has_shims);
    let thinned = heard.thinned.map(|thinned| ending::thinned(thinned, began_ns));
    let sentences = never.into_iter().chain(silent).chain(ending::doubts(heard.counts));
    for sentence in sentences.chain(thinned) {
        note(&sentence);
    }
    ending::stay(ended, written, &options.output, &note)
}

/// The threads that record.
struct Threads {
    file: FileThread,
    calls: Option<CallsThread>,
    switch: SwitchThread,
    pauses: Arc<Pauses>,
}

impl Threads {
    fn start(
        output: Output,
        (header, about): (&Header, &About),
        (shims, switch): (Option<Shims>, SignalSwitch),
        options: &RecordOptions,
    ) -> std::io::Result<Threads> {
        let (start_paused, max_size) = (options.start_paused, options.max_size);
        let writer = Writer::new(output.begin()?, header, about)?;
        let file = FileThread::start(writer, max_size.unwrap_or(u64::MAX))?;
        let (chunks, pauses) = (file.sender(), Arc::<Pauses>::default());
        if start_paused {
            pauses.begin_paused(header.began_ns);
            let switched = RecordingSwitch { time_ns: header.began_ns, records: false };
            chunks.send(encode_switch(switched));
        }
        let calls =
            shims.map(|shims| CallsThread::start(shims, file.sender(), max_size, start_paused));
        let calls = calls.transpose()?;
        let switched = Switched {
            pauses: Arc::clone(&pauses),
            chunks,
            calls: calls.as_ref().map(CallsThread::requests),
        };
        let switch = SwitchThread::start(switch, switched)?;
        Ok(Threads { file, calls, switch, pauses })
    }

    fn observed_chunks(&self, redaction: Option<Redaction>) -> ObservedChunks {
        ObservedChunks {
            sender: self.file.sender(),
            programs: Programs::default(),
            redaction,
            calls: self.calls.as_ref().map(CallsThread::requests),
            pauses: Arc::clone(&self.pauses),
            faults: 0,
            absences: WaitingAbsences::default(),
        }
    }
}

const ONLY_FROM_THE_START: &str = "allocation calls are recorded only of programs that are started \
                                   for it (record -o FILE -- COMMAND): this recording has the \
                                   memory syscalls and page faults of the process";

/// The words of a command, as text.
fn words(command: &[OsString]) -> Vec<String> {
    command.iter().map(|word| word.to_string_lossy().into_owned()).collect()
}

fn about(
    command: Vec<String>,
    notices: Vec<String>,
    stack_sampling: Option<StackSampling>,
) -> About {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok();
    About {
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        started_ns: since_1970.and_then(|since| i64::try_from(since.as_nanos()).ok()),
        command: Some(command),
        directory: std::env::current_dir().ok().map(|path| path.to_string_lossy().into_owned()),
        host: sys::machine::host_name(),
        kernel: Some(sys::machine::kernel_release()),
        notices,
        is_redacted: false,
        stack_sampling,
        ..About::default()
    }
}
