//! A scripted program: makes events with short calls, and keeps the lines of the trace.

use std::num::NonZeroU64;

use analysis::trace::LineBuilder;
use events::{
    Call, Cause, Clock, Ending, Event, EventKind, Fault, Header, Interner, Life, MappingReport,
    Name, Sees, Span, Syscall, ThpPolicy, Thread,
};
use results::trace::{self, Line, LineKind};

pub(crate) const PAGE: u64 = 4096;
pub(crate) const READ: u64 = 1;
pub(crate) const WRITE: u64 = 3;
pub(crate) const SHARED: u64 = 0x1;
pub(crate) const PRIVATE: u64 = 0x2;
pub(crate) const ANONYMOUS: u64 = 0x20;
pub(crate) const STACK: u64 = 0x2_0000;
pub(crate) const POPULATE: u64 = 0x8000;
/// No file.
pub(crate) const NO_FD: u64 = u64::MAX;

/// What tracepoints and perf events see as root, on a kernel that does not report page sizes.
pub(crate) const SEES: Sees = Sees {
    calls: true,
    faults: true,
    kernel_faults: true,
    page_sizes: false,
    allocations: false,
    stops: false,
    absences: false,
};

/// The head of a stream that begins at 0.
pub(crate) fn header(huge_pages: ThpPolicy, sees: Sees) -> Header {
    Header {
        clock: Clock::Monotonic,
        began_ns: 0,
        page_bytes: PAGE,
        huge_pages,
        can_swap: false,
        sees,
    }
}

/// A program with one event per microsecond, each taking half of that.
pub(crate) struct Script {
    pub(crate) builder: LineBuilder,
    pub(crate) interner: Interner,
    pub(crate) lines: Vec<Line>,
    pub(crate) now_ns: u64,
    pub(crate) thread: Thread,
    pub(crate) latency_ns: u64,
    pub(crate) page_bytes: Option<NonZeroU64>,
    /// Whether the kernel finds a page where the next faults begin.
    pub(crate) present: Option<bool>,
    ip: u64,
}

impl Script {
    pub(crate) fn new() -> Script {
        Script::with(ThpPolicy::Never)
    }

    pub(crate) fn with(huge_pages: ThpPolicy) -> Script {
        Script::seeing(huge_pages, SEES)
    }

    pub(crate) fn seeing(huge_pages: ThpPolicy, sees: Sees) -> Script {
        Script {
            builder: LineBuilder::new(&header(huge_pages, sees), true),
            interner: Interner::default(),
            lines: Vec::new(),
            now_ns: 0,
            thread: Thread { pid: 7, tid: 7 },
            latency_ns: 500,
            page_bytes: None,
            present: None,
            ip: 0x40_0000,
        }
    }

    /// The following events are of another thread.
    pub(crate) fn be(&mut self, pid: u32, tid: u32) {
        self.thread = Thread { pid, tid };
    }

    pub(crate) fn span(&self) -> Span {
        Span {
            latency_ns: NonZeroU64::new(self.latency_ns),
            on_cpu_ns: NonZeroU64::new(self.latency_ns / 2),
        }
    }

    pub(crate) fn event(&mut self, kind: EventKind) {
        self.now_ns += 1000;
        let event = Event { time_ns: self.now_ns, thread: self.thread, kind };
        self.builder.take(&event, self.interner.table(), &mut |line| self.lines.push(line));
    }

    pub(crate) fn call(&mut self, call: Call, arguments: &[u64], result: u64) {
        let mut registers = [0; 6];
        registers[..arguments.len()].copy_from_slice(arguments);
        let (result, span) = (Some(result.cast_signed()), self.span());
        self.event(EventKind::Syscall(Syscall {
            call,
            text: Name::NONE,
            arguments: registers,
            arguments_known: true,
            result,
            span,
        }));
    }

    pub(crate) fn mmap(&mut self, start: u64, pages: u64, protection: u64, flags: u64) {
        let fd = if flags & ANONYMOUS == 0 { 3 } else { NO_FD };
        self.call(Call::Mmap, &[0, pages * PAGE, protection, flags, fd, 0], start);
    }

    pub(crate) fn munmap(&mut self, start: u64, pages: u64) {
        self.call(Call::Munmap, &[start, pages * PAGE], 0);
    }

    pub(crate) fn madvise(&mut self, start: u64, pages: u64, advice: u64) {
        self.call(Call::Madvise, &[start, pages * PAGE, advice], 0);
    }

    /// The kernel's report of a mapping.
    pub(crate) fn mapped(&mut self, start: u64, pages: u64, protection: u32, name: &str) {
        self.mapped_at(start, pages, protection, name, 0);
    }

    pub(crate) fn mapped_at(
        &mut self,
        start: u64,
        pages: u64,
        protection: u32,
        name: &str,
        offset_bytes: u64,
    ) {
        let shared = name.starts_with("shared ");
        let (name, end) = (name.trim_start_matches("shared "), start + pages * PAGE);
        let report = MappingReport {
            start,
            end,
            offset_bytes,
            protection,
            shared,
            name,
            ..MappingReport::default()
        };
        let mapping = report.intern(&mut self.interner);
        self.event(EventKind::Mapping(mapping));
    }

    pub(crate) fn fork(&mut self, child: u32) {
        let by = self.thread;
        self.be(child, child);
        self.event(EventKind::Life(Life::Started { by }));
        self.thread = by;
    }

    pub(crate) fn life(&mut self, life: Life) {
        self.event(EventKind::Life(life));
    }

    pub(crate) fn end(&mut self) {
        self.life(Life::Ended { ending: Ending::Exited(0) });
    }

    pub(crate) fn fault_as(&mut self, address: u64, ip: u64, major: bool) -> trace::FaultLine {
        let span = self.span();
        self.event(EventKind::Fault(Fault {
            address,
            ip,
            span,
            page_bytes: self.page_bytes,
            major,
            in_kernel: false,
            present: self.present,
        }));
        match self.lines.last().map(|line| &line.kind) {
            Some(LineKind::Fault(fault)) => fault.clone(),
            other => panic!("a fault became {other:?}"),
        }
    }

    /// A fault by a new instruction; returns its cause.
    pub(crate) fn fault(&mut self, address: u64) -> Cause {
        self.ip += 4;
        self.fault_as(address, self.ip, false).cause
    }

    pub(crate) fn major(&mut self, address: u64) -> Cause {
        self.fault_as(address, 1, true).cause
    }

    /// The mapping at `address`, from a fault there.
    pub(crate) fn label(&mut self, address: u64) -> String {
        self.ip += 4;
        let fault = self.fault_as(address, self.ip, false);
        fault.mapping.map_or("nothing".to_owned(), |mapping| mapping.label().to_owned())
    }
}
