//! A program or process that is observed, from its start to its end: what `trace` and `record`
//! share. Signals reach the program as if nobody watched; the events go to a [`Consumer`].

pub(crate) mod notice;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use collect::{Asked, Collection, Options, Outcome, StreamState, Target};
use events::{Batch, Header};
use sys::interrupt::{
    Interrupt, accept_interrupts, defer_stop, die_by, drop_pending_stop, is_stop_wanted, stop_now,
};
use sys::launch::{Program, Unfit};
use sys::process::WaitStatus;
use sys::relay::{Relay, Requests, Sent};

use crate::stream;

/// The exit status of a failure that is not the program's.
pub(crate) const FAILED: u8 = 125;
/// A program that still runs so long after Ctrl-Z does not stop for it.
const STOPPING: Duration = Duration::from_secs(1);
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

/// A collection, with the signals that are taken over for it.
pub(crate) struct Observed {
    collection: Collection,
    interrupt: Interrupt,
    relay: Option<Relay>,
}

/// What is left when observing has ended.
pub(crate) struct Ended {
    pub(crate) outcome: Outcome,
    interrupt: Interrupt,
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
    /// Starts to observe. `Ok(Err(status))`: it was refused, which has been said.
    pub(crate) fn start(
        target: &Target,
        wanted: Options,
        command: &[OsString],
    ) -> anyhow::Result<Result<Observed, ExitCode>> {
        let is_program = matches!(target, Target::Program(_));
        let (interrupt, relay) =
            take_over_signals(is_program).context("cannot take over signals")?;
        let collection = match Collection::start(target, wanted) {
            Ok(collection) => collection,
            Err(error) => {
                let name = command.first().map(|name| format!("{}: ", name.display()));
                let refusal = notice::refusal(error);
                let refusal = anyhow::anyhow!("{}{refusal}", name.unwrap_or_default());
                return Ok(Err(failed(&refusal, notice::status(error))));
            }
        };
        Ok(Ok(Observed { collection, interrupt, relay }))
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
        let attached = self.relay.is_none();
        let notices = self.collection.notices().iter();
        notices.map(|&notice| notice::sentence(notice, attached)).collect()
    }

    /// Signals reach the program from here on.
    pub(crate) fn begin(&mut self) {
        match &mut self.relay {
            Some(relay) => relay.take_requests(Requests::ExceptKeys),
            None => self.interrupt.record_repeats(),
        }
        if self.collection.is_program_held() {
            defer_stop();
        }
    }

    /// Passes the events on until the program ends, or a signal or the time `until` ends it.
    pub(crate) fn watch(
        self,
        consumer: &mut impl Consumer,
        until: Option<Instant>,
        note: &dyn Fn(&str),
    ) -> Ended {
        let Observed { mut collection, interrupt, mut relay } = self;
        let pid = collection.pid();
        let (mut batch, mut warned, mut stop_wanted) = (Batch::default(), false, None);
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let left = left.filter(|_| !collection.is_stopping());
            let due_in = relay.as_ref().and_then(Relay::due_in);
            let wait = [left, due_in].into_iter().flatten().fold(PATIENCE, Duration::min);
            let progress = collection.next(wait, &mut batch);
            consumer.take(&mut batch);
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
                // Its descendants may run for ever: Ctrl-C is for the observer again.
                relay.give_back_requests();
            }
            let time_is_up = left.is_some_and(|left| left.is_zero());
            if consumer.is_closed() || collection.is_stopping() || time_is_up {
                // No output is open, a signal has come, or the time is up: the processes go on
                // without us.
                consumer.stops();
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
        consumer.take(&mut batch);
        Ended { outcome, interrupt }
    }
}

impl Ended {
    /// Whether a signal ended it.
    pub(crate) fn was_interrupted(&self) -> bool {
        self.interrupt.received().is_some()
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

    /// The program's exit status, or its signal, by which this process dies too.
    pub(crate) fn exit(&self) -> ExitCode {
        match (self.outcome.ending, self.interrupt.received()) {
            (Some(WaitStatus::Exited(status)), _) => {
                ExitCode::from(u8::try_from(status & 0xff).unwrap_or(FAILED))
            }
            (Some(WaitStatus::Killed(signal)), _) | (None, Some(signal)) => die_by(signal),
            (None, None) => ExitCode::SUCCESS,
        }
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
