//! The signals of this process while it observes: those that are meant for the program, and the
//! stop by Ctrl-Z.

use std::time::{Duration, Instant};

use collect::ObservedProcess;
use sys::interrupt::{
    Interrupt, accept_interrupts, defer_stop, drop_pending_stop, is_stop_wanted, stop_at_once,
    stop_now,
};
use sys::relay::{Relay, Requests, Sent};

/// A program that still runs so long after Ctrl-Z does not stop for it.
const STOPPING: Duration = Duration::from_secs(5);

/// The signals that are taken over.
pub(super) struct Signals {
    pub(super) interrupt: Interrupt,
    relay: Option<Relay>,
    /// Since when a Ctrl-Z waits for the program to stop.
    stop_wanted: Option<Instant>,
}

impl Signals {
    /// Takes over signals, and those that are meant for a program before it runs.
    pub(super) fn take_over(of_program: bool) -> Result<Signals, sys::Errno> {
        if !of_program {
            accept_interrupts();
        }
        let interrupt = Interrupt::install()?;
        let mut relay = of_program.then(Relay::new).transpose()?;
        if let Some(relay) = &mut relay {
            relay.take_requests(Requests::Starting);
            // Before the program runs: it may stop its process group at once.
            defer_stop();
        }
        Ok(Signals { interrupt, relay, stop_wanted: None })
    }

    /// Whether they are meant for a program.
    pub(super) fn are_of_program(&self) -> bool {
        self.relay.is_some()
    }

    /// They reach the program from here on.
    pub(super) fn begin(&mut self, subject: &ObservedProcess) {
        match &mut self.relay {
            Some(relay) => relay.take_requests(Requests::ExceptKeys),
            None => self.interrupt.record_repeats(),
        }
        if self.are_of_program() && !subject.is_held() {
            stop_at_once();
        }
    }

    /// The time until a signal is due, if one is on its way.
    pub(super) fn due_in(&self) -> Option<Duration> {
        self.relay.as_ref().and_then(Relay::due_in)
    }

    /// The signals that were sent to this process alone.
    pub(super) fn due(&mut self, subject: &mut ObservedProcess) -> Vec<Sent> {
        let Some(relay) = &mut self.relay else {
            return self.interrupt.take().map(Sent::new).into_iter().collect();
        };
        let mut due = relay.due(subject.pid());
        due.extend(self.interrupt.take().map(Sent::new));
        if subject.has_ended() {
            // Its descendants may run for ever: Ctrl-C is for the observer again.
            relay.give_back_requests();
        }
        due
    }

    /// Stops this process for a Ctrl-Z once the program has stopped.
    pub(super) fn follow_stop(&mut self, subject: &mut ObservedProcess) {
        if !is_stop_wanted() {
            self.stop_wanted = None;
        } else if subject.is_stopped() || subject.has_ended() {
            self.stop_wanted = None;
            stop_now();
        } else if self.stop_wanted.get_or_insert_with(Instant::now).elapsed() > STOPPING {
            drop_pending_stop();
        }
    }
}
