//! The mappings of a process as events, for a process that was running before it was observed.

use events::{Device, Life, MappingReport, Thread};
use sys::proc::{MapsEntry, regions_of};

use crate::stream::raw::{RawEvent, RawKind, SharedInterner};

/// An `Attached` event for each of the live threads `tids` of `pid`, and its mappings at `time_ns`,
/// when the observer attaches to it.
pub(crate) fn attached(
    pid: u32,
    tids: &[u32],
    time_ns: u64,
    interner: &SharedInterner,
) -> Vec<RawEvent> {
    let attached = |&tid: &u32| RawEvent {
        time_ns,
        thread: Thread { pid, tid },
        kind: RawKind::Life(Life::Attached),
    };
    let mut snapshot: Vec<RawEvent> = tids.iter().map(attached).collect();
    snapshot.extend(mappings(pid, time_ns, interner));
    snapshot
}

/// The mappings of `pid`, as events at `time_ns`.
pub(crate) fn mappings(pid: u32, time_ns: u64, interner: &SharedInterner) -> Vec<RawEvent> {
    let regions = regions_of(pid).unwrap_or_default();
    let raw = |region: MapsEntry| {
        let mapping = interner.mapping(&MappingReport {
            start: region.start as u64,
            end: region.end as u64,
            offset_bytes: region.offset_bytes,
            protection: region.protection(),
            shared: region.is_shared(),
            name: &region.name,
            device: Device { major: region.device.0, minor: region.device.1 },
            inode: region.inode,
            generation: 0,
        });
        RawEvent { time_ns, thread: Thread { pid, tid: pid }, kind: RawKind::Mapping(mapping) }
    };
    regions.into_iter().map(raw).collect()
}
