//! Faults: of a block, of a call, or of neither.

use std::num::NonZeroU64;

use events::{Definitions, Event, Fault};

use super::Ledger;
use crate::address_space::FaultOrigin;
use crate::allocations::processes::{OpenCall, payer};
use crate::allocations::rest::RestKind;
use crate::allocations::site::Charge;
use crate::allocations::sites::Payer;

impl Ledger {
    pub(super) fn fault(
        &mut self,
        fault: &Fault,
        origin: &FaultOrigin,
        event: &Event,
        definitions: &Definitions,
    ) {
        let latency_ns = fault.span.latency_ns.map(NonZeroU64::get);
        let page_bytes = fault.page_bytes.map_or(self.header.page_bytes, NonZeroU64::get).max(1);
        let page = fault.address - fault.address % page_bytes;
        let page_end = page.saturating_add(page_bytes);
        let process = self.processes.see(event.thread, event.time_ns);
        let reach = self.thinned.reach(fault.address, page_end);
        let on_block = process.live.paying(fault.address, reach);
        let call = process.call(event.thread.tid, event.time_ns);
        let payer = payer(fault.address, page_end, on_block, call.as_deref());
        let given = call.as_ref().and_then(|call| call.gives);
        let is_own = given.is_some() && payer.map(|(block, _)| block) == given;
        self.slow.fault(event, fault, is_own);
        let (weight, major) = (self.sites.weight(), fault.major);
        self.faults.add(major, latency_ns, 1);
        match (payer, call) {
            (Some((block, payer)), call) => {
                let taken = call.map(|call| (call.interrupt(latency_ns.unwrap_or(0)), *call));
                self.touch((block, payer), major, latency_ns, event.thread.pid);
                if let Some((taken_ns, call)) = taken {
                    self.subtract(&call, taken_ns);
                }
            }
            (None, Some(&mut OpenCall { payer: Some(payer), .. })) => {
                self.sites.pay(payer, Charge::Inside { major, latency_ns });
            }
            (None, _) => {
                let kind = self.rest_kind(origin, event, definitions);
                return self.rest.add(kind, major, latency_ns);
            }
        }
        if weight > 1 {
            // It stands for others, which were taken for faults of no site.
            let kind = self.rest_kind(origin, event, definitions);
            self.rest.owe(kind, major, latency_ns, weight - 1);
        }
    }

    /// A fault on the block at this address, for which `payer` pays.
    fn touch(
        &mut self,
        (block, payer): (u64, Payer),
        major: bool,
        latency_ns: Option<u64>,
        pid: u32,
    ) {
        self.sites.pay(payer, Charge::Touch { major, latency_ns });
        self.sites.group(payer.site, latency_ns, self.thinned.group(block));
        if !self.sites.is_estimated(payer.site) {
            return;
        }
        // The error depends on the time of all faults on the block.
        let ns = latency_ns.unwrap_or(0);
        let process = self.processes.get(pid);
        let before_ns = process.and_then(|process| process.live.touch(block, ns)).or_else(|| {
            let pending = self.pending.block(pid, block)?;
            Some(pending.touch(ns))
        });
        self.sites.vary(payer, ns, before_ns.unwrap_or(0));
    }

    fn rest_kind(
        &mut self,
        origin: &FaultOrigin,
        event: &Event,
        definitions: &Definitions,
    ) -> RestKind {
        let (attributor, pid) = (&mut self.attributor, event.thread.pid);
        let below = |address| attributor.region(pid, address);
        let region = origin.region.as_ref();
        let is_recorders =
            region.is_some_and(|region| definitions.is_recorders_memory(region.name));
        RestKind::of(region, is_recorders, below)
    }
}
