//! From events to lines: each in its words, each address with what is mapped there, each fault with its cause.

use std::num::NonZeroU64;

use events::{Call, Event, Fault, Life, Mapping, Names, Span, Syscall, Thread, What};
use results::trace::{self, Kind, Line, Summary};

use crate::decode;
use crate::processes::Processes;
use crate::registers;
use crate::space::{Paging, Region, returned};

/// A trace being told. Events come in, lines go out; what is kept between them is the address spaces.
#[derive(Debug)]
pub struct Story {
    start_ns: u64,
    /// Arguments one by one, besides the text of the whole call.
    with_arguments: bool,
    processes: Processes,
    smallest_bytes: u64,
    waiting: Option<Waiting>,
    events: u64,
    faults: u64,
    lost: u64,
    last_ns: u64,
}

/// An mmap of a file: the kernel's own report, which knows the name, comes right behind it.
#[derive(Debug)]
struct Waiting {
    line: Line,
    address: u64,
}

impl Story {
    /// A trace that began at `start_ns` on the events' clock. Only with `with_arguments` do calls have their arguments one by one.
    #[must_use]
    pub fn new(start_ns: u64, paging: Paging, with_arguments: bool) -> Story {
        let processes = Processes::new(paging);
        Story {
            start_ns,
            with_arguments,
            smallest_bytes: paging.page_bytes,
            processes,
            waiting: None,
            events: 0,
            faults: 0,
            lost: 0,
            last_ns: start_ns,
        }
    }

    /// Takes the next event, and tells the lines that are ready: usually its own, at times one that had to wait for it.
    pub fn take(&mut self, event: &Event, names: &Names, tell: &mut dyn FnMut(Line)) {
        self.last_ns = self.last_ns.max(event.time_ns);
        if let What::Mapping(mapping) = &event.what {
            self.map(mapping, event, names);
            return;
        }
        self.pause(tell);
        let what = match &event.what {
            What::Syscall(call) => {
                self.events += 1;
                let told = self.syscall(call, event, names);
                let of_a_file = told
                    .mapping
                    .as_ref()
                    .is_some_and(|mapping| matches!(mapping.kind, Kind::PrivateFile | Kind::SharedFile));
                if let (Call::Mmap, Some(address), true) = (call.call, returned(call), of_a_file) {
                    let line = self.line(event, trace::What::Syscall(told));
                    self.waiting = Some(Waiting { line, address });
                    return;
                }
                trace::What::Syscall(told)
            }
            What::Fault(fault) => {
                self.events += 1;
                self.faults += 1;
                trace::What::Fault(self.fault(fault, event, names))
            }
            What::Life(life) => match self.life(*life, event, names) {
                Some(process) => {
                    self.events += 1;
                    trace::What::Process(process)
                }
                None => return,
            },
            What::Lost(lost) => {
                self.lost += lost.records;
                trace::What::Lost(lost.records)
            }
            What::Mapping(_) => return,
        };
        tell(self.line(event, what));
    }

    /// Tells what waits: nothing comes for a while, or nothing more.
    pub fn pause(&mut self, tell: &mut dyn FnMut(Line)) {
        if let Some(waiting) = self.waiting.take() {
            tell(waiting.line);
        }
    }

    /// The end of it, without what only the observer knows: the process, its ending, and the counts of others.
    #[must_use]
    pub fn summary(&self) -> Summary {
        Summary {
            time_ns: self.last_ns - self.start_ns,
            events: self.events,
            lost: self.lost,
            faults_seen: self.faults,
            ..Summary::default()
        }
    }

    fn line(&self, event: &Event, what: trace::What) -> Line {
        let Thread { pid, tid } = event.thread;
        Line { time_ns: event.time_ns.saturating_sub(self.start_ns), pid, tid, what }
    }

    fn map(&mut self, mapping: &Mapping, event: &Event, names: &Names) {
        let space = self.processes.space(event.thread.pid);
        space.map(mapping, names, event.thread, event.time_ns);
        let Some(Waiting { line, address }) = &mut self.waiting else { return };
        if (line.pid, line.tid) == (event.thread.pid, event.thread.tid)
            && (mapping.start..mapping.end).contains(address)
            && let trace::What::Syscall(told) = &mut line.what
        {
            told.mapping = space.at(*address).map(|region| named(&region, names));
        }
    }

    fn syscall(&mut self, call: &Syscall, event: &Event, names: &Names) -> trace::Syscall {
        let arguments = if self.with_arguments { registers::arguments(call, names) } else { Vec::new() };
        let space = self.processes.space(event.thread.pid);
        space.settle(event.time_ns);
        let before = registers::subject(call).and_then(|address| space.at(address));
        let break_before = space.program_break();
        let made = space.call(call, event.thread, event.time_ns);
        let result = registers::result(call);
        let after = match result {
            Some(trace::Returned::Address(address)) if call.call != Call::Brk => made.or_else(|| space.at(address)),
            _ => None,
        };
        let (latency_ns, on_cpu_ns) = times(call.span);
        trace::Syscall {
            name: call.call.name(),
            text: decode::line(call, names).to_string(),
            arguments,
            result,
            error: registers::error(call),
            latency_ns,
            on_cpu_ns,
            bytes: if call.call == Call::Brk {
                moved(break_before, space.program_break())
            } else {
                registers::bytes(call)
            },
            mapping: before.or(after).map(|region| named(&region, names)),
        }
    }

    fn fault(&mut self, fault: &Fault, event: &Event, names: &Names) -> trace::Fault {
        self.processes.see_faults();
        let seen = self.processes.space(event.thread.pid).fault(fault, event.thread, event.time_ns);
        let (latency_ns, on_cpu_ns) = times(fault.span);
        trace::Fault {
            address: fault.address,
            ip: fault.ip,
            major: fault.major,
            in_kernel: fault.in_kernel,
            cause: seen.cause,
            mapping: seen.region.map(|region| named(&region, names)),
            page_bytes: fault.page_bytes.map(NonZeroU64::get),
            large: fault.page_bytes.is_some_and(|bytes| bytes.get() > self.smallest_bytes),
            latency_ns,
            on_cpu_ns,
        }
    }

    fn life(&mut self, life: Life, event: &Event, names: &Names) -> Option<trace::Process> {
        let thread = event.thread;
        Some(match life {
            Life::Started { by } => self.processes.start(thread, by, event.time_ns),
            Life::Executed { name } => {
                self.processes.execute(thread);
                trace::Process::Executed { name: names.shared(name) }
            }
            Life::Ended { ending } => self.processes.end(thread, ending),
            Life::Met => return self.processes.meet(thread).then_some(trace::Process::Met),
        })
    }
}

/// By how much a call moved the program break; `None` where it did not, or where that is not known.
fn moved(before: Option<u64>, after: Option<u64>) -> Option<u64> {
    before.zip(after).map(|(before, after)| before.abs_diff(after)).filter(|bytes| *bytes > 0)
}

fn times(span: Span) -> (Option<u64>, Option<u64>) {
    (span.latency_ns.map(NonZeroU64::get), span.on_cpu_ns.map(NonZeroU64::get))
}

fn named(region: &Region, names: &Names) -> trace::Mapping {
    let name = region.name.is_some().then(|| names.shared(region.name));
    trace::Mapping { kind: region.kind, name, start: region.start }
}
