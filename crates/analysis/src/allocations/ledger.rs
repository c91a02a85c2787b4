//! From events to what each site pays.

mod absences;
mod arenas;
mod calls;
mod faults;
mod lives;
mod mapping_calls;
mod reserving;
mod selecting;
mod syscalls;
mod tallies;
mod timeline;

use std::ops::Range;

use events::{
    Batch, CallCounts, ClockFloor, Definitions, Event, EventKind, Header, StackSampling, Thinning,
};

use super::account::AllocationAccount;
use super::arenas::Arenas;
use super::details::DetailTable;
use super::figures::{FaultSums, TimedCalls};
use super::frames::FrameTree;
use super::off_cpu::OffCpuAccount;
use super::pauses::Pauses;
use super::pending::{GiveOut, Pending};
use super::processes::AllocatingProcesses;
use super::rest::Rest;
use super::selection::Selection;
use super::sites::SiteTable;
use super::slow::SlowCalls;
use super::tallies::Tallies;
use super::thinned::ThinnedStream;
use super::timeline::Steps;
use crate::address_space::{Attribution, Attributor, KernelRules};
use crate::start::Starts;

/// The account of a stream while it is read.
#[derive(Debug)]
pub struct Ledger {
    header: Header,
    attributor: Attributor,
    starts: Starts,
    processes: AllocatingProcesses,
    pending: Pending,
    pauses: Pauses,
    sites: SiteTable,
    details: DetailTable,
    frames: FrameTree,
    rest: Rest,
    unowned: TimedCalls,
    faults: FaultSums,
    thinned: ThinnedStream,
    selection: Selection,
    clock_floor: ClockFloor,
    steps: Steps,
    tallies: Tallies,
    arenas: Arenas,
    slow: SlowCalls,
    off_cpu: OffCpuAccount,
    last_ns: u64,
    kernel_until_ns: Option<u64>,
    lost: u64,
    unknown_releases: u64,
    lost_releases: u64,
    across_pauses: (u64, u64),
    own_syscalls: (u64, u64),
    refused_definitions: u64,
}

impl Ledger {
    /// The ledger of the stream that begins with `header`.
    #[must_use]
    pub fn new(header: &Header) -> Ledger {
        Ledger {
            header: *header,
            attributor: Attributor::new(header),
            starts: Starts::new(header),
            processes: AllocatingProcesses::default(),
            pending: Pending::default(),
            pauses: Pauses::default(),
            sites: SiteTable::default(),
            details: DetailTable::default(),
            frames: FrameTree::default(),
            rest: Rest::default(),
            unowned: TimedCalls::default(),
            faults: FaultSums::default(),
            thinned: ThinnedStream::default(),
            selection: Selection::default(),
            clock_floor: ClockFloor::default(),
            steps: Steps::new(header),
            tallies: Tallies::default(),
            arenas: Arenas::default(),
            slow: SlowCalls::default(),
            off_cpu: OffCpuAccount::default(),
            last_ns: header.began_ns,
            kernel_until_ns: None,
            lost: 0,
            unknown_releases: 0,
            lost_releases: 0,
            across_pauses: (0, 0),
            own_syscalls: (0, 0),
            refused_definitions: 0,
        }
    }

    /// The recording had these pauses, in which it has no calls, syscalls and faults.
    #[must_use]
    pub fn with_pauses(self, pauses: Vec<Range<u64>>) -> Ledger {
        Ledger { pauses: Pauses::new(pauses), ..self }
    }

    /// The same for a stream that has only calls on some blocks from the first of `levels` on, with
    /// the counts of all its calls.
    #[must_use]
    pub fn of_thinned(header: &Header, levels: &[Thinning], counts: &[CallCounts]) -> Ledger {
        let thinned = ThinnedStream::new(levels.to_vec(), counts);
        Ledger { thinned, ..Ledger::new(header) }
    }

    /// In the stream only some calls have their stack. Where it is thinned, it cannot be so.
    #[must_use]
    pub fn with_sampling(mut self, sampling: Option<StackSampling>) -> Ledger {
        if let Some(sampling) = sampling.filter(|_| !self.thinned.has_counts()) {
            self.sites.sample(sampling);
        }
        self
    }

    /// Takes the next part of the stream: its definitions into `definitions`, then its events.
    pub fn take(&mut self, batch: &Batch, definitions: &mut Definitions) {
        for definition in &batch.definitions {
            self.refused_definitions += u64::from(!definitions.define(definition.clone()));
        }
        for event in &batch.events {
            self.event(event, definitions);
        }
    }

    /// Takes the next event of the stream, whose definitions `definitions` has.
    pub fn event(&mut self, event: &Event, definitions: &Definitions) {
        let end_ns = event.end_ns().unwrap_or(event.time_ns);
        self.last_ns = self.last_ns.max(end_ns);
        self.end_steps(event.time_ns);
        self.pauses.advance(event.time_ns);
        if let Some(level) = self.thinned.begins(event.time_ns) {
            self.thin(&level);
        }
        self.settle(event.time_ns);
        self.steps.live(self.sites.live_bytes());
        if let EventKind::Allocation(call) = &event.kind {
            if self.starts.has_open() {
                self.start(event, &Attribution::None, definitions);
            }
            let call = self.clock_floor.taken_from(call);
            return self.allocation(&call, event, end_ns, definitions);
        }
        self.kernel_until_ns = self.kernel_until_ns.max(Some(event.time_ns));
        if let EventKind::Life(life) = event.kind {
            self.before_life(life, event);
        }
        let reserving = self.reserving(event);
        let attribution = self.attributor.take_for(event, reserving);
        if let changed @ [_, ..] = self.attributor.changed_files() {
            self.processes.change_files(event.thread.pid, changed);
        }
        self.note_resident(event);
        self.start(event, &attribution, definitions);
        match (&event.kind, attribution) {
            (EventKind::Fault(fault), Attribution::Fault(origin)) => {
                self.fault(fault, &origin, event, definitions);
            }
            (EventKind::Syscall(call), Attribution::Call(effect)) => {
                self.slow.syscall(event, call);
                self.syscall(call, &effect, event);
            }
            (EventKind::Absence(absence), _) => {
                self.slow.absence(event, absence);
                self.absence(absence, event);
            }
            (EventKind::Life(life), Attribution::Life(change)) => self.life(*life, change, event),
            (EventKind::Lost(lost), _) => {
                self.slow.lost();
                self.lost = self.lost.saturating_add(lost.records);
            }
            _ => {}
        }
    }

    /// What programs paid before their main: what is not recorded in a pause cannot be told.
    fn start(&mut self, event: &Event, attribution: &Attribution, definitions: &Definitions) {
        if self.pauses.begun() == 0 {
            self.starts.take(event, attribution, &mut self.attributor, definitions);
        } else {
            self.starts.interrupt();
        }
    }

    /// The observed machine has these rules.
    #[must_use]
    pub fn with_rules(self, rules: KernelRules) -> Ledger {
        Ledger { attributor: self.attributor.with_rules(rules), ..self }
    }

    /// What is measured of a call that takes no time is no time of the program. Counts of calls are
    /// given without it.
    #[must_use]
    pub fn with_clock_floor(self, clock_floor: ClockFloor) -> Ledger {
        Ledger { clock_floor, ..self }
    }

    /// The account, at the end of the stream, which is at its last event or at `until_ns`.
    #[must_use]
    pub fn finish(mut self, until_ns: u64) -> AllocationAccount {
        let ended_ns = self.last_ns.max(until_ns);
        self.end_steps(ended_ns);
        self.settle(u64::MAX);
        let pauses = u64::from(self.pauses.advance(ended_ns));
        let timeline = self.steps.finish(self.sites.live_bytes(), pauses);
        for pid in self.processes.pids() {
            self.forget(pid);
            self.tally_end(pid, ended_ns);
            self.processes.remove(pid, ended_ns, &self.pauses);
        }
        let (peak_live_bytes, peak_ns) = self.sites.peak();
        let thinned = self.thinned.finish(&mut self.sites);
        let (sites, sampled) = self.sites.finish();
        AllocationAccount {
            header: self.header,
            ended_ns,
            kernel_until_ns: self.kernel_until_ns,
            details: self.details.finish(sites.len()),
            sites,
            rest: self.rest.finish(),
            unowned: self.unowned,
            peak_live_bytes,
            peak_ns,
            lost: self.lost,
            unknown_releases: self.unknown_releases,
            lost_releases: self.lost_releases,
            pauses,
            paused_ns: self.pauses.paused_ns(self.header.began_ns, ended_ns),
            across_pauses: self.across_pauses.0,
            across_pauses_bytes: self.across_pauses.1,
            own_syscalls: self.own_syscalls,
            refused_definitions: self.refused_definitions,
            processes: self.processes.processes,
            threads: self.processes.threads,
            threads_ns: self.processes.threads_ns,
            thinned,
            sampled,
            mappings: self.attributor.finish(),
            slow: self.slow.finish(),
            off_cpu: self.off_cpu,
            faults: self.faults,
            start: self.starts.finish(),
            timeline,
            tallied: self.tallies.finish(),
            arenas: self.arenas.finish(),
            frames: self.frames,
            paused: self.pauses,
        }
    }

    /// A level of thinning begins: from here on the followed blocks stand for more.
    fn thin(&mut self, level: &Thinning) {
        let pids = self.processes.pids();
        for &pid in &pids {
            let before = self.sites.live_bytes();
            if let Some(process) = self.processes.get(pid) {
                process.live.shrink_to(|address| level.follows(address), &mut self.sites);
            }
            self.tally_live(pid, before);
        }
        self.sites.set_weight(level.one_in());
        for pid in pids {
            let before = self.sites.live_bytes();
            if let Some(process) = self.processes.get(pid) {
                process.live.grow_again(&mut self.sites, level.from_ns);
            }
            self.tally_live(pid, before);
        }
    }

    /// Gives out the blocks of calls that have ended by `time_ns`.
    #[inline]
    fn settle(&mut self, time_ns: u64) {
        while let Some(block) = self.pending.pop(time_ns) {
            self.give_out(block);
        }
    }

    #[inline]
    fn give_out(&mut self, GiveOut { end_ns, process, address, block }: GiveOut) {
        if self.thinned.follows(address) {
            let before = self.sites.live_bytes();
            let live = &mut self.processes.process(process).live;
            self.lost_releases += live.insert(address, block, &mut self.sites, end_ns);
            self.tallies.live(process, before, self.sites.live_bytes());
        }
    }
}
