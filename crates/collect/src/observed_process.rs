//! The program or process that is observed: the signals that reach it, and its end.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use sys::launch::Started;
use sys::process::WaitStatus;
use sys::ptrace::Nudge;
use sys::relay::Sent;
use sys::wait::wait_for;

use crate::stream::control::Control;

/// The program or process that is observed. Observing may end before it does
/// ([`crate::Collection::leave`]).
#[derive(Debug)]
pub struct ObservedProcess {
    pub(crate) shared: Arc<Control>,
    pub(crate) tracer: Option<TracerThread>,
    /// The program, if it was started here and no tracer reaps it.
    pub(crate) program: Option<Started>,
    pub(crate) started_it: bool,
    pub(crate) pid: u32,
    /// Whether descendants that outlive the program were sent a signal.
    asked_descendants: bool,
}

/// The tracer's thread.
#[derive(Debug)]
pub(crate) struct TracerThread {
    pub(crate) handle: JoinHandle<Option<WaitStatus>>,
    pub(crate) nudge: Nudge,
}

/// The effect of a request to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// The program was sent the signal.
    Program,
    /// The program has ended. Its descendants have a filter and cannot run without the tracer, so
    /// they were sent the signal, or SIGKILL if they had been sent it before.
    Descendants,
    /// No process was sent a signal: observing stops.
    Nobody,
}

impl ObservedProcess {
    /// A process that is attached to, until more is known.
    pub(crate) fn new(shared: Arc<Control>, pid: u32) -> ObservedProcess {
        ObservedProcess {
            shared,
            tracer: None,
            program: None,
            started_it: false,
            pid,
            asked_descendants: false,
        }
    }

    /// The process that was started or attached to.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it was started here.
    #[must_use]
    pub fn was_started(&self) -> bool {
        self.started_it
    }

    /// Whether the program cannot run without its tracer: it was started with a seccomp filter that
    /// needs one.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.started_it && self.tracer.is_some()
    }

    /// Stops observing. A process that was attached to goes on, and a program runs on, with its
    /// tracer if it needs that; [`crate::Collection::next`] delivers the remaining events. Call it
    /// again while that delivers events, since the tracer may miss a nudge.
    pub fn stop(&self) {
        self.shared.stop();
        if let Some(tracer) = &self.tracer {
            tracer.nudge.send();
        }
    }

    /// Whether observing is being stopped.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.shared.is_stopping()
    }

    /// Whether the program that was started has ended. Its descendants may still run.
    pub fn has_ended(&mut self) -> bool {
        match &mut self.program {
            Some(program) => program.ended_within(Duration::ZERO) != Ok(None),
            None => self.shared.first_has_ended(),
        }
    }

    /// Whether the program that was started is stopped (Ctrl-Z), held in that stop by the tracer.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.shared.is_first_stopped()
    }

    /// Passes a request to end on to the program that was started. If it has ended, and its
    /// descendants can run without the tracer, observing stops instead.
    pub fn ask_to_end(&mut self, request: Sent) -> Asked {
        let has_ended = self.has_ended();
        match (&self.tracer, &mut self.program) {
            (Some(tracer), _) if self.started_it => {
                self.shared.pass_on(if self.asked_descendants {
                    Sent::new(sys::ptrace::KILL)
                } else {
                    request
                });
                tracer.nudge.send();
                self.asked_descendants |= has_ended;
                if has_ended { Asked::Descendants } else { Asked::Program }
            }
            (_, Some(program)) if !has_ended => {
                program.signal(request);
                Asked::Program
            }
            _ => {
                self.stop();
                Asked::Nobody
            }
        }
    }

    /// Passes a signal that asks for no end on to the program that was started, unless it has
    /// ended.
    pub fn pass_on(&mut self, sent: Sent) {
        if self.has_ended() {
            return;
        }
        match (&self.tracer, &self.program) {
            (Some(tracer), _) if self.started_it => {
                self.shared.pass_on(sent);
                tracer.nudge.send();
            }
            (_, Some(program)) => program.signal(sent),
            _ => {}
        }
    }

    /// Wakes the tracer if it has not passed every signal on: it may have missed the last nudge.
    pub(crate) fn nudge_again(&self) {
        if let Some(tracer) = self.tracer.as_ref().filter(|_| self.shared.has_signal()) {
            tracer.nudge.send();
        }
    }

    /// After observing has ended: waits up to `patience` until this process is needed no longer.
    /// The program has ended then, and so has every descendant that cannot run without the tracer.
    pub fn is_over_within(&mut self, patience: Duration) -> bool {
        self.nudge_again();
        match (&self.tracer, &mut self.program) {
            (Some(tracer), _) => {
                // The tracer rings when it has finished.
                let _ = wait_for(&[], self.shared.doorbell(), patience);
                tracer.handle.is_finished() || self.shared.tracer_is_done()
            }
            (None, Some(program)) => program.ended_within(patience) != Ok(None),
            (None, None) => true,
        }
    }

    /// Waits for the end of the program that was started, and of those that need the tracer.
    /// Returns how the program ended; `None` for a process that was attached to, and the second
    /// time.
    pub fn wait(&mut self) -> Option<WaitStatus> {
        let traced = self.tracer.take().and_then(|tracer| tracer.handle.join().ok());
        let waited = self.program.as_mut().and_then(|program| program.wait().ok());
        waited.or(traced.flatten()).filter(|_| self.started_it)
    }
}
