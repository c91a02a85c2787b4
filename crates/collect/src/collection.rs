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
use sys::remote::read_text;
use sys::usage::Usage;

use crate::calls::Numbers;
use crate::observed_process::ObservedProcess;
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
    pub(crate) subject: ObservedProcess,
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

/// Whether the stream goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamState {
    /// The program is running.
    Going,
    /// Everything has been delivered.
    Over,
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
        self.subject.nudge_again();
        match self.rounds.recv_timeout(patience) {
            Ok(round) => {
                self.read(round, batch);
                StreamState::Going
            }
            Err(RecvTimeoutError::Timeout) => StreamState::Going,
            // The program may still run when nothing of it can be observed any more.
            Err(RecvTimeoutError::Disconnected) => {
                let program = self.subject.program.as_mut();
                match program.map(|program| program.ended_within(patience)) {
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
        let ObservedProcess { pid, program, .. } = &mut self.subject;
        if self.pairing.waits_for(*pid)
            && let Some(Ok(Some(status))) =
                program.as_mut().map(|program| program.ended_within(patience))
        {
            let ending = raw::ending(status);
            self.pairing.process_ended(*pid, ending, &mut |event| batch.events.push(event));
        }
    }

    /// Moves events whose order is settled to `batch`, with the definitions that they refer to,
    /// which were made before.
    fn emit(&mut self, batch: &mut Batch) {
        self.merge.emit(|raw| self.pairing.take(raw, &mut |event| batch.events.push(event)));
        self.shared.interner.take_new(&mut batch.definitions);
    }

    /// The program or process that is observed.
    pub fn subject(&mut self) -> &mut ObservedProcess {
        &mut self.subject
    }

    /// The process that was started or attached to.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.subject.pid()
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

    /// Waits for the end of the program, if it was started here, and appends the last events.
    pub fn finish(mut self, batch: &mut Batch) -> Outcome {
        while self.next(Duration::from_secs(1), batch) == StreamState::Going {}
        self.merge.close();
        self.emit(batch);
        // Its threads have ended, so its status is there in a moment.
        self.learn_ending(Duration::from_secs(1), batch);
        let (outcome, mut subject, children_before) = self.close(batch);
        let ending = subject.wait();
        let own_faults = subject.program.as_ref().and_then(Started::faults);
        let reaped = Usage::of_reaped_children().since(&children_before);
        Outcome {
            ending,
            rusage: subject.started_it.then_some(reaped),
            own_faults: own_faults.map(|faults| faults.own),
            ..outcome
        }
    }

    /// Ends observing now, and appends the last events. The program that was started goes on, with
    /// its tracer if it needs that, whose stops are no events any more; the outcome has no end and
    /// no usage of it.
    pub fn leave(mut self, batch: &mut Batch) -> (Outcome, ObservedProcess) {
        self.subject.stop();
        while !self.drain.is_finished() {
            match self.rounds.recv_timeout(Duration::from_millis(1)) {
                Ok(round) => self.read(round, batch),
                Err(_) => std::thread::yield_now(),
            }
        }
        while let Ok(round) = self.rounds.try_recv() {
            self.read(round, batch);
        }
        self.merge.close();
        self.emit(batch);
        let (outcome, subject, _) = self.close(batch);
        (outcome, subject)
    }

    /// Completes the last events, when all raw events have been read.
    fn close(mut self, batch: &mut Batch) -> (Outcome, ObservedProcess, Usage) {
        let counts = self.pairing.finish(&mut |event| batch.events.push(event));
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
        let outcome = Outcome {
            ending: None,
            events: counts.events,
            late: counts.late,
            lost: lost + self.anomalies.unparsed,
            misattributed: self.anomalies.misattributed,
            faults_seen: counts.faults,
            faults_counted: recording.sees_faults.then_some(faults),
            rusage: None,
            own_faults: None,
            before_exec_faults: self.before_exec_faults,
            until_ns: self.last_read_ns,
            recording_ns: recording.fault_ns,
            recording_call_ns: recording.call_ns,
            compat32_calls: counts.compat32,
            refused_tracing: self.shared.refused_tracing(),
        };
        (outcome, self.subject, self.children_before)
    }
}

/// What recording cost.
#[derive(Debug, Clone, Copy, Default)]
struct Recording {
    sees_faults: bool,
    fault_ns: Option<u64>,
    call_ns: Option<u64>,
}

/// Closes the rings, and measures the cost of recording.
fn end_rings(rings: Option<Rings>, bare_call_ns: Option<i64>) -> Recording {
    let Some(mut rings) = rings else { return Recording::default() };
    let wanted = rings.wanted.clone();
    let call_ns = bare_call_ns.and_then(|bare_ns| own_cost::of_a_call(&wanted, bare_ns));
    rings.close_calls();
    // Closed first, because they count against this user's limit.
    drop(rings);
    let fault_ns = wanted.faults.then(|| own_cost::of_a_fault(wanted.user_mode_only)).flatten();
    Recording { sees_faults: wanted.faults, fault_ns, call_ns }
}
