//! Streams, written event by event, and what their sites pay.

use std::num::{NonZeroU64, NonZeroUsize};
use std::ops::Range;

use analysis::allocations::{AllocationAccount, CallFilter, Ledger, ResolvedFrame, Site};
use events::{
    Allocation, AllocationFunction, Batch, Call, Clock, Definitions, Ending, Event, EventKind,
    Fault, Frame, Header, Interner, Life, MappingReport, Name, Sees, Span, StackId, StackSampling,
    Syscall, ThpPolicy, Thread,
};

pub(crate) const PAGE: u64 = 4096;

/// The first thread of process `pid`.
pub(crate) fn first(pid: u32) -> Thread {
    Thread { pid, tid: pid }
}

pub(crate) fn header() -> Header {
    Header {
        clock: Clock::Monotonic,
        began_ns: 0,
        page_bytes: PAGE,
        huge_pages: ThpPolicy::Never,
        can_swap: false,
        sees: Sees {
            calls: true,
            faults: true,
            kernel_faults: true,
            page_sizes: true,
            allocations: true,
            stops: false,
            absences: false,
        },
    }
}

/// A stream. Each of its stacks has one frame, at an address by which its site is found again.
pub(crate) struct Script {
    interner: Interner,
    events: Vec<Event>,
    thread: Thread,
    pauses: Vec<Range<u64>>,
    sampling: Option<StackSampling>,
    selection: (CallFilter, Option<NonZeroUsize>),
    sees: Sees,
}

impl Script {
    pub(crate) fn new() -> Script {
        Script {
            interner: Interner::default(),
            events: Vec::new(),
            thread: first(1),
            pauses: Vec::new(),
            sampling: None,
            selection: (CallFilter::default(), None),
            sees: header().sees,
        }
    }

    /// Memory syscalls are not seen.
    pub(crate) fn without_syscalls(&mut self) -> &mut Script {
        self.sees.calls = false;
        self
    }

    /// Only some calls have their stack.
    pub(crate) fn sample(&mut self, sampling: StackSampling) -> &mut Script {
        self.sampling = Some(sampling);
        self
    }

    /// Only these calls pay, and only so many frames of their stacks count.
    pub(crate) fn select(&mut self, filter: CallFilter, depth: Option<usize>) -> &mut Script {
        self.selection = (filter, depth.and_then(NonZeroUsize::new));
        self
    }

    /// Nothing was recorded in this time.
    pub(crate) fn pause(&mut self, pause: Range<u64>) -> &mut Script {
        self.pauses.push(pause);
        self
    }

    /// The events that follow are of `thread`.
    pub(crate) fn of(&mut self, thread: Thread) -> &mut Script {
        self.thread = thread;
        self
    }

    pub(crate) fn stack(&mut self, address: u64) -> StackId {
        self.interner.frame(Frame { caller: StackId::NONE, address })
    }

    /// A stack with these frames, innermost first.
    pub(crate) fn frames(&mut self, addresses: &[u64]) -> StackId {
        addresses
            .iter()
            .rev()
            .fold(StackId::NONE, |caller, &address| self.interner.frame(Frame { caller, address }))
    }

    pub(crate) fn event(&mut self, time_ns: u64, kind: EventKind) -> &mut Script {
        self.events.push(Event { time_ns, thread: self.thread, kind });
        self
    }

    pub(crate) fn call(&mut self, time_ns: u64, call: Allocation) -> &mut Script {
        self.event(time_ns, EventKind::Allocation(call))
    }

    /// From `from_ns` to `to_ns`, the site asks for `bytes` and gets `address`.
    pub(crate) fn malloc(
        &mut self,
        (from_ns, to_ns): (u64, u64),
        site: u64,
        (address, bytes): (u64, u64),
    ) -> &mut Script {
        self.realloc((from_ns, to_ns), site, 0, (address, bytes))
    }

    pub(crate) fn realloc(
        &mut self,
        (from_ns, to_ns): (u64, u64),
        site: u64,
        released: u64,
        (address, bytes): (u64, u64),
    ) -> &mut Script {
        let function =
            if released == 0 { AllocationFunction::Malloc } else { AllocationFunction::Realloc };
        let stack = self.stack(site);
        let latency_ns = NonZeroU64::new(to_ns - from_ns);
        let call =
            Allocation { address, released, size_bytes: bytes, stack, latency_ns, ..free(0, None) };
        self.call(from_ns, Allocation { function, ..call })
    }

    pub(crate) fn free(&mut self, (from_ns, to_ns): (u64, u64), address: u64) -> &mut Script {
        self.call(from_ns, free(address, NonZeroU64::new(to_ns - from_ns)))
    }

    /// A fault that takes `latency_ns`.
    pub(crate) fn fault(&mut self, time_ns: u64, latency_ns: u64, address: u64) -> &mut Script {
        self.fault_of(time_ns, Fault { address, ..fault(latency_ns) })
    }

    pub(crate) fn fault_of(&mut self, time_ns: u64, fault: Fault) -> &mut Script {
        self.event(time_ns, EventKind::Fault(fault))
    }

    pub(crate) fn syscall(&mut self, time_ns: u64) -> &mut Script {
        self.event(
            time_ns,
            EventKind::Syscall(Syscall {
                call: Call::Msync,
                arguments_known: true,
                text: Name::NONE,
                arguments: [0; 6],
                result: Some(0),
                span: Span::default(),
            }),
        )
    }

    /// From `from_ns` to `to_ns`, a call of `function` at the site, which gives `released` back and
    /// `bytes` out at `address`.
    pub(crate) fn mapping_call(
        &mut self,
        (from_ns, to_ns): (u64, u64),
        site: u64,
        function: AllocationFunction,
        (released, address, bytes): (u64, u64, u64),
    ) -> &mut Script {
        let stack = self.stack(site);
        let latency_ns = NonZeroU64::new(to_ns - from_ns);
        let call =
            Allocation { address, released, size_bytes: bytes, stack, ..free(0, latency_ns) };
        self.call(from_ns, Allocation { function, ..call })
    }

    /// A syscall that succeeds, and takes so long.
    pub(crate) fn syscall_of(
        &mut self,
        times_ns: (u64, u64),
        call: Call,
        arguments: [u64; 3],
        result: u64,
    ) -> &mut Script {
        self.syscall_with(times_ns, call, arguments, 0, result)
    }

    /// The same with a fourth argument, which has flags.
    pub(crate) fn syscall_with(
        &mut self,
        (from_ns, to_ns): (u64, u64),
        call: Call,
        arguments: [u64; 3],
        flags: u64,
        result: u64,
    ) -> &mut Script {
        let [first, second, third] = arguments;
        let latency_ns = NonZeroU64::new(to_ns - from_ns);
        self.event(
            from_ns,
            EventKind::Syscall(Syscall {
                call,
                arguments_known: true,
                text: Name::NONE,
                arguments: [first, second, third, flags, 0, 0],
                result: Some(result.cast_signed()),
                span: Span { latency_ns, on_cpu_ns: None },
            }),
        )
    }

    pub(crate) fn map(&mut self, time_ns: u64, report: &MappingReport<'_>) -> &mut Script {
        let mapping = report.intern(&mut self.interner);
        self.event(time_ns, EventKind::Mapping(mapping))
    }

    /// `child` is forked by the thread at hand.
    pub(crate) fn fork(&mut self, time_ns: u64, child: u32) -> &mut Script {
        let by = self.thread;
        let started =
            Event { time_ns, thread: first(child), kind: EventKind::Life(Life::Started { by }) };
        self.events.push(started);
        self
    }

    pub(crate) fn exec(&mut self, time_ns: u64) -> &mut Script {
        self.event(time_ns, EventKind::Life(Life::Executed { name: Name::NONE }))
    }

    pub(crate) fn exit(&mut self, time_ns: u64) -> &mut Script {
        self.event(time_ns, EventKind::Life(Life::Ended { ending: Ending::Exited(0) }))
    }

    /// The events and what they refer to.
    pub(crate) fn into_parts(mut self) -> (Vec<Event>, Definitions) {
        self.events.sort_by_key(|event| event.time_ns);
        (std::mem::take(&mut self.events), self.interner.table().clone())
    }

    pub(crate) fn account(&mut self) -> (AllocationAccount, Definitions) {
        let mut batch = Batch { events: std::mem::take(&mut self.events), ..Batch::default() };
        self.interner.take_new(&mut batch.definitions);
        let ledger =
            Ledger::new(&Header { sees: self.sees, ..header() }).with_sampling(self.sampling);
        let (filter, depth) = std::mem::take(&mut self.selection);
        let ledger = ledger.with_selection(filter, depth);
        let ledger = ledger.with_pauses(std::mem::take(&mut self.pauses));
        let (mut ledger, mut definitions) = (ledger, Definitions::default());
        ledger.take(&batch, &mut definitions);
        (ledger.finish(0), definitions)
    }

    /// The account, and its sites by their addresses.
    pub(crate) fn sites(&mut self) -> Sites {
        let account = self.account().0;
        Sites { account }
    }
}

/// An account whose sites are found by the addresses of their stacks.
pub(crate) struct Sites {
    pub(crate) account: AllocationAccount,
}

impl Sites {
    /// The site with this address; one that paid nothing if there is none.
    pub(crate) fn site(&self, address: u64) -> Site {
        let is = |site: &&Site| {
            let inner = self.account.frames(site.stack).next();
            inner == Some(ResolvedFrame::Elsewhere { address })
        };
        self.account.sites.iter().find(is).copied().unwrap_or_default()
    }

    /// The faults that nobody pays for.
    pub(crate) fn rest(&self) -> u64 {
        self.account.rest.iter().map(|rest| rest.faults.faults()).sum()
    }
}

pub(crate) fn free(address: u64, latency_ns: Option<NonZeroU64>) -> Allocation {
    Allocation {
        address: 0,
        released: address,
        size_bytes: 0,
        latency_ns,
        stack: StackId::NONE,
        function: AllocationFunction::Free,
        alignment_log2: 0,
    }
}

pub(crate) fn fault(latency_ns: u64) -> Fault {
    Fault {
        address: 0,
        ip: 0,
        span: Span { latency_ns: NonZeroU64::new(latency_ns), on_cpu_ns: None },
        page_bytes: NonZeroU64::new(PAGE),
        major: false,
        in_kernel: false,
        present: None,
    }
}
