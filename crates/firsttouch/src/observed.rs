//! A program or process that is observed, from its start to its end: what `trace` and `record`
//! share. Signals reach the program as if nobody watched; the events go to a [`Consumer`].

pub(crate) mod notice;
mod signals;
mod staying;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use collect::{Asked, Collection, Options, Outcome, StreamState, Target};
use events::{Batch, Header};
use sys::interrupt::die_by;
use sys::launch::{Program, Unfit};
use sys::process::WaitStatus;

use crate::stream;
use signals::Signals;
pub(crate) use staying::Left;

/// The exit status of a failure that is not the program's.
pub(crate) const FAILED: u8 = 125;
/// The longest wait for events before signals are looked for.
const PATIENCE: Duration = Duration::from_millis(100);

/// What takes the events.
pub(crate) trait Consumer {
    /// Takes what is ready, and leaves the batch empty. It may be empty before.
    fn take(&mut self, batch: &mut Batch);
    /// Whether it takes no more events: observing ends, and the processes go on.
    fn is_closed(&self) -> bool;
    /// Observing ends before the processes do.
    fn stops(&mut self) {}
}

/// What ends observing before the program ends, where both are started together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnRequest {
    /// Nothing: a request to end (SIGINT, SIGTERM) is the program's.
    PassOn,
    /// SIGINT or SIGTERM to this process alone, and the time: the program goes on.
    Leave,
}

/// A collection, with the signals that are taken over for it.
pub(crate) struct Observed {
    collection: Collection,
    signals: Signals,
}

/// What is left when observing has ended.
pub(crate) struct Ended {
    pub(crate) outcome: Outcome,
    pub(crate) why: EndReason,
    /// The program, if it was not waited for.
    pub(crate) left: Option<Left>,
    request: Option<i32>,
}

/// Why observing ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndReason {
    /// The program has ended, or nothing of it can be observed any more.
    Program,
    /// The time was up.
    Time,
    /// A signal asked for it.
    Request,
    /// The consumer takes no more events.
    Consumer,
}

/// The process, or the program of this command.
pub(crate) fn target(command: &[OsString], pid: Option<u32>) -> Result<Target, Unfit> {
    match pid {
        Some(pid) => Ok(Target::Process(pid)),
        None => Program::find(command).map(Target::Program),
    }
}

/// Our own failure, with a status that is not the program's.
pub(crate) fn failed(error: &anyhow::Error, status: u8) -> ExitCode {
    stream::complain(&format!("{error:#}"));
    ExitCode::from(status)
}

/// Says a sentence that changes what can be expected.
pub(crate) fn note(sentence: &str) {
    let sentence = report::clean(sentence);
    stream::say(report::wrapped("note: ", &sentence, stream::width_of_errors()).trim_end());
}

impl Observed {
    /// Starts to observe. An error is the status: it was refused, which has been said.
    pub(crate) fn start(
        target: &Target,
        wanted: Options,
        command: &[OsString],
    ) -> Result<Observed, ExitCode> {
        let is_program = matches!(target, Target::Program(_));
        let signals = Signals::take_over(is_program)
            .context("cannot take over signals")
            .map_err(|error| failed(&error, FAILED))?;
        let collection = match Collection::start(target, wanted) {
            Ok(collection) => collection,
            Err(error) => {
                let name = command.first().map(|name| format!("{}: ", name.display()));
                let refusal = notice::refusal(error);
                let refusal = anyhow::anyhow!("{}{refusal}", name.unwrap_or_default());
                return Err(failed(&refusal, notice::status(error)));
            }
        };
        Ok(Observed { collection, signals })
    }

    /// The process that was started or attached to.
    pub(crate) fn pid(&self) -> u32 {
        self.collection.pid()
    }

    /// The header of the stream.
    pub(crate) fn header(&self) -> &Header {
        self.collection.header()
    }

    /// What cannot be observed, in words.
    pub(crate) fn notices(&self) -> Vec<String> {
        let attached = !self.signals.are_of_program();
        let notices = self.collection.notices().iter();
        notices.map(|&notice| notice::sentence(notice, attached)).collect()
    }

    /// Signals reach the program from here on.
    pub(crate) fn begin(&mut self) {
        self.signals.begin(self.collection.subject());
    }

    /// Passes the events on until the program ends, or until a signal or the time `until` ends it.
    pub(crate) fn watch(
        self,
        consumer: &mut impl Consumer,
        until: Option<Instant>,
        on_request: OnRequest,
        note: &dyn Fn(&str),
    ) -> Ended {
        let Observed { mut collection, mut signals } = self;
        let leaves = on_request == OnRequest::Leave && collection.subject().was_started();
        let (mut batch, mut warned, mut why) = (Batch::default(), false, EndReason::Program);
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let left = left.filter(|_| !collection.subject().is_stopping());
            let wait = [left, signals.due_in()].into_iter().flatten().fold(PATIENCE, Duration::min);
            let progress = collection.next(wait, &mut batch);
            consumer.take(&mut batch);
            if progress == StreamState::Over {
                break;
            }
            for sent in signals.due(collection.subject()) {
                if !sent.asks_to_end() {
                    collection.subject().pass_on(sent);
                } else if leaves && sent.is_for_observers() {
                    why = EndReason::Request;
                } else {
                    match collection.subject().ask_to_end(sent) {
                        Asked::Descendants => note(&notice::passed_on(sent.signal(), &mut warned)),
                        Asked::Nobody => why = EndReason::Request,
                        Asked::Program => {}
                    }
                }
            }
            // No output is open, the time is up, or a signal has come: the processes go on without
            // us.
            if consumer.is_closed() {
                why = EndReason::Consumer;
            } else if why == EndReason::Program && left.is_some_and(|left| left.is_zero()) {
                why = EndReason::Time;
            }
            if why != EndReason::Program {
                consumer.stops();
                if leaves {
                    let (outcome, subject) = collection.leave(&mut batch);
                    consumer.take(&mut batch);
                    let (request, left) = (None, Some(Left { subject, signals }));
                    return Ended { outcome, why, left, request };
                }
                collection.subject().stop();
            }
            signals.follow_stop(collection.subject());
        }
        let outcome = collection.finish(&mut batch);
        consumer.take(&mut batch);
        Ended { outcome, why, left: None, request: signals.interrupt.received() }
    }
}

impl Ended {
    /// Whether a signal ended it.
    pub(crate) fn was_interrupted(&self) -> bool {
        self.request.is_some()
    }

    /// Only so many faults were `kept` as events; the others count as never seen.
    pub(crate) fn drop_faults(&mut self, kept: u64) {
        let dropped = self.outcome.faults_seen.saturating_sub(kept);
        self.outcome.faults_seen -= dropped;
        let counted = &mut self.outcome.faults_counted;
        *counted = counted.map(|counted| counted.saturating_sub(dropped));
    }

    /// What was noticed at the end, in words.
    pub(crate) fn notices(&self) -> Vec<String> {
        let Outcome { misattributed, compat32_calls, refused_tracing, .. } = self.outcome;
        let mut notices = Vec::new();
        notices.extend((misattributed > 0).then(|| notice::misattributed(misattributed)));
        notices.extend((compat32_calls > 0).then(|| notice::compat32_calls(compat32_calls)));
        notices.extend((refused_tracing > 0).then(|| notice::refused_tracing(refused_tracing)));
        notices
    }

    /// The program's exit status, or its signal, by which this process dies too; without a program
    /// the signal that ended it.
    pub(crate) fn exit(&self) -> ExitCode {
        match (self.outcome.ending, self.request) {
            (None, Some(signal)) => die_by(signal),
            (ending, _) => exit_as(ending),
        }
    }
}

/// The program's exit status, or its signal, by which this process dies too.
pub(crate) fn exit_as(ending: Option<WaitStatus>) -> ExitCode {
    match ending {
        Some(WaitStatus::Exited(status)) => {
            ExitCode::from(u8::try_from(status & 0xff).unwrap_or(FAILED))
        }
        Some(WaitStatus::Killed(signal)) => die_by(signal),
        None => ExitCode::SUCCESS,
    }
}
