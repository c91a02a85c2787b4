//! Calls of the allocator.

use std::num::NonZeroU64;
use std::sync::Arc;

use events::{Allocation, Definitions, Event, StackId};

use super::Ledger;
use crate::allocations::blocks::LiveBlock;
use crate::allocations::figures::add;
use crate::allocations::frames::{ImageStacks, place};
use crate::allocations::pending::GiveOut;
use crate::allocations::processes::{OpenCall, Seat};
use crate::allocations::served::ServedBy;
use crate::allocations::site::Charge;
use crate::allocations::sites::{Payer, SiteId};

impl Ledger {
    pub(super) fn allocation(
        &mut self,
        call: &Allocation,
        event: &Event,
        end_ns: u64,
        definitions: &Definitions,
    ) {
        let (thread, time_ns) = (event.thread, event.time_ns);
        let latency_ns = call.latency_ns.map(NonZeroU64::get);
        let seat = self.processes.seat(thread, time_ns);
        self.interrupt_around(seat, event, latency_ns);
        if call.function.maps() {
            return self.mapping_call(call, (seat, event), end_ns, definitions);
        }
        let old = if call.released == 0 { None } else { self.release(call, seat, event) };
        // realloc(3) with a size of zero only gives back, too.
        let releases = call.only_gives_back();
        let payer = if releases {
            old.map(|block| block.payer())
        } else {
            Some(self.payer_of(call, seat, event, definitions))
        };
        self.steps.call(releases);
        self.tally_call(call, seat, event);
        self.note_block(call, event, old);
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
            Some(payer) => {
                if !is_counted {
                    let given_bytes = gives.map(|_| call.size_bytes);
                    self.sites.pay(payer, Charge::Call { given_bytes, latency_ns });
                }
                if let Some(details) = self.details.of(payer.site) {
                    details.call(call.size_bytes, latency_ns);
                }
            }
            None if call.released != 0 => self.unowned.add(latency_ns, self.sites.weight()),
            None => {}
        }
        self.open((payer, releases, gives), (latency_ns, end_ns), seat, event);
    }

    /// A call takes so long, which is not the time of one around it, such as of one that a signal
    /// interrupted.
    fn interrupt_around(&mut self, seat: Seat, event: &Event, latency_ns: Option<u64>) {
        let Some(around) = self.processes.call(seat, event.time_ns) else { return };
        let taken_ns = around.interrupt(latency_ns.unwrap_or(0));
        let around = *around;
        self.slow.nested(event, latency_ns.unwrap_or(0));
        self.subtract(&around, taken_ns);
        if !around.maps {
            self.tallies.of(seat, event).interrupt(around.releases, taken_ns);
        }
    }

    /// The thread is inside the call from here to its end, and gives out its block then.
    #[inline]
    fn open(
        &mut self,
        (payer, releases, gives): (Option<Payer>, bool, Option<u64>),
        (latency_ns, end_ns): (Option<u64>, u64),
        seat: Seat,
        event: &Event,
    ) {
        let process = self.processes.process(seat.process);
        let gives = gives
            .zip(payer)
            .map(|(address, payer)| (address, process.live.own(payer, event.thread.tid, end_ns)));
        if let Some(left_ns) = latency_ns {
            let served = ServedBy::default();
            let maps = false;
            let call = OpenCall { payer, releases, maps, end_ns, left_ns, gives, served };
            self.processes.open(seat, call);
            self.away_before(&call, seat, event.time_ns);
        }
        let Some((address, block)) = gives else { return };
        let block = GiveOut { end_ns, process: seat.process, address, block };
        let now = if latency_ns.is_some() { self.pending.add(block) } else { Some(block) };
        if let Some(now) = now {
            self.give_out(now);
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

    /// Applies what `call` gives back. Returns the block, if it is known.
    #[inline]
    fn release(&mut self, call: &Allocation, seat: Seat, event: &Event) -> Option<LiveBlock> {
        let address = call.released;
        if !self.thinned.follows(address) {
            return None;
        }
        let before = self.sites.live_bytes();
        let live = &mut self.processes.process(seat.process).live;
        let mut block = live.release(address, &mut self.sites);
        if block.is_none() {
            block = self.release_early(address, seat, event);
        } else {
            self.tallies.live(seat.process, before, self.sites.live_bytes());
        }
        match block {
            Some(block) => self.lived(address, block, event),
            None => self.unknown_releases += 1,
        }
        block
    }

    /// The program has the address, so the call that gave it out has ended, whatever two clocks
    /// say.
    #[cold]
    fn release_early(&mut self, address: u64, seat: Seat, event: &Event) -> Option<LiveBlock> {
        let block = self.pending.take(seat.process, |block| block.address == address)?;
        self.give_out(GiveOut { end_ns: event.time_ns, ..block });
        let before = self.sites.live_bytes();
        let block = self.processes.process(seat.process).live.release(address, &mut self.sites);
        self.tallies.live(seat.process, before, self.sites.live_bytes());
        block
    }

    /// The block was live until the event, which gives it back.
    fn lived(&mut self, address: u64, block: LiveBlock, event: &Event) {
        self.watch(address, &block, event.thread.pid);
        if let Some(details) = self.details.of(block.site) {
            details.lifetimes.add(event.time_ns.saturating_sub(block.born_ns));
        }
    }

    /// Counts how much of a block that ends was never touched.
    pub(super) fn watch(&mut self, address: u64, block: &LiveBlock, pid: u32) {
        let page_bytes = self.header.page_bytes.max(1);
        if block.size_bytes < 2 * page_bytes {
            return;
        }
        let end = address.saturating_add(block.size_bytes);
        let first = address.checked_next_multiple_of(page_bytes).unwrap_or(end);
        let end = (end - end % page_bytes).max(first);
        let touched_bytes = self.attributor.touched_bytes(pid, first, end);
        if let Some(details) = self.details.of(block.site) {
            let watched_bytes = end - first;
            add(&mut details.watched_bytes, watched_bytes);
            add(&mut details.untouched_bytes, watched_bytes.saturating_sub(touched_bytes));
        }
    }

    /// Who pays for a call that asks for memory.
    #[inline]
    pub(super) fn payer_of(
        &mut self,
        call: &Allocation,
        seat: Seat,
        event: &Event,
        definitions: &Definitions,
    ) -> Payer {
        let size_bytes = call.size_bytes;
        let (is_taken, maps) = (call.stack != StackId::NOT_TAKEN, call.function.maps());
        if self.sites.is_sampled() && !is_taken && !maps {
            return Payer { site: SiteId::UNCHOSEN, size_bytes };
        }
        let process = self.processes.process(seat.process);
        let stack = process.stacks.get(call.stack).unwrap_or_else(|| {
            let attributor = &mut self.attributor;
            let place_of = |address| place(attributor, event.thread.pid, address);
            let stacks: &mut ImageStacks = Arc::make_mut(&mut process.stacks);
            stacks.resolve(call.stack, &mut self.frames, definitions, place_of)
        });
        let stack = self.selection.stack_of(stack, (call, event), &mut self.frames);
        Payer { site: self.sites.of_stack(stack, maps), size_bytes }
    }

    /// Takes `ns` out of the time of `call`, and of the calls that it stands for.
    pub(super) fn subtract(&mut self, call: &OpenCall, ns: u64) {
        match call.payer {
            Some(payer) => {
                let OpenCall { releases, left_ns, .. } = *call;
                self.sites.pay(payer, Charge::Interruption { releases, ns, left_ns });
            }
            None => self.unowned.take(ns, self.sites.weight()),
        }
    }
}
