//! Attributes each event: mappings and causes as ids and numbers, no text.

use std::ops::Range;

use events::{Call, Cause, Ending, Event, EventKind, Fault, Header, Life, Syscall, Thread};

use super::processes::Processes;
use super::sharing::Sharers;
use super::{KernelRules, MappedRegion, MappingAccount};

/// Attributes events to mappings and causes. Its state is the address spaces of the live processes.
#[derive(Debug)]
pub struct Attributor {
    processes: Processes,
    smallest_bytes: u64,
    changed_files: Vec<Range<u64>>,
}

/// The attribution of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribution {
    /// Of a syscall.
    Call(CallEffect),
    /// Of a fault.
    Fault(FaultOrigin),
    /// Of a life.
    Life(LifeChange),
    /// A mapping or a gap: nothing to attribute.
    None,
}

/// The mappings that a syscall concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CallEffect {
    /// The mapping at its address argument, before the call.
    pub before: Option<MappedRegion>,
    /// The mapping at its result, after the call; `None` for brk(2).
    pub after: Option<MappedRegion>,
    /// How far it moved the program break; `None` if it did not, or if unknown.
    pub break_moved_bytes: Option<u64>,
    /// Whether it moved the program break down.
    pub break_fell: bool,
}

/// The origin of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultOrigin {
    /// The cause.
    pub cause: Cause,
    /// The mapping; `None` if unknown.
    pub region: Option<MappedRegion>,
    /// Whether the fault mapped a page larger than the base page.
    pub large: bool,
}

/// A change of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LifeChange {
    /// A new process.
    Started {
        /// The parent process.
        by: u32,
    },
    /// A new thread.
    ThreadStarted {
        /// The thread that started it.
        by: u32,
    },
    /// The process executed another program.
    Executed,
    /// The process ended.
    Over(Ending),
    /// A thread ended; others continue.
    ThreadEnded,
    /// The process was already running at the start of the trace.
    Attached,
    /// A further thread of such a process was.
    ThreadAttached,
    /// Nothing new.
    None,
}

impl Attributor {
    /// An attributor for the stream that begins with `header`.
    #[must_use]
    pub fn new(header: &Header) -> Attributor {
        Attributor {
            processes: Processes::new(*header),
            smallest_bytes: header.page_bytes,
            changed_files: Vec::new(),
        }
    }

    /// The same on a machine with these rules, which say what is accounted.
    #[must_use]
    pub fn with_rules(self, rules: KernelRules) -> Attributor {
        Attributor { processes: self.processes.with_rules(rules), ..self }
    }

    /// What mappings took, at the end of the stream.
    #[must_use]
    pub fn finish(self) -> MappingAccount {
        self.processes.finish()
    }

    /// Takes the next event of the stream.
    pub fn take(&mut self, event: &Event) -> Attribution {
        self.take_for(event, None)
    }

    /// The same; a mapping that comes of it is held by the call site with the number `site`.
    pub fn take_for(&mut self, event: &Event, site: Option<u32>) -> Attribution {
        self.changed_files.clear();
        match &event.kind {
            EventKind::Syscall(call) => Attribution::Call(self.call(call, event, site)),
            EventKind::Fault(fault) => Attribution::Fault(self.fault(fault, event)),
            EventKind::Life(life) => Attribution::Life(self.life(*life, event)),
            EventKind::Mapping(mapping) => {
                let space = self.processes.space(event.thread.pid);
                space.map(mapping, event.thread, event.time_ns);
                space.take_changed_files(&mut self.changed_files);
                space.note_sizes(event.thread.pid, event.time_ns);
                Attribution::None
            }
            EventKind::Lost(_) | EventKind::Allocation(_) | EventKind::Absence(_) => {
                Attribution::None
            }
        }
    }

    /// Where the process of the last event has another file mapped than before that event, or none
    /// any more: the code at such an address is not what it was.
    #[must_use]
    pub fn changed_files(&self) -> &[Range<u64>] {
        &self.changed_files
    }

    /// The mapping at `address` of a process, from the events so far.
    pub fn region(&mut self, pid: u32, address: u64) -> Option<MappedRegion> {
        self.processes.space(pid).at(address)
    }

    /// The bytes of the pages between two addresses of a process that are or may be present: that
    /// were touched, or populated, since they were mapped.
    pub(crate) fn touched_bytes(&mut self, pid: u32, start: u64, end: u64) -> u64 {
        self.processes.space(pid).touched_bytes(start, end)
    }

    /// Whether the process ends if `thread` ends in this way.
    pub(crate) fn is_last(&self, thread: Thread, ending: Ending) -> bool {
        self.processes.is_last(thread, ending)
    }

    /// The resident bytes of a process's private memory (`RssAnon` of /proc/PID/status), as the
    /// events so far show it: pages that were touched or populated and have not been given back.
    #[must_use]
    pub fn resident_bytes(&self, pid: u32) -> u64 {
        self.processes.private_pages(pid).saturating_mul(self.smallest_bytes)
    }

    /// The same at `time_ns`, by when calls may have ended that populate memory.
    pub fn resident_bytes_at(&mut self, pid: u32, time_ns: u64) -> u64 {
        self.processes.settle(pid, time_ns);
        self.resident_bytes(pid)
    }

    fn call(&mut self, call: &Syscall, event: &Event, site: Option<u32>) -> CallEffect {
        let space = self.processes.space(event.thread.pid);
        space.settle(event.time_ns);
        let before = subject(call).and_then(|address| space.at(address));
        let break_before = space.program_break();
        let made = space.call(call, (event.thread, site), event.time_ns);
        space.note_sizes(event.thread.pid, event.time_ns);
        let after = match call.succeeded_with() {
            Some(address) if call.call != Call::Brk && call.call.returns_address() => {
                made.or_else(|| space.at(address))
            }
            _ => None,
        };
        space.take_changed_files(&mut self.changed_files);
        let breaks = break_before.zip(space.program_break());
        let moved = breaks.map(|(before, after)| before.abs_diff(after));
        CallEffect {
            before,
            after,
            break_moved_bytes: moved.filter(|bytes| *bytes > 0),
            break_fell: breaks.is_some_and(|(before, after)| after < before),
        }
    }

    fn fault(&mut self, fault: &Fault, event: &Event) -> FaultOrigin {
        let pid = event.thread.pid;
        self.processes.space(pid).come_to(fault, event.thread, event.time_ns);
        // Most faults are on pages that nobody has.
        let sharers = match fault.present {
            Some(false) => Sharers::default(),
            _ => self.processes.sharers(pid, fault.address, event.time_ns),
        };
        let space = self.processes.space(pid);
        let seen = space.fault(fault, (event.thread, sharers), event.time_ns);
        space.take_changed_files(&mut self.changed_files);
        space.note_sizes(pid, event.time_ns);
        if let Some(end_ns) = event.end_ns().filter(|_| sharers.page) {
            self.processes.note_copy(pid, fault.address, end_ns);
        }
        let large = fault.page_bytes.is_some_and(|bytes| bytes.get() > self.smallest_bytes);
        FaultOrigin { cause: seen.cause, region: seen.region, large }
    }

    fn life(&mut self, life: Life, event: &Event) -> LifeChange {
        let thread: Thread = event.thread;
        self.processes.note_first(thread.pid);
        match life {
            Life::Started { by } => self.processes.start(thread, by, event.time_ns),
            Life::Executed { .. } => {
                self.processes.execute(thread);
                LifeChange::Executed
            }
            Life::Ended { ending } => self.processes.end(thread, ending),
            Life::Attached if self.processes.attach(thread) => LifeChange::Attached,
            Life::Attached => LifeChange::ThreadAttached,
            Life::Compat32 => {
                self.processes.space(thread.pid).set_compat32();
                LifeChange::None
            }
        }
    }
}

/// The address argument whose existing mapping the call concerns, if any.
fn subject(call: &Syscall) -> Option<u64> {
    let has = matches!(
        call.call,
        Call::Munmap
            | Call::Mremap
            | Call::Mprotect
            | Call::PkeyMprotect
            | Call::Madvise
            | Call::Mlock
            | Call::Mlock2
            | Call::Munlock
            | Call::Msync
            | Call::Mincore
            | Call::Mbind
            | Call::Mseal
            | Call::RemapFilePages
            | Call::SetMempolicyHomeNode
            | Call::Shmdt
    );
    (has && call.arguments_known).then_some(call.arguments[0])
}
