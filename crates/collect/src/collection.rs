//! An observed program, from the consumer's side.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use events::merge::Merge;
use events::{Batch, Event, EventKind, Header, Lost, Thread};
use sys::launch::Started;
use sys::limits::RaisedOpenFiles;
use sys::perf::record::{Anomalies, Format};
use sys::process::WaitStatus;
use sys::ptrace::Nudge;
use sys::relay::Sent;
use sys::remote::read_text;
use sys::usage::Usage;

use crate::calls::Numbers;
use crate::options::Notice;
use crate::perf::own_cost;
use crate::perf::rings::{Rings, Totals};
use crate::stream::control::Control;
use crate::stream::drain::Round;
use crate::stream::pairing::Pairing;
use crate::stream::raw::{self, RawEvent};

/// A program that is being observed.
#[derive(Debug)]
pub struct Collection {
    pub(crate) rounds: Receiver<Round>,
    pub(crate) shared: Arc<Control>,
    pub(crate) drain: JoinHandle<Option<Rings>>,
    pub(crate) tracer: Option<TracerThread>,
    /// The program, if it was started here and no tracer reaps it.
    pub(crate) program: Option<Started>,
    pub(crate) started_it: bool,
    /// Whether descendants that outlive the program were sent a signal.
    pub(crate) asked_descendants: bool,
    pub(crate) pid: u32,
    pub(crate) children_before: Usage,
    pub(crate) format: Format,
    pub(crate) numbers: Numbers,
    pub(crate) merge: Merge<RawEvent>,
    /// The number of merged sources that are rings; the tracer is the source after them.
    pub(crate) rings: usize,
    pub(crate) pairing: Pairing,
    pub(crate) anomalies: Anomalies,
    pub(crate) header: Header,
    /// Page faults of the program before it was let through its gate.
    pub(crate) before_exec_faults: Option<u64>,
    /// When the sources were read last.
    pub(crate) last_read_ns: u64,
    /// The time of a memory syscall before tracepoints were opened, if they were.
    pub(crate) bare_call_ns: Option<i64>,
    pub(crate) notices: Vec<Notice>,
    /// The rings need many descriptors; whatever is started later does not.
    pub(crate) open_files: Option<RaisedOpenFiles>,
}

/// The tracer's thread.
#[derive(Debug)]
pub(crate) struct TracerThread {
    pub(crate) handle: JoinHandle<Option<WaitStatus>>,
    pub(crate) nudge: Nudge,
}

/// Whether the stream goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamState {
    /// The program is running.
    Going,
    /// Everything has been delivered.
    Over,
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

/// How the program ended, and how complete the observation was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// How the first process ended; `None` if it was attached to, or still runs.
    pub ending: Option<WaitStatus>,
    /// Events delivered.
    pub events: u64,
    /// Events delivered after one that began later.
    pub late: u64,
    /// Records that were lost because a ring was full, or because the consumer was slow and the
    /// bound on waiting events was reached; and those that could not be parsed.
    pub lost: u64,
    /// Records with the id of another program's event, or with the time of another clock. A lower
    /// bound.
    pub misattributed: u64,
    /// Page faults whose beginning was recorded.
    pub faults_seen: u64,
    /// Page faults that the same events counted, including those whose records were lost; `None` if
    /// faults were not observed.
    pub faults_counted: Option<u64>,
    /// getrusage(2) of a program that was started here and of those of its descendants that were
    /// waited for. It includes pages that calls populated, and the few faults between fork and
    /// exec.
    pub rusage: Option<Usage>,
    /// The faults in it that are the program's own; `None` where a tracer waited for it.
    pub own_faults: Option<u64>,
    /// The faults in it from before the exec, at least.
    pub before_exec_faults: Option<u64>,
    /// When observing ended, on the stream's clock.
    pub until_ns: u64,
    /// The time that recording adds to a page fault, in nanoseconds, measured on this process at
    /// the end. Part of it is in every latency.
    pub recording_ns: Option<u64>,
    /// The time that recording by tracepoints adds to a memory syscall, in nanoseconds, measured
    /// likewise.
    pub recording_call_ns: Option<u64>,
    /// Memory syscalls in 32-bit mode that were seen and not reported: in a process that was not
    /// started as a 32-bit program, by tracepoints. A lower bound.
    pub compat32_calls: u64,
    /// How often the program used ptrace(2) and was refused, because it is traced by ptrace itself.
    pub refused_tracing: u64,
}

impl Collection {
    /// Waits up to `patience` for new events, and appends them to `batch`, in the order in which
    /// they began.
    pub fn next(&mut self, patience: Duration, batch: &mut Batch) -> StreamState {
        if let Some(tracer) = self.tracer.as_ref().filter(|_| self.shared.has_signal()) {
            // It may have missed the last nudge.
            tracer.nudge.send();
        }
        match self.rounds.recv_timeout(patience) {
            Ok(round) => {
                self.read(round, batch);
                StreamState::Going
            }
            Err(RecvTimeoutError::Timeout) => StreamState::Going,
            // The program may still run when nothing of it can be observed any more.
            Err(RecvTimeoutError::Disconnected) => {
                match self.program.as_mut().map(|program| program.ended_within(patience)) {
                    Some(Ok(None)) => StreamState::Going,
                    _ => StreamState::Over,
                }
            }
        }
    }

    fn read(&mut self, round: Round, batch: &mut Batch) {
        let reads_texts = self.shared.reads_texts;
        let text = |pid, address| reads_texts.then(|| read_text(pid, address).ok()).flatten();
        let mut records = &round.records[..];
        for (ring, &bytes) in round.ring_bytes.iter().enumerate() {
            let (own, others) = records.split_at(bytes);
            let anomalies = self.format.read(own, |record| {
                if let Some(raw) = raw::raw(record, &self.numbers, &self.shared.interner, &text) {
                    self.merge.push(ring, raw.time_ns, raw);
                }
            });
            self.anomalies.unparsed += anomalies.unparsed;
            self.anomalies.misattributed += anomalies.misattributed;
            records = others;
        }
        self.shared.budget.remove(round.bytes());
        for raw in round.traced {
            self.merge.push(self.rings, raw.time_ns, raw);
        }
        (0..self.rings).for_each(|ring| self.merge.promise(ring, round.rings_watermark_ns));
        self.merge.promise(self.rings, round.tracer_watermark_ns);
        self.emit(batch);
        self.learn_ending(Duration::ZERO, batch);
        self.last_read_ns = round.began_ns;
        self.pairing.pass_on(round.began_ns, &mut |event| batch.events.push(event));
    }

    /// Completes the end of the program by its status, which the rings do not have.
    fn learn_ending(&mut self, patience: Duration, batch: &mut Batch) {
        if self.pairing.waits_for(self.pid)
            && let Some(Ok(Some(status))) =
                self.program.as_mut().map(|program| program.ended_within(patience))
        {
            let ending = raw::ending(status);
            self.pairing.process_ended(self.pid, ending, &mut |event| batch.events.push(event));
        }
    }

    /// Moves events whose order is settled to `batch`, with the definitions that they refer to,
    /// which were made before.
    fn emit(&mut self, batch: &mut Batch) {
        self.merge.emit(|raw| self.pairing.take(raw, &mut |event| batch.events.push(event)));
        self.shared.interner.take_new(&mut batch.definitions);
    }

    /// The process that was started or attached to.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The header of the stream.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What cannot be observed, and why.
    #[must_use]
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// Stops observing. A process that was attached to goes on; [`Collection::next`] delivers the
    /// remaining events. Call it again while that delivers events, since the tracer may miss a
    /// nudge.
    pub fn stop(&self) {
        self.shared.stop();
        if let Some(tracer) = &self.tracer {
            tracer.nudge.send();
        }
    }

    /// Whether the program cannot run without its tracer: it was started with a seccomp filter that
    /// needs one.
    #[must_use]
    pub fn is_program_held(&self) -> bool {
        self.started_it && self.tracer.is_some()
    }

    /// Whether observing is being stopped.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.shared.is_stopping()
    }

    /// Whether the program that was started has ended. Its descendants may still run.
    pub fn program_has_ended(&mut self) -> bool {
        match &mut self.program {
            Some(program) => program.ended_within(Duration::ZERO) != Ok(None),
            None => self.shared.first_has_ended(),
        }
    }

    /// Whether the program that was started is stopped (Ctrl-Z), held in that stop by the tracer.
    #[must_use]
    pub fn is_program_stopped(&self) -> bool {
        self.shared.is_first_stopped()
    }

    /// Passes a request to end on to the program that was started. If it has ended, and its
    /// descendants can run without the tracer, observing stops instead.
    pub fn ask_to_end(&mut self, request: Sent) -> Asked {
        let has_ended = self.program_has_ended();
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
        if self.program_has_ended() {
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

    /// Waits for the end of the program, if it was started here, and appends the last events.
    pub fn finish(mut self, batch: &mut Batch) -> Outcome {
        while self.next(Duration::from_secs(1), batch) == StreamState::Going {}
        self.merge.close();
        self.emit(batch);
        // Its threads have ended, so its status is there in a moment.
        self.learn_ending(Duration::from_secs(1), batch);
        let counts = self.pairing.finish(&mut |event| batch.events.push(event));
        let traced = self.tracer.take().and_then(|tracer| tracer.handle.join().ok());
        let rings = self.drain.join().ok().flatten();
        let Totals { faults, lost } = rings.as_ref().map(Rings::totals).unwrap_or_default();
        let (lost_by_tracer, not_told) = self.shared.outbox.lost();
        // Both kinds of losses appear as gaps; if the kernel counts them, its figure is exact.
        let lost = lost.map_or(counts.lost + not_told, |of_rings| of_rings + lost_by_tracer);
        // A gap is told by the next record that finds room: the last one is followed by none.
        let untold = lost.saturating_sub(counts.lost);
        let gap = Event {
            time_ns: self.last_read_ns,
            thread: Thread { pid: 0, tid: 0 },
            kind: EventKind::Lost(Lost { records: untold }),
        };
        batch.events.extend((untold > 0).then_some(gap));
        let recording = end_rings(rings, self.bare_call_ns);
        let waited = self.program.as_mut().and_then(|program| program.wait().ok());
        let own_faults = self.program.take().and_then(|program| program.faults());
        let ending = waited.or(traced.flatten());
        let reaped = Usage::of_reaped_children().since(&self.children_before);
        Outcome {
            ending: ending.filter(|_| self.started_it),
            events: counts.events,
            late: counts.late,
            lost: lost + self.anomalies.unparsed,
            misattributed: self.anomalies.misattributed,
            faults_seen: counts.faults,
            faults_counted: recording.sees_faults.then_some(faults),
            rusage: self.started_it.then_some(reaped),
            own_faults: own_faults.map(|faults| faults.own),
            before_exec_faults: self.before_exec_faults,
            until_ns: self.last_read_ns,
            recording_ns: recording.fault_ns,
            recording_call_ns: recording.call_ns,
            compat32_calls: counts.compat32,
            refused_tracing: self.shared.refused_tracing(),
        }
    }
}

/// What recording cost.
#[derive(Debug, Clone, Copy, Default)]
struct Recording {
    sees_faults: bool,
    fault_ns: Option<u64>,
    call_ns: Option<u64>,
}

/// Closes the rings, and measures the cost of recording while the kernel closes the tracepoints,
/// which takes it some 80 ms of waiting.
fn end_rings(rings: Option<Rings>, bare_call_ns: Option<i64>) -> Recording {
    let Some(mut rings) = rings else { return Recording::default() };
    let wanted = rings.wanted.clone();
    let call_ns = bare_call_ns.and_then(|bare_ns| own_cost::of_a_call(&wanted, bare_ns));
    let calls = rings.take_calls();
    // Where there can be no thread, they are closed here.
    let close = std::thread::Builder::new().name("firsttouch-close".into());
    let closing = close.spawn(move || drop(calls));
    // Closed first, because they count against this user's limit.
    drop(rings);
    let fault_ns = wanted.faults.then(|| own_cost::of_a_fault(wanted.user_mode_only)).flatten();
    // A panic there has been reported already.
    let _ = closing.map(std::thread::JoinHandle::join);
    Recording { sees_faults: wanted.faults, fault_ns, call_ns }
}
