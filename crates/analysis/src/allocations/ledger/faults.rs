//! Faults: of a block, of a call, or of neither.

use std::num::NonZeroU64;

use events::{Cause, Definitions, Event, Fault};

use super::Ledger;
use crate::address_space::FaultOrigin;
use crate::allocations::blocks::{LiveBlock, end_of};
use crate::allocations::details::SiteDetails;
use crate::allocations::figures::{add, scaled};
use crate::allocations::frames::{FrameId, ResolvedFrame, place};
use crate::allocations::processes::{OpenCall, faulting_block};
use crate::allocations::rest::RestKind;
use crate::allocations::site::Charge;
use crate::allocations::timeline::KernelPayer;

/// A fault on a block.
struct Touch<'a> {
    fault: &'a Fault,
    cause: Cause,
    latency_ns: Option<u64>,
    /// The page that it mapped.
    page: (u64, u64),
    /// The block, with its address.
    block: (u64, LiveBlock),
}

impl Ledger {
    pub(super) fn fault(
        &mut self,
        fault: &Fault,
        origin: &FaultOrigin,
        event: &Event,
        definitions: &Definitions,
    ) {
        let (cause, major) = (origin.cause, fault.major);
        let latency_ns = fault.span.latency_ns.map(NonZeroU64::get);
        let page_bytes = fault.page_bytes.map_or(self.header.page_bytes, NonZeroU64::get).max(1);
        let start = fault.address - fault.address % page_bytes;
        let page = (start, start.saturating_add(page_bytes));
        let seat = self.processes.seat(event.thread, event.time_ns);
        self.settle_mappings(seat.process, event.time_ns);
        let process = self.processes.process(seat.process);
        let reach = self.thinned.reach(fault.address, page.1);
        let on_block = process.live.paying(fault.address, reach);
        let on_mapping = process.mapped.at(fault.address);
        let mut call = self.processes.call(seat, event.time_ns);
        let block = faulting_block(fault.address, page.1, on_block, call.as_deref());
        // Inside a call of the allocator it may be the allocator's data.
        let is_inside = call.as_deref().is_some_and(|call| call.payer.is_some() && !call.maps);
        let block = block.or(on_mapping.filter(|_| !is_inside));
        let taken_ns = match (block, &mut call) {
            (Some(_), Some(call)) => call.interrupt(latency_ns.unwrap_or(0)),
            _ => 0,
        };
        let call = call.copied();
        let given = call.and_then(|call| call.gives).map(|(address, _)| address);
        let is_own = given.is_some() && given == block.map(|(address, _)| address);
        self.slow.fault(event, fault, is_own);
        self.faults.add(major, latency_ns, 1);
        match (block, call.and_then(|call| call.payer)) {
            (Some(block), _) => {
                self.note_fault(fault, (seat, event), None, false);
                self.tally_touch((seat, event), page, block);
                self.touch(&Touch { fault, cause, latency_ns, page, block }, event);
                self.processes.presence(seat).touch(event.end_ns().unwrap_or(0));
                if let Some(call) = call {
                    self.subtract(&call, taken_ns);
                    if !call.maps {
                        self.tallies.of(seat, event).interrupt(call.releases, taken_ns);
                    }
                    self.detail(&call, |details| add(&mut details.touch_ns, taken_ns));
                }
            }
            (None, Some(payer)) => {
                let calls = KernelPayer::Calls(payer.site.index());
                let in_call = call.is_some_and(|call| !call.maps);
                self.note_fault(fault, (seat, event), Some(calls), in_call);
                self.sites.pay(payer, Charge::Inside { major, latency_ns });
                if let Some(call) = call {
                    let ns = latency_ns.unwrap_or(0);
                    self.detail(&call, |details| add(&mut details.inside_ns, ns));
                }
            }
            (None, None) => {
                let kind = self.rest_kind(origin, event, definitions);
                let rest = KernelPayer::Rest(kind);
                self.note_fault(fault, (seat, event), Some(rest), call.is_some());
                return self.rest.add(kind, major, latency_ns);
            }
        }
        let payer =
            block.map(|(_, block)| block.site).or(call.and_then(|call| Some(call.payer?.site)));
        let weight = payer.map_or(1, |site| self.sites.weight_of(site));
        if weight > 1 {
            // It stands for others, which were taken for faults of no site.
            let kind = self.rest_kind(origin, event, definitions);
            self.rest.owe(kind, major, latency_ns, weight - 1);
        }
    }

    /// The details of the site of a call that asks for memory.
    pub(super) fn detail(&mut self, call: &OpenCall, of: impl FnOnce(&mut SiteDetails)) {
        let payer = call.payer.filter(|_| !call.releases);
        if let Some(details) = payer.and_then(|payer| self.details.of(payer.site)) {
            of(details);
        }
    }

    fn touch(&mut self, touch: &Touch<'_>, event: &Event) {
        let (address, block) = touch.block;
        let payer = block.payer();
        let (major, pid) = (touch.fault.major, event.thread.pid);
        let latency_ns = touch.latency_ns.map(|ns| ns - self.share(touch, ns, pid));
        self.sites.pay(payer, Charge::Touch { major, latency_ns });
        self.steps.pay(KernelPayer::Blocks(payer.site.index()), latency_ns.unwrap_or(0));
        if !self.sites.maps(payer.site) {
            self.sites.group(payer.site, latency_ns, self.thinned.group(address));
        }
        let process = self.processes.get(pid);
        let (returned_ns, number) = process.map_or((None, 0), |process| {
            let came_true = touch.latency_ns.is_some();
            let owners = &mut process.owners;
            let returned_ns = if came_true { owners.touch(touch.page, payer) } else { None };
            (returned_ns, process.live.number())
        });
        let toucher = self.toucher(touch.fault, pid);
        if let Some(details) = self.details.of(payer.site) {
            let ns = touch.latency_ns.unwrap_or(0);
            details.touched_by(toucher, ns);
            details.returned += u64::from(returned_ns.is_some_and(|ns| ns > block.born_ns));
            let of_cause = match touch.cause {
                Cause::CopyOnWrite => Some(&mut details.copied),
                Cause::Reuse => Some(&mut details.reused),
                _ => None,
            };
            if let Some((faults, all_ns)) = of_cause {
                *faults += 1;
                add(all_ns, ns);
            }
            if number != block.owner {
                details.other_process += 1;
            } else if event.thread.tid != block.tid {
                details.other_thread += 1;
            }
        }
        self.vary(touch, pid);
    }

    /// Charges the other small blocks on the page of a fault on a small block with their parts of
    /// its time, by their bytes on the page. Returns the sum of these parts.
    fn share(&mut self, touch: &Touch<'_>, ns: u64, pid: u32) -> u64 {
        let (start, end) = touch.page;
        let (address, block) = touch.block;
        let is_alone = block.size_bytes >= self.header.page_bytes
            || end - start > self.header.page_bytes
            || self.thinned.has_counts()
            || self.sites.is_sampled();
        let Some(process) = self.processes.get(pid).filter(|_| !is_alone) else { return 0 };
        let mut parts = process.live.between(start, end);
        if !parts.iter().any(|(at, ..)| *at == address) {
            // It is given out at the end of the call.
            let bytes = end_of(address, block.size_bytes).min(end) - address.max(start);
            parts.push((address, block, bytes));
        }
        let all: u64 = parts.iter().map(|(.., bytes)| bytes).sum();
        let mut shared_ns = 0;
        for (_, other, bytes) in parts.iter().filter(|(at, ..)| *at != address) {
            let part_ns = scaled(ns, *bytes, all);
            self.sites.pay(other.payer(), Charge::Share { ns: part_ns });
            self.steps.pay(KernelPayer::Blocks(other.site.index()), part_ns);
            shared_ns += part_ns;
        }
        shared_ns
    }

    /// The place of the code that touched.
    fn toucher(&mut self, fault: &Fault, pid: u32) -> FrameId {
        let frame = if fault.in_kernel {
            ResolvedFrame::KERNEL
        } else {
            place(&mut self.attributor, pid, fault.ip)
        };
        self.frames.number(FrameId::NONE, frame)
    }

    /// The error of an estimate depends on the time of all faults on a block.
    fn vary(&mut self, touch: &Touch<'_>, pid: u32) {
        let (address, block) = touch.block;
        if !self.sites.is_estimated(block.site) {
            return;
        }
        let ns = touch.latency_ns.unwrap_or(0);
        let process = self.processes.get(pid);
        let before_ns = process.map_or(0, |process| process.live.touch(address, ns));
        self.sites.vary(block.payer(), ns, before_ns);
    }

    fn rest_kind(
        &mut self,
        origin: &FaultOrigin,
        event: &Event,
        definitions: &Definitions,
    ) -> RestKind {
        let (attributor, pid) = (&mut self.attributor, event.thread.pid);
        let below = |address| attributor.region(pid, address);
        RestKind::of(origin.region.as_ref(), definitions, below)
    }
}
