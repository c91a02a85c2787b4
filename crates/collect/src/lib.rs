//! Runs a program, or attaches to one, and gathers what it does to memory: events in time order.
//!
//! ```text
//!   kernel --> rings (one a processor) --> drain (a thread) --+
//!   tracer (a thread, where tracepoints are not allowed) -----+--> Round --> window --> pairing --> events
//!                                                                            (time)     (halves)
//! ```
//! What cannot be had is not an error as long as something can: [`Notice`] says what is missing and why.

mod access;
mod attach;
mod calls;
mod control;
mod drain;
mod half;
pub mod layout;
mod own_cost;
mod pairing;
mod rings;
mod start;
mod tracer;
mod window;

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use events::{Call, Event, Names};
use sys::launch::Started;
use sys::perf::record::{Format, Odd};
use sys::process::Ending;
use sys::ptrace::Nudge;
use sys::remote::read_text;
use sys::usage::Usage;

use control::Control;
use drain::Round;
use pairing::Pairing;
use rings::{Rings, Totals};
use window::Window;

pub use start::{Calls, Error, Notice, Target, Wish};

/// A program that is being watched.
#[derive(Debug)]
pub struct Collection {
    rounds: Receiver<Round>,
    shared: Arc<Control>,
    drain: JoinHandle<Option<Rings>>,
    tracer: Option<TracerThread>,
    /// The program, if we started it and no tracer waits for it.
    program: Option<Started>,
    started_it: bool,
    /// What the program left behind was sent a signal.
    asked_descendants: bool,
    pid: u32,
    children_before: Usage,
    format: Format,
    numbers: Vec<(u32, Call)>,
    window: Window,
    pairing: Pairing,
    odd: Odd,
    began_ns: u64,
    notices: Vec<Notice>,
}

/// The thread that traces.
#[derive(Debug)]
struct TracerThread {
    handle: JoinHandle<Option<Ending>>,
    nudge: Nudge,
}

/// Whether there is more to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The program runs.
    Going,
    /// Everything has been seen.
    Over,
}

/// What became of a request to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// The program was sent the signal.
    Program,
    /// The program has ended. What it left behind is held by a filter and could not go on by itself: it was sent the signal, or, if that was
    /// done before and has not helped, SIGKILL.
    Descendants,
    /// Nothing: it is watched no longer.
    Nobody,
}

/// How it ended, and what was seen against what there was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// How the first process ended; `None` of one that we attached to, or that goes on.
    pub ending: Option<Ending>,
    /// Events given.
    pub events: u64,
    /// Events given after one that began later.
    pub late: u64,
    /// Records that found no room in a ring, or could not be understood.
    pub lost: u64,
    /// Records that are seen to have the number of another program's event, or the time of another clock: at least so many.
    pub foreign: u64,
    /// Page faults of which the beginning was seen.
    pub faults_seen: u64,
    /// Page faults that the same events counted, whether or not their records found room; `None` if faults were not watched.
    pub faults_counted: Option<u64>,
    /// What getrusage(2) says of a program that we started and its descendants: pages that a call populated count as well, and so
    /// do the few faults between fork and exec.
    pub rusage: Option<Usage>,
    /// What its records add to a page fault, in nanoseconds, as measured on this program at the end: some of it is in every latency.
    pub recording_ns: Option<u64>,
    /// Memory syscalls in 32-bit mode, which are not shown.
    pub narrow_calls: u64,
}

impl Collection {
    /// Waits up to `patience` for what comes next, and adds it to `events`, in the order in which things began.
    pub fn next(&mut self, patience: Duration, events: &mut Vec<Event>) -> Progress {
        if let Some(tracer) = self.tracer.as_ref().filter(|_| self.shared.has_signal()) {
            // It missed the last nudge.
            tracer.nudge.send();
        }
        match self.rounds.recv_timeout(patience) {
            Ok(round) => {
                self.read(round, events);
                Progress::Going
            }
            Err(RecvTimeoutError::Timeout) => Progress::Going,
            // It may run on when nothing of it is to be seen any more.
            Err(RecvTimeoutError::Disconnected) => {
                match self.program.as_mut().map(|program| program.ended_within(patience)) {
                    Some(Ok(None)) => Progress::Going,
                    _ => Progress::Over,
                }
            }
        }
    }

    fn read(&mut self, round: Round, events: &mut Vec<Event>) {
        let mut names = self.shared.names();
        let text = |pid, address| read_text(pid, address).ok();
        let mut records = &round.records[..];
        for bytes in round.ring_bytes {
            let (ring, others) = records.split_at(bytes);
            let odd = self.format.read(ring, |record| {
                if let Some(half) = half::half(record, &self.numbers, &mut names, &text) {
                    self.window.add(half);
                }
            });
            self.odd.strange += odd.strange;
            self.odd.foreign += odd.foreign;
            records = others;
        }
        drop(names);
        round.stops.into_iter().for_each(|half| self.window.add(half));
        self.shared.received(round.records.len());
        let mut each = |event| events.push(event);
        self.window.settle(round.began_ns, |half| self.pairing.take(half, &mut each));
        self.pairing.pass_on(round.began_ns, &mut each);
    }

    /// The names that events refer to.
    pub fn names(&self) -> MutexGuard<'_, Names> {
        self.shared.names()
    }

    /// The process that was started or met.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// When it began: nanoseconds of `CLOCK_MONOTONIC`.
    #[must_use]
    pub fn began_ns(&self) -> u64 {
        self.began_ns
    }

    /// What cannot be seen, and why.
    #[must_use]
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// Watches no longer. A program that we attached to goes on; [`Collection::next`] gives what there still is. To be repeated while it
    /// gives something, since a tracer may just miss it.
    pub fn stop(&self) {
        self.shared.stop();
        if let Some(tracer) = &self.tracer {
            tracer.nudge.send();
        }
    }

    /// Whether the program cannot go on without us: it was started with a filter that asks a tracer.
    #[must_use]
    pub fn is_program_held(&self) -> bool {
        self.started_it && self.tracer.is_some()
    }

    /// Whether it is being left.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.shared.is_stopping()
    }

    /// Whether the program that was started has ended. What it has started may still run.
    pub fn program_has_ended(&mut self) -> bool {
        match &mut self.program {
            Some(program) => program.ended_within(Duration::ZERO) != Ok(None),
            None => self.shared.first_has_ended(),
        }
    }

    /// Whether the program that was started stands still (Ctrl-Z) and is held by a tracer there.
    #[must_use]
    pub fn is_program_standing(&self) -> bool {
        self.shared.does_first_stand()
    }

    /// Passes on a request to end to the program that was started. Where there is nobody to pass it on to, and what is left can do without us, it is watched no
    /// longer.
    pub fn ask_to_end(&mut self, signal: i32) -> Asked {
        let has_ended = self.program_has_ended();
        match (&self.tracer, &mut self.program) {
            (Some(tracer), _) if self.started_it => {
                self.shared.pass_on(if self.asked_descendants { sys::ptrace::KILL } else { signal });
                tracer.nudge.send();
                self.asked_descendants |= has_ended;
                if has_ended { Asked::Descendants } else { Asked::Program }
            }
            (_, Some(program)) if !has_ended => {
                program.signal(signal);
                Asked::Program
            }
            _ => {
                self.stop();
                Asked::Nobody
            }
        }
    }

    /// Waits for the end of the program, if we started it, and adds the last events.
    pub fn finish(mut self, events: &mut Vec<Event>) -> Outcome {
        while self.next(Duration::from_secs(1), events) == Progress::Going {}
        let mut each = |event| events.push(event);
        self.window.finish(|half| self.pairing.take(half, &mut each));
        let counts = self.pairing.finish(&mut each);
        let traced = self.tracer.take().and_then(|tracer| tracer.handle.join().ok());
        let rings = self.drain.join().ok().flatten();
        let Totals { faults, lost } = rings.as_ref().map(Rings::totals).unwrap_or_default();
        let of_faults = rings.as_ref().filter(|rings| rings.wanted.faults).map(|rings| rings.wanted.user_mode_only);
        // Its rings count against what this user may have.
        drop(rings);
        let waited = self.program.take().and_then(|mut program| program.wait().ok());
        let ending = waited.or(traced.flatten());
        let reaped = Usage::of_reaped_children().since(&self.children_before);
        Outcome {
            ending: ending.filter(|_| self.started_it),
            events: counts.events,
            late: counts.late,
            lost: lost.unwrap_or(counts.lost) + self.odd.strange,
            foreign: self.odd.foreign,
            faults_seen: counts.faults,
            faults_counted: of_faults.map(|_| faults),
            rusage: self.started_it.then_some(reaped),
            recording_ns: of_faults.and_then(own_cost::of_a_fault),
            narrow_calls: counts.narrow,
        }
    }
}
