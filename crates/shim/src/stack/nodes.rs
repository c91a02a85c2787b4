//! The table of nodes in the shared memory (`wire::node`).

use core::sync::atomic::Ordering;

use wire::{header, node};

use crate::sink::Region;

/// Nodes that a thread has looked up, so that it need not search for them again.
#[repr(C)]
pub(super) struct RecentNodes([Recent; RECENT]);

const RECENT: usize = 512;

#[derive(Clone, Copy)]
#[repr(C)]
struct Recent {
    address: u64,
    caller: u32,
    number: u32,
}

impl RecentNodes {
    /// Forgets what another thread left.
    pub(super) fn clear(&mut self) {
        self.0.fill(Recent { address: 0, caller: 0, number: 0 });
    }

    /// As [`node`].
    #[inline]
    pub(super) fn node(&mut self, region: &Region, caller: u32, address: u64) -> u32 {
        let place = node::home(caller, address, RECENT);
        let Some(recent) = self.0.get_mut(place) else { return 0 };
        if recent.address != address || recent.caller != caller {
            *recent = Recent { address, caller, number: node(region, caller, address) };
        }
        recent.number
    }
}

/// The node of a frame at `address` whose caller's node is `caller`: its existing one, or a new
/// one. 0: the table is full, or the caller has none.
pub(super) fn node(region: &Region, caller: u32, address: u64) -> u32 {
    for (table, nodes) in node::TABLES.into_iter().enumerate() {
        let first = node::first_of(table);
        let mut place = node::home(caller, address, nodes);
        for _ in 0..node::PROBES {
            let number = first + place;
            if number != 0
                && let Some(found) = at(region, number, caller, address)
            {
                return found;
            }
            place = (place + 1) & (nodes - 1);
        }
    }
    region.add(header::UNKNOWN_STACKS, 1);
    0
}

/// The node `number`, if it is this frame, or becomes it.
#[inline]
fn at(region: &Region, number: usize, caller: u32, address: u64) -> Option<u32> {
    let (first, second) = (region.word(node::word(number)), region.word(node::word(number) + 1));
    let wanted = node::caller_word(caller);
    let found = second.load(Ordering::Acquire);
    if found == 0
        && first.compare_exchange(0, address, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    {
        // Others pass a node by that is not complete yet.
        second.store(wanted, Ordering::Release);
        return Some(number as u32);
    }
    (found == wanted && first.load(Ordering::Relaxed) == address).then_some(number as u32)
}

/// Whether two nodes stand for the same stack: a frame that two threads met at the same time may
/// have two nodes.
pub(super) fn are_alike(region: &Region, one: u32, other: u32) -> bool {
    let parts = |number: u32| {
        let word = node::word(number as usize);
        let caller = node::caller(region.load(word + 1)).unwrap_or(0);
        (region.load(word), caller)
    };
    let (mut one, mut other) = (one, other);
    while one != other {
        if one == 0 || other == 0 {
            return false;
        }
        let ((address, caller), (other_address, other_caller)) = (parts(one), parts(other));
        if address != other_address {
            return false;
        }
        (one, other) = (caller, other_caller);
    }
    true
}
