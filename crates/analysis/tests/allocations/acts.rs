//! Random acts of a few threads.

use proptest::prelude::*;

use crate::script::PAGE;

/// The first address at which there are blocks.
pub(crate) const BASE: u64 = 0x10_0000;

/// What a thread does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Act {
    Get { site: u64, slot: u64, bytes: u64, latency_ns: u64 },
    Change { site: u64, from: u64, slot: u64, bytes: u64, latency_ns: u64 },
    Fail { site: u64, latency_ns: u64 },
    Free { slot: u64, latency_ns: u64 },
    Fault { offset: u64, latency_ns: u64, major: bool },
    Syscall,
    Fork { child: u32 },
    Exec,
    Exit,
}

/// An act, its thread, and the time since the one before.
pub(crate) type Step = (u64, u32, u32, Act);

/// Slots are 40 bytes apart, so blocks of up to 90 bytes overlap, and many share a page.
pub(crate) fn address_of(slot: u64) -> u64 {
    BASE + 40 * slot
}

pub(crate) fn act() -> impl Strategy<Value = Act> {
    let (slot, latency) = (0_u64..150, prop_oneof![Just(0_u64), 1..40_u64]);
    let (site, bytes) = (1_u64..5, 0_u64..90);
    prop_oneof![
        8 => (site.clone(), slot.clone(), bytes.clone(), latency.clone())
            .prop_map(|(site, slot, bytes, latency_ns)| Act::Get { site, slot, bytes, latency_ns }),
        3 => (site.clone(), slot.clone(), slot.clone(), bytes, latency.clone()).prop_map(
            |(site, from, slot, bytes, latency_ns)| Act::Change {
                site, from, slot, bytes, latency_ns
            }
        ),
        1 => (site, latency.clone()).prop_map(|(site, latency_ns)| Act::Fail { site, latency_ns }),
        6 => (slot, latency.clone()).prop_map(|(slot, latency_ns)| Act::Free { slot, latency_ns }),
        8 => (0..3 * PAGE, latency, any::<bool>())
            .prop_map(|(offset, latency_ns, major)| Act::Fault { offset, latency_ns, major }),
        2 => Just(Act::Syscall),
        1 => (1_u32..4).prop_map(|child| Act::Fork { child }),
        1 => prop_oneof![5 => Just(Act::Exec), 1 => Just(Act::Exit)],
    ]
}
