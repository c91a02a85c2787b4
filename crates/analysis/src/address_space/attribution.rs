//! What each event meant for the address spaces: ids and numbers, no text.

use events::{Call, Cause, Ending, Event, EventKind, Fault, Header, Life, Syscall, Thread};

use super::MappedRegion;
use super::processes::Processes;

/// Attributes events: whose memory an address was, and why it faulted. What it keeps are the
/// address spaces of the processes that live.
#[derive(Debug)]
pub struct Attributor {
    processes: Processes,
    smallest_bytes: u64,
}

/// What an event meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribution {
    /// Of a syscall.
    Call(CallEffect),
    /// Of a fault.
    Fault(FaultOrigin),
    /// Of a life.
    Life(LifeChange),
    /// A mapping is known now, or events are missing: nothing to attribute.
    None,
}

/// What a syscall was about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CallEffect {
    /// What was mapped at the address that it names, before it.
    pub before: Option<MappedRegion>,
    /// What is mapped at the address that it returned, after it; of brk(2) `None`.
    pub after: Option<MappedRegion>,
    /// By how much it moved the program break; `None` where it did not, or where that is not known.
    pub break_moved_bytes: Option<u64>,
}

/// Where a fault came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultOrigin {
    /// Why it happened.
    pub cause: Cause,
    /// What is mapped there; `None` where that is not known.
    pub region: Option<MappedRegion>,
    /// The page that it mapped is larger than the smallest there is.
    pub large: bool,
}

/// What became of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LifeChange {
    /// A process was made by this one.
    Started {
        /// By this process.
        by: u32,
    },
    /// The process has one thread more.
    ThreadStarted {
        /// The thread of it that started the new one.
        by: u32,
    },
    /// It has another program now.
    Executed,
    /// It ended.
    Over(Ending),
    /// One of its threads ended, others go on.
    ThreadEnded,
    /// It was running before it was observed.
    Attached,
    /// Nothing that was not known.
    None,
}

impl Attributor {
    /// For the stream that begins with `header`.
    #[must_use]
    pub fn new(header: &Header) -> Attributor {
        Attributor { processes: Processes::new(*header), smallest_bytes: header.page_bytes }
    }

    /// Takes the next event of the stream.
    pub fn take(&mut self, event: &Event) -> Attribution {
        match &event.kind {
            EventKind::Syscall(call) => Attribution::Call(self.call(call, event)),
            EventKind::Fault(fault) => Attribution::Fault(self.fault(fault, event)),
            EventKind::Life(life) => Attribution::Life(self.life(*life, event)),
            EventKind::Mapping(mapping) => {
                self.processes.space(event.thread.pid).map(mapping, event.thread, event.time_ns);
                Attribution::None
            }
            EventKind::Lost(_) => Attribution::None,
        }
    }

    /// What is mapped at `address` of a process, as far as the events so far tell.
    pub fn region(&mut self, pid: u32, address: u64) -> Option<MappedRegion> {
        self.processes.space(pid).at(address)
    }

    fn call(&mut self, call: &Syscall, event: &Event) -> CallEffect {
        let space = self.processes.space(event.thread.pid);
        space.settle(event.time_ns);
        let before = subject(call).and_then(|address| space.at(address));
        let break_before = space.program_break();
        let made = space.call(call, event.thread, event.time_ns);
        let after = match call.succeeded_with() {
            Some(address) if call.call != Call::Brk && call.call.returns_address() => {
                made.or_else(|| space.at(address))
            }
            _ => None,
        };
        let moved =
            break_before.zip(space.program_break()).map(|(before, after)| before.abs_diff(after));
        CallEffect { before, after, break_moved_bytes: moved.filter(|bytes| *bytes > 0) }
    }

    fn fault(&mut self, fault: &Fault, event: &Event) -> FaultOrigin {
        let seen = self.processes.space(event.thread.pid).fault(fault, event.thread, event.time_ns);
        let large = fault.page_bytes.is_some_and(|bytes| bytes.get() > self.smallest_bytes);
        FaultOrigin { cause: seen.cause, region: seen.region, large }
    }

    fn life(&mut self, life: Life, event: &Event) -> LifeChange {
        let thread: Thread = event.thread;
        match life {
            Life::Started { by } => self.processes.start(thread, by, event.time_ns),
            Life::Executed { .. } => {
                self.processes.execute(thread);
                LifeChange::Executed
            }
            Life::Ended { ending } => self.processes.end(thread, ending),
            Life::Attached if self.processes.attach(thread) => LifeChange::Attached,
            Life::Attached => LifeChange::None,
            Life::Compat32 => {
                self.processes.space(thread.pid).set_compat32();
                LifeChange::None
            }
        }
    }
}

/// The address whose mapping the call is about, if it is about one that was there before.
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
    has.then_some(call.arguments[0])
}
