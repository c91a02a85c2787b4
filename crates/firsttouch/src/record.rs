//! `firsttouch record`: everything that a program does with memory, in a file.

mod bounded;
mod calls;
mod file;
pub(crate) mod options;
mod programs;

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Instant, SystemTime};

use anyhow::{Context, anyhow};
use collect::shim::{Library, LibraryError, ShimCounts, ShimOptions, Shims};
use collect::{Options, Outcome, Target};
use events::Batch;
use recording::{About, RecordingSummary, Redaction, Writer, encode_batch};

use crate::observed::{self, Consumer, FAILED, Observed, failed};
use crate::options::{CallMode, ScreenOptions, Usage};
use crate::sink;
use bounded::ThinnedTo;
use calls::{CallsThread, Heard, Requests};
use file::{ChunkSender, FileThread};
use options::RecordOptions;
use programs::Programs;

pub(crate) fn run(options: &RecordOptions, _screen: ScreenOptions) -> anyhow::Result<ExitCode> {
    check(options)?;
    let target = match observed::target(&options.command, options.pid) {
        Ok(target) => target,
        Err(unfit) => return Ok(failed(&unfit.clone().into(), unfit.status())),
    };
    // The file is opened before the program runs, so that it does not run in vain.
    let output = match Output::open(&options.output) {
        Ok(output) => output,
        Err(error) => return Ok(failed(&error, FAILED)),
    };
    let (target, shims) = match with_shims(target, options) {
        Ok(both) => both,
        Err(error) => {
            output.forget();
            return Ok(failed(&error, FAILED));
        }
    };
    let wanted =
        Options { calls: options.syscalls.into(), texts: !options.redact, ..Options::default() };
    let observed = match Observed::start(&target, wanted, &options.command)? {
        Ok(observed) => observed,
        Err(refused) => {
            output.forget();
            return Ok(refused);
        }
    };
    record(observed, output, shims, options)
}

/// Refuses what cannot be meant.
fn check(options: &RecordOptions) -> Result<(), Usage> {
    if options.command.first().is_some_and(|name| name.is_empty()) {
        let usage = "the name of the program is empty: record -o app.ft -- ./app";
        return Err(Usage(usage.to_owned()));
    }
    let may_stop = options.syscalls != CallMode::Off && !sys::process::is_root();
    if options.time.is_some() && options.pid.is_none() && may_stop {
        let usage = "--for leaves the program running, which it cannot while this user's way to \
                     its syscalls is to stop it at each: add --syscalls off";
        return Err(Usage(usage.to_owned()));
    }
    Ok(())
}

/// Records what has been started, to its end.
fn record(
    mut observed: Observed,
    output: Output,
    shims: Option<Shims>,
    options: &RecordOptions,
) -> anyhow::Result<ExitCode> {
    observed.begin();
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
    let has_shims = shims.is_some();
    let mut header = *observed.header();
    header.sees.allocations = has_shims;
    let began_ns = header.began_ns;
    let about = about(&options.command, notices);
    let redaction = options.redact.then(|| Redaction::new(&words(&options.command)));
    let about = redaction.iter().fold(about, |about, redaction| redaction.about(about));
    let threads = output.begin().and_then(|file| {
        let size_bytes_max = options.max_size.unwrap_or(u64::MAX);
        let file = FileThread::start(Writer::new(file, &header, &about)?, size_bytes_max)?;
        let calls = shims.map(|shims| CallsThread::start(shims, file.sender(), options.max_size));
        let calls = calls.transpose()?;
        Ok((file, calls))
    });
    let (file, calls) = threads.with_context(|| sink::unwritable(&options.output))?;
    let mut chunks = ObservedChunks {
        sender: file.sender(),
        programs: Programs::default(),
        redaction,
        calls: calls.as_ref().map(CallsThread::requests),
    };
    let until = options.time.map(|time| Instant::now() + time);
    let ended = observed.watch(&mut chunks, until, &note);
    let heard = calls.map(CallsThread::finish).unwrap_or_default();
    let ObservedChunks { sender, programs, .. } = chunks;
    drop(sender);
    for sentence in ended.notices() {
        note(&sentence);
    }
    let finished = file.finish(summary(&ended.outcome, heard.counts));
    for sentence in limited(&finished, &heard, &ended.outcome, began_ns) {
        note(&sentence);
    }
    if let Err(error) = finished {
        let error = anyhow!(error).context(format!(
            "cannot write {}: the recording ends there, and can be read up to it",
            options.output.display()
        ));
        return Ok(failed(&error, FAILED));
    }
    if has_shims {
        for sentence in programs.silent(&heard.greeted).into_iter().chain(doubts(heard.counts)) {
            note(&sentence);
        }
    }
    Ok(ended.exit())
}

const ONLY_FROM_THE_START: &str = "allocation calls are recorded only of programs that are started \
                                   for it (record -o FILE -- COMMAND): this recording has the \
                                   memory syscalls and page faults of the process";

/// The file of the recording, before there is a recording.
struct Output {
    file: File,
    path: PathBuf,
    is_new: bool,
}

impl Output {
    /// Opens the file, which keeps its contents.
    fn open(path: &Path) -> anyhow::Result<Output> {
        let is_new = std::fs::symlink_metadata(path).is_err();
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path);
        let file = file.with_context(|| sink::unwritable(path))?;
        Ok(Output { file, path: path.to_owned(), is_new })
    }

    /// The recording begins: older contents are gone.
    fn begin(self) -> io::Result<File> {
        if self.file.metadata()?.is_file() {
            self.file.set_len(0)?;
        }
        Ok(self.file)
    }

    /// There will be no recording.
    fn forget(self) {
        if self.is_new {
            // It was made a moment ago, and is empty.
            let _ = std::fs::remove_file(self.path);
        }
    }
}

/// The program with the library that it loads, and the door at which its processes ask; a process
/// that runs already stays as it is.
fn with_shims(target: Target, options: &RecordOptions) -> anyhow::Result<(Target, Option<Shims>)> {
    let Target::Program(program) = target else { return Ok((target, None)) };
    let library = Library::in_one_of(&cache_folders()).map_err(|error| match error {
        LibraryError::Processor => {
            anyhow!("allocation calls can be recorded on x86-64 processors only")
        }
        LibraryError::Unwritable(folder, error) => anyhow!(
            "cannot write the library that programs load to {}: {error}; set XDG_CACHE_HOME to a \
             folder of yours",
            folder.display()
        ),
    })?;
    let ShimOptions { buffer_bytes, .. } = ShimOptions::default();
    // What waits there is written before a call can be left out.
    let buffer_bytes = options.max_size.map_or(buffer_bytes, |size| buffer_bytes.min(size / 2));
    let stacks = options.stacks.into();
    let wanted = ShimOptions { stacks, buffer_bytes, ..ShimOptions::default() };
    let shims = Shims::wait_for_programs(wanted);
    let shims = shims.map_err(|errno| anyhow!("cannot open a socket for programs: {errno}"))?;
    let variables = shims.variables(library.path());
    Ok((Target::Program(program.with_variables(variables)), Some(shims)))
}

/// The folders in which a cache may be, the best first.
fn cache_folders() -> Vec<PathBuf> {
    let folder = |name: &str| {
        std::env::var_os(name).map(PathBuf::from).filter(|folder| folder.is_absolute())
    };
    let caches = [folder("XDG_CACHE_HOME"), folder("HOME").map(|home| home.join(".cache"))];
    let user = sys::process::effective_user();
    let temporary = std::env::temp_dir().join(format!("firsttouch-{user}"));
    let caches = caches.into_iter().flatten().map(|cache| cache.join("firsttouch"));
    caches.chain([temporary]).collect()
}

/// The words of a command, as text.
fn words(command: &[OsString]) -> Vec<String> {
    command.iter().map(|word| word.to_string_lossy().into_owned()).collect()
}

fn about(command: &[OsString], notices: Vec<String>) -> About {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok();
    About {
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        started_ns: since_1970.and_then(|since| i64::try_from(since.as_nanos()).ok()),
        command: Some(words(command)),
        directory: std::env::current_dir().ok().map(|path| path.to_string_lossy().into_owned()),
        host: sys::machine::host_name(),
        kernel: Some(sys::machine::kernel_release()),
        notices,
        is_redacted: false,
    }
}

fn summary(outcome: &Outcome, counts: ShimCounts) -> RecordingSummary {
    RecordingSummary {
        until_ns: outcome.until_ns,
        lost: outcome.lost + counts.lost,
        late: outcome.late,
        faults_seen: outcome.faults_seen,
        faults_counted: outcome.faults_counted,
        rusage_minor: outcome.rusage.map(|usage| usage.minor_faults),
        rusage_major: outcome.rusage.map(|usage| usage.major_faults),
        probe_ns_per_call: None,
        clock_error_ns: Some(counts.clock_error_ns),
        cut: None,
    }
}

/// What the bound on the size left out, in sentences.
fn limited(
    finished: &io::Result<bool>,
    heard: &Heard,
    outcome: &Outcome,
    began_ns: u64,
) -> Vec<String> {
    let after = |ns: u64| report::duration(ns.saturating_sub(began_ns) as f64);
    let thinned = heard.thinned.map(|ThinnedTo { from_ns, one_in }| {
        format!(
            "from {} on not all allocation calls are written, but all are counted: at the end \
             those on 1 block in {one_in} (--max-size)",
            after(from_ns)
        )
    });
    let full = matches!(finished, Ok(true)).then(|| {
        format!(
            "the file has reached --max-size: the recording ends after {}; the program went on",
            after(outcome.until_ns)
        )
    });
    thinned.into_iter().chain(full).collect()
}

/// What of the recording is less than it should be, in sentences.
fn doubts(counts: ShimCounts) -> Vec<String> {
    let mut doubts = Vec::new();
    let ShimCounts { lost, waited_ns, checked_stacks, wrong_stacks, own_allocators, .. } = counts;
    if counts.deep_libraries > 0 {
        doubts.push(format!(
            "libraries that the program opened with RTLD_DEEPBIND: {}; their allocation calls are \
             not recorded",
            counts.deep_libraries
        ));
    }
    if own_allocators > 0 {
        doubts.push(format!(
            "programs with an allocator of their own: {own_allocators}; its calls are not recorded"
        ));
    }
    if lost > 0 {
        doubts.push(format!("{lost} allocation calls are not recorded: too many threads"));
    }
    if waited_ns >= 1_000_000 {
        let ms = waited_ns / 1_000_000;
        doubts.push(format!("the program waited {ms} ms in all for the recorder"));
    }
    if checked_stacks > 0 {
        doubts.push(format!(
            "of {checked_stacks} stacks, {wrong_stacks} are not what unwinding finds"
        ));
    }
    doubts
}

/// The observed events, as chunks.
struct ObservedChunks {
    sender: ChunkSender,
    programs: Programs,
    redaction: Option<Redaction>,
    /// The thread that reads allocation calls, if there is one.
    calls: Option<Requests>,
}

impl Consumer for ObservedChunks {
    fn take(&mut self, batch: &mut Batch) {
        self.programs.see(batch);
        if !batch.events.is_empty() || !batch.definitions.is_empty() {
            if let Some(redaction) = &mut self.redaction {
                redaction.batch(batch);
            }
            self.sender.send(encode_batch(batch));
            batch.events.clear();
            batch.definitions.clear();
        }
    }

    fn is_closed(&self) -> bool {
        self.sender.has_ended()
    }

    fn stops(&mut self) {
        if let Some(calls) = &self.calls {
            calls.be_quiet();
        }
    }
}
