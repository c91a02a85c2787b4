//! The layout of this process.

use sys::allocator::move_break;
use sys::mapping::{OwnMapping, Policy};
use sys::memory::Memory;
use sys::proc::MapsEntry;

use super::{failed, heap, page_bytes};
use crate::facts::LayoutFacts;

/// Reads `/proc/self/maps` and the program headers.
pub(super) fn look() -> Result<LayoutFacts, String> {
    let image =
        sys::image::own_image().ok_or("dl_iterate_phdr: the program's own headers are unknown")?;
    let page = page_bytes();
    let fresh = OwnMapping::new(1 << 20, Policy::Plain).map_err(failed("mmap"))?;
    if heap().is_none() {
        // Without brk by the allocator there is no [heap] yet.
        move_break(isize::try_from(page).expect("small")).map_err(failed("brk"))?;
    }
    let regions = sys::proc::regions_now().map_err(failed("/proc/self/maps"))?;
    let program_end = image.end.next_multiple_of(page);
    Ok(LayoutFacts {
        pie: image.bias != 0,
        program_end,
        heap: heap(),
        stack: named(&regions, "[stack]"),
        fresh: fresh.address(),
        mappings: mappings(&regions, program_end),
    })
}

fn named(regions: &[MapsEntry], name: &str) -> Option<(usize, usize)> {
    regions.iter().find(|region| region.name == name).map(|region| (region.start, region.end))
}

/// All mappings except those of the program, which end at `program_end`, and those that the kernel
/// names.
pub(crate) fn mappings(regions: &[MapsEntry], program_end: usize) -> Vec<(usize, usize)> {
    let program =
        regions.iter().find(|region| region.end == program_end || region.contains(program_end - 1));
    let file = regions.iter().rfind(|region| region.end <= program_end && region.inode != 0);
    let own = |region: &MapsEntry| {
        program.is_some_and(|last| last.start == region.start)
            || file.is_some_and(|file| file.inode == region.inode && file.name == region.name)
    };
    let others = regions.iter().filter(|region| !region.name.starts_with('[') && !own(region));
    others.map(|region| (region.start, region.end)).collect()
}
