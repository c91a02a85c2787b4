//! Faults that belong to no block and to no call.

use std::collections::BTreeMap;

use events::{Definitions, MappingKind};

use super::figures::FaultSums;
use crate::address_space::MappedRegion;

/// The kinds of memory that faults outside of blocks concern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RestKind {
    /// Code and constants of programs and libraries, and other files.
    File,
    /// Writable data of programs and libraries, bss included.
    ProgramData,
    /// Stacks, those of threads included.
    Stack,
    /// The heap, outside of the blocks that were live.
    Heap,
    /// Other private memory without a file: mapped by the program, or the allocator's outside of
    /// live blocks.
    Anonymous,
    /// Shared memory without a file.
    Shared,
    /// The memory by which the program is recorded, and the recorder's library in the program.
    Recorder,
    /// The mapping is unknown, or of none of these kinds.
    Unknown,
}

/// The faults of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestFaults {
    /// The kind of memory.
    pub kind: RestKind,
    /// The faults.
    pub faults: FaultSums,
}

/// The faults of all kinds.
#[derive(Debug, Default)]
pub(super) struct Rest {
    faults: BTreeMap<RestKind, FaultSums>,
    /// Those among them that belong to sites, by estimate.
    owed: BTreeMap<RestKind, FaultSums>,
}

impl Rest {
    pub(super) fn add(&mut self, kind: RestKind, major: bool, latency_ns: Option<u64>) {
        self.faults.entry(kind).or_default().add(major, latency_ns, 1);
    }

    /// So many faults like this one, of the same kind of memory, belong to a site.
    pub(super) fn owe(&mut self, kind: RestKind, major: bool, latency_ns: Option<u64>, count: u64) {
        self.owed.entry(kind).or_default().add(major, latency_ns, count);
    }

    /// Those that occurred.
    pub(super) fn finish(self) -> Vec<RestFaults> {
        let left = |(kind, mut faults): (RestKind, FaultSums)| {
            if let Some(owed) = self.owed.get(&kind) {
                faults.take_all(owed);
            }
            RestFaults { kind, faults }
        };
        self.faults.into_iter().map(left).collect()
    }
}

impl RestKind {
    /// The kind of memory in `region`, with the mapping that ends where it begins.
    pub(super) fn of(
        region: Option<&MappedRegion>,
        definitions: &Definitions,
        below: impl FnOnce(u64) -> Option<MappedRegion>,
    ) -> RestKind {
        let Some(region) = region else { return RestKind::Unknown };
        match region.kind {
            _ if definitions.is_recorders_memory(region.name)
                || definitions.is_recorders_library(region.module) =>
            {
                RestKind::Recorder
            }
            MappingKind::Heap => RestKind::Heap,
            MappingKind::Stack | MappingKind::ThreadStack => RestKind::Stack,
            MappingKind::PrivateFile if region.is_writable() => RestKind::ProgramData,
            MappingKind::PrivateFile | MappingKind::SharedFile => RestKind::File,
            MappingKind::SharedAnonymous => RestKind::Shared,
            // The rest of bss has no file; it follows the data of its file.
            MappingKind::Anonymous => {
                let below = region.start.checked_sub(1).and_then(below);
                let data = below
                    .filter(|below| below.kind == MappingKind::PrivateFile && below.is_writable());
                match data {
                    Some(data) if definitions.is_recorders_library(data.module) => {
                        RestKind::Recorder
                    }
                    Some(_) => RestKind::ProgramData,
                    None => RestKind::Anonymous,
                }
            }
            MappingKind::Kernel | MappingKind::Other => RestKind::Unknown,
        }
    }
}
