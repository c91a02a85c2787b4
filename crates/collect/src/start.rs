//! Turns options into a collection: starts a program and observes it from its first instruction on.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use events::merge::Merge;
use events::{Clock, Header, Sees, ThpPolicy};
use sys::Errno;
use sys::clock::monotonic_ns;
use sys::launch::{Program, Started};
use sys::limits::RaisedOpenFiles;
use sys::perf::record::Anomalies;
use sys::proc::task::faults_of;
use sys::process::{WaitStatus, is_root};
use sys::ptrace::{self, Nudge};
use sys::usage::Usage;

use crate::access::Access;
use crate::attach::attach;
use crate::calls::Numbers;
use crate::collection::Collection;
use crate::observed_process::{ObservedProcess, TracerThread};
use crate::options::{CallSource, Error, Notice, Options, Target};
use crate::perf::rings::Rings;
use crate::ptrace::tracer::Tracer;
use crate::stream::control::Control;
use crate::stream::drain::{self, Round};
use crate::stream::pairing::{Expected, Pairing};

impl Collection {
    /// Starts to observe. A program to be started runs from here on.
    ///
    /// # Errors
    /// [`Error`] says why nothing can be observed, or why the program did not start.
    pub fn start(target: &Target, options: Options) -> Result<Self, Error> {
        match target {
            Target::Program(program) => start(program, options),
            Target::Process(pid) => attach(*pid, options),
        }
    }

    /// Starts the thread that drains the sources of `access`.
    pub(crate) fn begin(
        access: Access,
        shared: Arc<Control>,
        (sender, rounds): (Sender<Round>, Receiver<Round>),
        numbers: Numbers,
        pid: u32,
    ) -> Result<Self, Error> {
        let header = header(&access, shared.tells_absences);
        let mut pairing = Pairing::default();
        if header.sees.absences {
            pairing.absences.tell(&sys::machine::kernel_release());
        }
        let rings = access.rings.as_ref().map_or(0, Rings::count);
        let format = access.rings.as_ref().map(|rings| rings.format.clone()).unwrap_or_default();
        let drain = drain::start(access.rings, Arc::clone(&shared), sender).map_err(no_thread)?;
        Ok(Collection {
            rounds,
            subject: ObservedProcess::new(Arc::clone(&shared), pid),
            shared,
            drain,
            children_before: Usage::of_reaped_children(),
            format,
            numbers,
            merge: Merge::new(rings + 1),
            rings,
            pairing,
            anomalies: Anomalies::default(),
            header,
            before_exec_faults: None,
            last_read_ns: 0,
            bare_call_ns: access.bare_call_ns,
            notices: access.notices,
            open_files: None,
        })
    }
}

/// The header of the stream.
fn header(access: &Access, tells_absences: bool) -> Header {
    let wanted = access.rings.as_ref().map(|rings| &rings.wanted);
    let faults = wanted.is_some_and(|wanted| wanted.faults);
    let huge_pages = match sys::machine::thp().as_deref() {
        Some("always") => ThpPolicy::Always,
        Some("never") | None => ThpPolicy::Never,
        Some(_) => ThpPolicy::Advised,
    };
    Header {
        clock: Clock::Monotonic,
        began_ns: monotonic_ns(),
        page_bytes: sys::limits::page_bytes(),
        huge_pages,
        can_swap: sys::machine::swap_bytes() != Some(0),
        sees: Sees {
            calls: access.by_ptrace || wanted.is_some_and(|wanted| wanted.calls.is_some()),
            faults,
            kernel_faults: faults && wanted.is_some_and(|wanted| !wanted.user_mode_only),
            page_sizes: access.rings.as_ref().is_some_and(|rings| rings.format.has_page_sizes()),
            allocations: false,
            stops: access.by_ptrace,
            absences: tells_absences && access.rings.is_some(),
        },
    }
}

/// Starts a program and observes it from its first instruction on.
fn start(program: &Program, options: Options) -> Result<Collection, Error> {
    let numbers = Numbers::new(program.is_compat32());
    let filter = numbers.stops();
    // Forked first, so that it does not inherit the limits that are raised below.
    let waiting = program.start_filtered(options.setup, Some(&filter)).map_err(Error::Start)?;
    let open_files = RaisedOpenFiles::raise();
    let pid = waiting.pid();
    let mut access = Access::gain(options, &[pid], true, &numbers)?;
    let shared = Arc::new(Control::new(access.by_ptrace, &options).map_err(Error::Resources)?);
    let channel = channel();
    let mut tracer = None;
    if access.by_ptrace {
        let mut tracer_of_program =
            Tracer::new(Arc::clone(&shared), channel.0.clone(), numbers.clone(), pid, true);
        if access.rings.is_none() {
            tracer_of_program.report_sideband();
        }
        match trace_program(pid, tracer_of_program)? {
            Ok(thread) => tracer = Some(thread),
            Err(errno) => {
                access.do_without_calls(errno, options.faults)?;
                shared.end_tracer();
            }
        }
    }
    if program.wants_privilege() && !is_root() {
        access.notices.push(if tracer.is_some() { Notice::Unprivileged } else { Notice::Unseen });
    }
    if options.calls != CallSource::Off && program.is_compat32() && !numbers.knows_narrow() {
        access.notices.push(Notice::Compat32);
    }
    let mut collection = Collection::begin(access, shared, channel, numbers, pid)?;
    collection.pairing.expect_endings(if tracer.is_some() {
        Expected::All
    } else {
        Expected::Only(pid)
    });
    collection.before_exec_faults = faults_of(pid).map(|faults| faults.own);
    let going = if tracer.is_some() { waiting.go_filtered() } else { waiting.go() };
    let mut running: Started = going.map_err(Error::Start)?;
    if tracer.is_some() {
        // The tracer reaps it.
        running.reaped();
    } else {
        collection.subject.program = Some(running);
    }
    (collection.subject.tracer, collection.subject.started_it) = (tracer, true);
    collection.open_files = Some(open_files);
    Ok(collection)
}

/// Traces a program that waits at its gate, in a separate thread. The inner error: it may not be
/// traced.
fn trace_program(pid: u32, mut tracer: Tracer) -> Result<Result<TracerThread, Errno>, Error> {
    let (answer, seized) = channel();
    let handle = spawn(move |nudge| {
        let outcome = ptrace::seize(pid, ptrace::TraceOptions::FILTERED_CALLS);
        let failed = outcome.is_err();
        // The receiver is gone if starting the collection has failed elsewhere.
        let _ = answer.send(outcome.map(|()| nudge));
        if failed {
            return None;
        }
        tracer.adopt(pid);
        tracer.run()
    })?;
    Ok(seized.recv().unwrap_or(Err(Errno::NO_PROCESS)).map(|nudge| TracerThread { handle, nudge }))
}

/// Starts the thread of a tracer, which gets a [`Nudge`] for itself.
pub(crate) fn spawn(
    work: impl FnOnce(Nudge) -> Option<WaitStatus> + Send + 'static,
) -> Result<JoinHandle<Option<WaitStatus>>, Error> {
    let run = move || work(Nudge::this_thread());
    std::thread::Builder::new().name("firsttouch-tracer".into()).spawn(run).map_err(no_thread)
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err gives")]
fn no_thread(error: std::io::Error) -> Error {
    Error::Resources(Errno::of(&error).unwrap_or(Errno::TRY_AGAIN))
}
