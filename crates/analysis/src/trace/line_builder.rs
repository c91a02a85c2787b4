//! From events to lines: calls decoded, addresses with their mapping, faults with their cause.

use std::num::NonZeroU64;

use events::{
    Batch, Call, Definitions, Event, EventKind, Fault, Header, Life, Mapping, Sees, Span, Syscall,
    Thread,
};
use results::start::ProgramStart;
use results::trace::{self, Line, LineKind, MappingLabel, TraceSummary};

use super::lifetimes::Lifetimes;
use super::{decode, registers};
use crate::address_space::{
    Attribution, Attributor, CallEffect, FaultOrigin, LifeChange, MappedRegion,
};
use crate::start::{Starts, program_start};

/// Makes lines from events. Its state is the address spaces and at most one waiting line.
#[derive(Debug)]
pub struct LineBuilder {
    began_ns: u64,
    /// Whether lines have the single arguments besides the text of the call.
    with_arguments: bool,
    attributor: Attributor,
    starts: Starts,
    lifetimes: Lifetimes,
    sees: Sees,
    waiting: Option<Waiting>,
    events: u64,
    executions: u64,
    populating_calls: u64,
    faults: u64,
    lost: u64,
    last_ns: u64,
}

/// An mmap of a file waits for the kernel's report, which follows at once and has the name.
#[derive(Debug)]
struct Waiting {
    line: Line,
    address: u64,
    /// Lines of times off the processor, inside the call.
    behind: Vec<Line>,
}

impl LineBuilder {
    /// A builder for the stream that begins with `header`. `with_arguments`: calls also have their
    /// single arguments.
    #[must_use]
    pub fn new(header: &Header, with_arguments: bool) -> LineBuilder {
        LineBuilder {
            began_ns: header.began_ns,
            with_arguments,
            attributor: Attributor::new(header),
            starts: Starts::to_entry(header),
            lifetimes: Lifetimes::default(),
            sees: header.sees,
            waiting: None,
            events: 0,
            executions: 0,
            populating_calls: 0,
            faults: 0,
            lost: 0,
            last_ns: header.began_ns,
        }
    }

    /// Takes a whole batch of the stream, moves its definitions into `definitions`, and emits every
    /// line; none waits for the next batch.
    pub fn read(
        &mut self,
        batch: &mut Batch,
        definitions: &mut Definitions,
        emit: &mut dyn FnMut(Line),
    ) {
        for definition in batch.definitions.drain(..) {
            let follows = definitions.define(definition);
            debug_assert!(follows, "definitions come in order");
        }
        for event in batch.events.drain(..) {
            self.take(&event, definitions, emit);
        }
        self.pause(emit);
    }

    /// Takes the next event and emits the lines that are ready: usually its own, sometimes one that
    /// waited for it.
    pub fn take(&mut self, event: &Event, definitions: &Definitions, emit: &mut dyn FnMut(Line)) {
        self.last_ns = self.last_ns.max(event.time_ns);
        if let EventKind::Mapping(mapping) = &event.kind {
            self.attribute(event, definitions);
            return self.name_waiting(mapping, event, definitions);
        }
        if let EventKind::Absence(absence) = event.kind {
            self.events += 1;
            let line = self.line(event, LineKind::Absence(absence));
            return match &mut self.waiting {
                Some(waiting) => waiting.behind.push(line),
                None => emit(line),
            };
        }
        self.pause(emit);
        let kind = match (&event.kind, self.attribute(event, definitions)) {
            (EventKind::Syscall(call), Attribution::Call(effect)) => {
                self.events += 1;
                self.lifetimes.see(event.thread, event.time_ns);
                self.populating_calls += u64::from(registers::populates(call));
                let shown = self.syscall(call, &effect, definitions);
                let of_a_file =
                    shown.mapping.as_ref().is_some_and(|mapping| mapping.kind.is_file());
                let kind = LineKind::Syscall(shown);
                if let (Call::Mmap, Some(address), true) =
                    (call.call, call.succeeded_with(), of_a_file)
                {
                    self.waiting =
                        Some(Waiting { line: self.line(event, kind), address, behind: Vec::new() });
                    return;
                }
                kind
            }
            (EventKind::Fault(fault), Attribution::Fault(origin)) => {
                self.events += 1;
                self.faults += 1;
                self.lifetimes.see(event.thread, event.time_ns);
                self.lifetimes.fault(event.thread, fault.span.latency_ns.is_some());
                LineKind::Fault(shown_fault(fault, &origin, definitions))
            }
            (EventKind::Allocation(call), _) => {
                self.events += 1;
                LineKind::Allocation(*call)
            }
            (EventKind::Life(life), Attribution::Life(change)) => {
                self.note(*life, change, event);
                match process(*life, change, definitions) {
                    Some(process) => {
                        self.events += 1;
                        LineKind::Process(process)
                    }
                    None => return,
                }
            }
            (EventKind::Lost(lost), _) => {
                self.lost += lost.records;
                LineKind::Lost(lost.records)
            }
            _ => return,
        };
        emit(self.line(event, kind));
    }

    /// Emits a waiting line. Call it when no event arrives for a while, and at the end.
    pub fn pause(&mut self, emit: &mut dyn FnMut(Line)) {
        if let Some(waiting) = self.waiting.take() {
            emit(waiting.line);
            waiting.behind.into_iter().for_each(emit);
        }
    }

    /// The summary at `until_ns`, when observing ended, without the facts that only the collector
    /// knows: the ending of the process, and the kernel's counts.
    #[must_use]
    pub fn summary(&self, until_ns: u64) -> TraceSummary {
        let lives = self.lifetimes.summary(until_ns.max(self.last_ns));
        TraceSummary {
            time_ns: self.last_ns - self.began_ns,
            events: self.events,
            lost: self.lost,
            faults_seen: self.faults,
            executions: self.executions,
            populating_calls: self.sees.calls.then_some(self.populating_calls),
            sees_faults: self.sees.faults,
            sees_kernel_faults: self.sees.kernel_faults,
            ..lives
        }
    }

    /// What the program paid before its entry, if that is known.
    #[must_use]
    pub fn program_start(&self, definitions: &Definitions) -> Option<ProgramStart> {
        let account = self.starts.clone().finish()?;
        Some(program_start(&account, definitions, |_, _| Vec::new()))
    }

    fn attribute(&mut self, event: &Event, definitions: &Definitions) -> Attribution {
        let attribution = self.attributor.take(event);
        self.starts.take(event, &attribution, &mut self.attributor, definitions);
        attribution
    }

    /// Notes a start or an end.
    fn note(&mut self, life: Life, change: LifeChange, event: &Event) {
        let Event { thread, time_ns, .. } = *event;
        match change {
            LifeChange::Over(_) => self.lifetimes.end_process(thread, time_ns),
            LifeChange::ThreadEnded => self.lifetimes.end_thread(thread, time_ns),
            LifeChange::Attached | LifeChange::ThreadAttached => {
                self.lifetimes.attach(thread, time_ns);
            }
            LifeChange::Started { .. } | LifeChange::ThreadStarted { .. } => {
                if let Life::Started { by } = life {
                    self.lifetimes.start(thread, time_ns, by);
                }
            }
            LifeChange::Executed => {
                self.executions += 1;
                self.lifetimes.execute(thread, time_ns);
            }
            LifeChange::None => {}
        }
    }

    fn line(&self, event: &Event, kind: LineKind) -> Line {
        let Thread { pid, tid } = event.thread;
        Line { time_ns: event.time_ns.saturating_sub(self.began_ns), pid, tid, kind }
    }

    /// Names the waiting mmap, if the kernel's report `mapping` belongs to it.
    fn name_waiting(&mut self, mapping: &Mapping, event: &Event, definitions: &Definitions) {
        let Some(Waiting { line, address, .. }) = &mut self.waiting else { return };
        if (line.pid, line.tid) == (event.thread.pid, event.thread.tid)
            && (mapping.start..mapping.end).contains(address)
            && let LineKind::Syscall(shown) = &mut line.kind
        {
            let region = self.attributor.region(event.thread.pid, *address);
            shown.mapping = region.map(|region| label(&region, definitions));
        }
    }

    fn syscall(
        &self,
        call: &Syscall,
        effect: &CallEffect,
        definitions: &Definitions,
    ) -> trace::SyscallLine {
        let (latency_ns, on_cpu_ns) = times(call.span);
        trace::SyscallLine {
            name: call.call.name(),
            text: decode::line(call, definitions).to_string(),
            arguments: if !self.with_arguments {
                Some(Vec::new())
            } else if call.arguments_known {
                Some(registers::arguments(call, definitions))
            } else {
                None
            },
            result: registers::result(call),
            error: registers::error(call),
            latency_ns,
            on_cpu_ns,
            bytes: if call.call == Call::Brk {
                effect.break_moved_bytes
            } else {
                registers::bytes(call)
            },
            mapping: effect.before.or(effect.after).map(|region| label(&region, definitions)),
        }
    }
}

fn shown_fault(fault: &Fault, origin: &FaultOrigin, definitions: &Definitions) -> trace::FaultLine {
    let (latency_ns, on_cpu_ns) = times(fault.span);
    trace::FaultLine {
        address: fault.address,
        ip: fault.ip,
        major: fault.major,
        in_kernel: fault.in_kernel,
        present: fault.present,
        cause: origin.cause,
        mapping: origin.region.map(|region| label(&region, definitions)),
        page_bytes: fault.page_bytes.map(NonZeroU64::get),
        large: origin.large,
        latency_ns,
        on_cpu_ns,
    }
}

fn process(life: Life, change: LifeChange, definitions: &Definitions) -> Option<trace::LifeLine> {
    Some(match (change, life) {
        (LifeChange::Started { by }, _) => trace::LifeLine::Started { by },
        (LifeChange::ThreadStarted { by }, _) => trace::LifeLine::ThreadStarted { by },
        (LifeChange::Executed, Life::Executed { name }) => {
            trace::LifeLine::Executed { name: definitions.shared_text(name) }
        }
        (LifeChange::Over(ending), _) => trace::LifeLine::Over(ending),
        (LifeChange::ThreadEnded, _) => trace::LifeLine::ThreadEnded,
        (LifeChange::Attached, _) => trace::LifeLine::Attached,
        (LifeChange::Executed | LifeChange::ThreadAttached | LifeChange::None, _) => return None,
    })
}

fn times(span: Span) -> (Option<u64>, Option<u64>) {
    (span.latency_ns.map(NonZeroU64::get), span.on_cpu_ns.map(NonZeroU64::get))
}

fn label(region: &MappedRegion, definitions: &Definitions) -> MappingLabel {
    let name = region.name.is_some().then(|| definitions.shared_text(region.name));
    MappingLabel { kind: region.kind, name, start: region.start }
}
