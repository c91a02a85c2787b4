//! The regions of an address space, and which addresses are random.

mod arena;
mod classify;
mod image;
mod kernel;
mod spread;

use events::snapshot::Snapshot;
use results::layout::{Address, Cost, LayoutRun, Moment, ProgramFile, Region, RegionKind};

pub use kernel::{Settings, configured};
pub use spread::summary;

/// The resolution of a region's resident parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// No parts.
    None,
    /// At most this many parts, each of whole pages.
    Parts(u64),
}

/// One picture with classified regions.
#[must_use]
pub fn run(space: &Snapshot, aslr: Option<bool>, at: Moment, detail: Detail) -> LayoutRun {
    let regions = classify::regions(space, detail);
    let own = image::own(space);
    let heap = regions.iter().filter(|region| region.kind == RegionKind::Heap);
    LayoutRun {
        aslr,
        pid: space.pid,
        at,
        heap_gap_bytes: own.as_ref().and_then(|own| gap(&regions, own.end_page)),
        bss_end: own.as_ref().map(|own| Address(own.end)),
        program_break: heap.map(|region| region.end).max(),
        peak_resident_bytes: space.peak_resident_bytes,
        cost: Cost {
            page_tables_bytes: space.totals.page_tables_bytes,
            accounted_bytes: space.totals.accounted_bytes,
            mappings: space.ranges.len() as u64,
            mappings_max: space.totals.mappings_max,
            address_space_bytes: space.totals.address_space_bytes,
            address_space_max_bytes: space.totals.address_space_max_bytes,
            commit_left_bytes: space.totals.commit_left_bytes,
        },
        threads_unseen: space.threads_unseen,
        regions,
    }
}

/// The distance from the page-rounded end of the bss to the heap, if nothing lies between.
fn gap(regions: &[Region], bss_end_page: u64) -> Option<u64> {
    let heap = regions.iter().find(|region| region.kind == RegionKind::Heap)?;
    let between = |region: &&Region| region.end.0 > bss_end_page && region.start < heap.start;
    (regions.iter().find(between).is_none())
        .then(|| heap.start.0.checked_sub(bss_end_page))
        .flatten()
}

/// The program as described by its file.
#[must_use]
pub fn program(space: &Snapshot, command: &[String]) -> ProgramFile {
    let image = image::own(space).map(|own| own.image);
    ProgramFile {
        command: command.to_vec(),
        path: space.program.clone(),
        bits: image.map(|image| image.bits),
        position_independent: image.map(|image| !image.fixed),
        dynamic: image.map(|image| image.interpreted),
    }
}

#[cfg(test)]
mod tests;
