//! From events to what each site pays.

mod faults;

use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::Arc;

use events::{
    Allocation, Batch, CallCounts, Definitions, Event, EventKind, Header, Life, StackId,
    StackSampling, Thinning,
};

use super::account::AllocationAccount;
use super::figures::{FaultSums, TimedCalls};
use super::frames::{FrameTree, ImageStacks, place};
use super::pauses::Pauses;
use super::pending::{GiveOut, Pending};
use super::processes::{AllocatingProcess, AllocatingProcesses, OpenCall};
use super::rest::Rest;
use super::site::Charge;
use super::sites::{Payer, SiteId, SiteTable};
use super::slow::SlowCalls;
use super::thinned::ThinnedStream;
use crate::address_space::{Attribution, Attributor, LifeChange};

/// The account of a stream while it is read.
#[derive(Debug)]
pub struct Ledger {
    header: Header,
    attributor: Attributor,
    processes: AllocatingProcesses,
    pending: Pending,
    pauses: Pauses,
    sites: SiteTable,
    frames: FrameTree,
    rest: Rest,
    unowned: TimedCalls,
    faults: FaultSums,
    thinned: ThinnedStream,
    slow: SlowCalls,
    last_ns: u64,
    kernel_until_ns: Option<u64>,
    lost: u64,
    unknown_releases: u64,
    lost_releases: u64,
    across_pauses: (u64, u64),
    refused_definitions: u64,
}

impl Ledger {
    /// The ledger of the stream that begins with `header`.
    #[must_use]
    pub fn new(header: &Header) -> Ledger {
        Ledger {
            header: *header,
            attributor: Attributor::new(header),
            processes: AllocatingProcesses::default(),
            pending: Pending::default(),
            pauses: Pauses::default(),
            sites: SiteTable::default(),
            frames: FrameTree::default(),
            rest: Rest::default(),
            unowned: TimedCalls::default(),
            faults: FaultSums::default(),
            thinned: ThinnedStream::default(),
            slow: SlowCalls::default(),
            last_ns: header.began_ns,
            kernel_until_ns: None,
            lost: 0,
            unknown_releases: 0,
            lost_releases: 0,
            across_pauses: (0, 0),
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
        self.last_ns = self.last_ns.max(event.end_ns().unwrap_or(event.time_ns));
        self.pauses.advance(event.time_ns);
        if let Some(level) = self.thinned.begins(event.time_ns) {
            self.thin(&level);
        }
        self.settle(event.time_ns);
        if !matches!(event.kind, EventKind::Allocation(_)) {
            self.kernel_until_ns = self.kernel_until_ns.max(Some(event.time_ns));
        }
        let attribution = self.attributor.take(event);
        match (&event.kind, attribution) {
            (EventKind::Allocation(allocation), _) => {
                self.allocation(allocation, event, definitions);
            }
            (EventKind::Fault(fault), Attribution::Fault(origin)) => {
                self.fault(fault, &origin, event, definitions);
            }
            (EventKind::Syscall(call), _) => {
                self.slow.syscall(event, call);
                self.syscall(event);
            }
            (EventKind::Absence(absence), _) => self.slow.absence(event, absence),
            (EventKind::Life(life), Attribution::Life(change)) => self.life(*life, change, event),
            (EventKind::Lost(lost), _) => {
                self.slow.lost();
                self.lost = self.lost.saturating_add(lost.records);
            }
            _ => {}
        }
    }

    /// The account, at the end of the stream, which is at its last event or at `until_ns`.
    #[must_use]
    pub fn finish(mut self, until_ns: u64) -> AllocationAccount {
        self.settle(u64::MAX);
        let ended_ns = self.last_ns.max(until_ns);
        let pauses = u64::from(self.pauses.advance(ended_ns));
        for pid in self.processes.pids() {
            self.forget(pid);
            self.processes.remove(pid, ended_ns, &self.pauses);
        }
        let (peak_live_bytes, peak_ns) = self.sites.peak();
        let thinned = self.thinned.finish(&mut self.sites);
        let (sites, sampled) = self.sites.finish();
        AllocationAccount {
            header: self.header,
            ended_ns,
            kernel_until_ns: self.kernel_until_ns,
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
            refused_definitions: self.refused_definitions,
            processes: self.processes.processes,
            threads: self.processes.threads,
            threads_ns: self.processes.threads_ns,
            thinned,
            sampled,
            slow: self.slow.finish(),
            faults: self.faults,
            frames: self.frames,
        }
    }

    /// A level of thinning begins: from here on the followed blocks stand for more.
    fn thin(&mut self, level: &Thinning) {
        let pids = self.processes.pids();
        for &pid in &pids {
            if let Some(process) = self.processes.get(pid) {
                process.live.shrink_to(|address| level.follows(address), &mut self.sites);
            }
        }
        self.sites.set_weight(level.one_in());
        for pid in pids {
            if let Some(process) = self.processes.get(pid) {
                process.live.grow_again(&mut self.sites, level.from_ns);
            }
        }
    }

    /// The counts that begin with this call, if there are any, belong to its site.
    fn count(&mut self, site: Option<SiteId>, call: &Allocation, event: &Event) {
        for counts in self.thinned.first(event.thread.pid, event.time_ns, call) {
            if let Some(site) = site {
                self.sites.count(site, &counts);
            }
        }
    }

    /// Gives out the blocks of calls that have ended by `time_ns`.
    fn settle(&mut self, time_ns: u64) {
        while let Some(block) = self.pending.pop(time_ns) {
            self.give_out(block);
        }
    }

    fn give_out(&mut self, GiveOut { end_ns, pid, address, block }: GiveOut) {
        if !self.thinned.follows(address) {
            return;
        }
        if let Some(process) = self.processes.get(pid) {
            self.lost_releases += process.live.insert(address, block, &mut self.sites, end_ns);
        }
    }

    fn allocation(&mut self, call: &Allocation, event: &Event, definitions: &Definitions) {
        let pid = event.thread.pid;
        let latency_ns = call.latency_ns.map(NonZeroU64::get);
        // Its time is not that of a call around it, such as of one that a signal interrupted.
        let process = self.processes.see(event.thread, event.time_ns);
        if let Some(around) = process.call(event.thread.tid, event.time_ns) {
            let taken_ns = around.interrupt(latency_ns.unwrap_or(0));
            let around = *around;
            self.slow.nested(event, latency_ns.unwrap_or(0));
            self.subtract(&around, taken_ns);
        }
        let owner = self.release(call, event);
        // realloc(3) with a size of zero only gives back, too.
        let releases = call.only_gives_back();
        let payer = if releases { owner } else { Some(self.payer_of(call, event, definitions)) };
        self.slow.opened(event, call, payer, &self.pauses);
        let is_counted = self.thinned.has_counts();
        if is_counted {
            self.count(payer.map(|payer| payer.site), call, event);
            if !self.thinned.stands_for_others(call) {
                return;
            }
        }
        let gives = (!releases && call.address != 0).then_some(call.address);
        match payer {
            Some(payer) if releases => self.sites.pay(payer, Charge::Release { latency_ns }),
            Some(payer) if !is_counted => {
                let given_bytes = gives.map(|_| call.size_bytes);
                self.sites.pay(payer, Charge::Call { given_bytes, latency_ns });
            }
            None if call.released != 0 => self.unowned.add(latency_ns, self.sites.weight()),
            _ => {}
        }
        let end_ns = event.end_ns().unwrap_or(event.time_ns);
        let Some(process) = self.processes.get(pid) else { return };
        if let Some(latency_ns) = latency_ns {
            let open = OpenCall { payer, releases, end_ns, left_ns: latency_ns, gives };
            process.open(event.thread.tid, open);
        }
        let Some((address, payer)) = gives.zip(payer) else { return };
        let block = process.live.own(payer, self.pauses.begun());
        let block = GiveOut { end_ns, pid, address, block };
        let now = if latency_ns.is_some() { self.pending.add(block) } else { Some(block) };
        if let Some(now) = now {
            self.give_out(now);
        }
    }

    /// Applies what `call` gives back. Returns who pays for the block.
    fn release(&mut self, call: &Allocation, event: &Event) -> Option<Payer> {
        let (pid, address) = (event.thread.pid, call.released);
        if address == 0 || !self.thinned.follows(address) {
            return None;
        }
        // The program has the address, so the call that gave it out has ended, whatever two clocks
        // say.
        if !self.processes.get(pid)?.live.has(address)
            && let Some(block) = self.pending.take(pid, |block| block.address == address)
        {
            self.give_out(GiveOut { end_ns: event.time_ns, ..block });
        }
        let owner = self.processes.get(pid)?.live.release(address, &mut self.sites);
        self.unknown_releases += u64::from(owner.is_none());
        owner
    }

    /// Who pays for a call that asks for memory.
    fn payer_of(&mut self, call: &Allocation, event: &Event, definitions: &Definitions) -> Payer {
        let size_bytes = call.size_bytes;
        if self.sites.is_sampled() && call.stack == StackId::NOT_TAKEN {
            return Payer { site: SiteId::UNCHOSEN, size_bytes };
        }
        let pid = event.thread.pid;
        let process = self.processes.see(event.thread, event.time_ns);
        let stack = process.stacks.get(call.stack).unwrap_or_else(|| {
            let attributor = &mut self.attributor;
            let place_of = |address| place(attributor, pid, address);
            let stacks: &mut ImageStacks = Arc::make_mut(&mut process.stacks);
            stacks.resolve(call.stack, &mut self.frames, definitions, place_of)
        });
        Payer { site: self.sites.of_stack(stack), size_bytes }
    }

    fn syscall(&mut self, event: &Event) {
        let process = self.processes.see(event.thread, event.time_ns);
        let call = process.call(event.thread.tid, event.time_ns);
        if let Some(payer) = call.and_then(|call| call.payer) {
            self.sites.pay(payer, Charge::Syscall);
        }
    }

    /// Takes `ns` out of the time of `call`, and of the calls that it stands for.
    fn subtract(&mut self, call: &OpenCall, ns: u64) {
        match call.payer {
            Some(payer) => {
                let OpenCall { releases, left_ns, .. } = *call;
                self.sites.pay(payer, Charge::Interruption { releases, ns, left_ns });
            }
            None => self.unowned.take(ns, self.sites.weight()),
        }
    }

    fn life(&mut self, life: Life, change: LifeChange, event: &Event) {
        let (thread, time_ns) = (event.thread, event.time_ns);
        if matches!(life, Life::Ended { .. }) {
            self.slow.ended(thread.tid);
        }
        match (life, change) {
            (Life::Started { by }, LifeChange::Started { .. }) => {
                self.forget(thread.pid);
                self.processes.remove(thread.pid, time_ns, &self.pauses);
                self.processes.fork(thread, by, time_ns);
            }
            (Life::Started { .. } | Life::Attached, _) => {
                self.processes.see(thread, time_ns);
            }
            (Life::Executed { .. }, _) => {
                self.forget(thread.pid);
                self.processes.execute(thread, time_ns, &self.pauses);
            }
            (Life::Ended { .. }, LifeChange::Over(_)) => {
                self.forget(thread.pid);
                self.processes.remove(thread.pid, time_ns, &self.pauses);
            }
            (Life::Ended { .. }, _) => self.processes.end_thread(thread, time_ns, &self.pauses),
            (Life::Compat32, _) => {}
        }
    }

    /// The blocks of a process are gone.
    fn forget(&mut self, pid: u32) {
        while let Some(block) = self.pending.take(pid, |_| true) {
            self.give_out(block);
        }
        if let Some(AllocatingProcess { live, .. }) = self.processes.get(pid) {
            let (blocks, bytes) = live.forget(&mut self.sites, self.pauses.begun());
            let (all, all_bytes) = self.across_pauses;
            self.across_pauses = (all + blocks, all_bytes.saturating_add(bytes));
        }
    }
}
