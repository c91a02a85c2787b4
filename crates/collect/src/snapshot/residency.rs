//! The mappings of a process, and how much of each is resident.
//!
//! A look at a running process must not hold it up. `/proc/PID/smaps` does: the kernel counts the
//! pages of a mapping under the lock that mmap(2), munmap(2), mprotect(2) and brk(2) need, and for
//! some GiB in small pages that takes a tenth of a second. So the mappings are read from `maps`
//! (since Linux 6.17 without that lock), and their pages by `PAGEMAP_SCAN` in short calls. Only
//! smaps tells which mappings are accounted: it is read where its counting is short.

use std::io;

use sys::limits::page_bytes;
use sys::proc::{Mapped, MapsEntry, PageMap, Present, TaskFolder};

/// Whether accounted memory is read where that takes long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accounted {
    /// Only if it holds up the memory syscalls of the process for about a millisecond at most.
    IfShort,
    /// In any case: the process is stopped, or the user wants it.
    Always,
}

/// The resident small pages of a mapping for which smaps is still read while a process runs. The
/// kernel takes 30 to 70 ns for each: about a millisecond.
const SHORT_BYTES: u64 = 64 << 20;
/// The largest range whose pages are read one by one: 2^26 entries of eight bytes take a second.
const LARGEST_LOOK_BYTES: u64 = 256 << 30;
/// Mappings with a smaller gap between them are scanned together.
const SMALL_GAP_BYTES: u64 = 1 << 30;

/// A mapping and its resident pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) region: MapsEntry,
    pub(super) resident_bytes: u64,
    pub(super) huge_bytes: u64,
    /// The resident ranges of addresses; `None` if they cannot be read.
    pub(super) resident: Option<Vec<(u64, u64)>>,
}

/// The mappings by ascending address, and the bytes of those that are accounted, if that was read.
pub(super) fn look(
    folder: &TaskFolder,
    accounted: Accounted,
) -> io::Result<(Vec<Seen>, Option<u64>)> {
    let regions = folder.regions()?;
    let pages = folder.pages().ok();
    let Some(present) = pages.as_ref().and_then(|pages| present(pages, &regions)) else {
        return by_smaps(folder, pages.as_ref());
    };
    let seen = divide(regions, &present);
    let is_short = seen.iter().all(|seen| seen.resident_bytes - seen.huge_bytes <= SHORT_BYTES);
    let wanted = accounted == Accounted::Always || is_short;
    let mapped = if wanted { folder.mapped().ok() } else { None };
    Ok((seen, mapped.as_deref().map(accounted_bytes)))
}

/// Without `PAGEMAP_SCAN` (before Linux 6.7): by smaps, and which pages by their entries.
fn by_smaps(folder: &TaskFolder, pages: Option<&PageMap>) -> io::Result<(Vec<Seen>, Option<u64>)> {
    let mapped = folder.mapped()?;
    let accounted = accounted_bytes(&mapped);
    let seen = |mapped: Mapped| {
        let Mapped { region, resident_bytes, huge_bytes, .. } = mapped;
        let (start, end) = (region.start as u64, region.end as u64);
        let resident = match pages {
            // Nothing is resident, or reading the range would take too long: the resident bytes
            // are known anyway.
            Some(_) if resident_bytes == 0 => Some(Vec::new()),
            Some(pages) if end - start <= LARGEST_LOOK_BYTES => {
                pages.resident(start, end, page_bytes()).ok()
            }
            _ => None,
        };
        Seen { region, resident_bytes, huge_bytes, resident }
    };
    Ok((mapped.into_iter().map(seen).collect(), Some(accounted)))
}

fn accounted_bytes(mapped: &[Mapped]) -> u64 {
    let accounted = mapped.iter().filter(|mapped| mapped.accounted);
    accounted.map(|mapped| (mapped.region.end - mapped.region.start) as u64).sum()
}

/// The present pages of `regions`; `None` if the kernel cannot scan.
fn present(pages: &PageMap, regions: &[MapsEntry]) -> Option<Vec<Present>> {
    let mut found = Vec::new();
    for (start, end) in spans(regions) {
        found.extend(pages.scan(start, end).ok()?);
    }
    Some(found)
}

/// The ranges of addresses to scan. The kernel's half (vsyscall) has no pages of the process.
fn spans(regions: &[MapsEntry]) -> Vec<(u64, u64)> {
    let mut spans: Vec<(u64, u64)> = Vec::new();
    for region in regions.iter().filter(|region| (region.start as u64) < 1 << 63) {
        let (start, end) = (region.start as u64, region.end as u64);
        match spans.last_mut() {
            Some(last) if start - last.1 < SMALL_GAP_BYTES => last.1 = end,
            _ => spans.push((start, end)),
        }
    }
    spans
}

/// Gives each region its part of `present`, which is in order.
fn divide(regions: Vec<MapsEntry>, present: &[Present]) -> Vec<Seen> {
    let mut rest = present;
    let mut seen = Vec::with_capacity(regions.len());
    for region in regions {
        let (start, end) = (region.start as u64, region.end as u64);
        rest = &rest[rest.partition_point(|present| present.end <= start)..];
        let mut one = Seen { region, resident_bytes: 0, huge_bytes: 0, resident: Some(Vec::new()) };
        for present in rest.iter().take_while(|present| present.start < end) {
            let (from, to) = (present.start.max(start), present.end.min(end));
            one.resident_bytes += to - from;
            one.huge_bytes += if present.huge { to - from } else { 0 };
            let ranges = one.resident.get_or_insert_default();
            match ranges.last_mut() {
                Some(last) if last.1 == from => last.1 = to,
                _ => ranges.push((from, to)),
            }
        }
        seen.push(one);
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(start: usize, end: usize) -> MapsEntry {
        MapsEntry {
            start,
            end,
            permissions: "rw-p".to_owned(),
            offset_bytes: 0,
            device: (0, 0),
            inode: 0,
            name: String::new(),
        }
    }

    #[test]
    fn neighbours_are_scanned_together_and_the_kernels_half_is_not() {
        let far = 0x7000_0000_0000;
        let regions = [
            region(0x1000, 0x3000),
            region(0x3000, 0x4000),
            region(0x9000, 0xa000),
            region(far, far + 0x1000),
            region(0xffff_ffff_ff60_0000, 0xffff_ffff_ff60_1000),
        ];
        let far = far as u64;
        assert_eq!(spans(&regions), [(0x1000, 0xa000), (far, far + 0x1000)]);
    }

    #[test]
    fn pages_belong_to_the_region_they_are_in() {
        let huge = |start, end| Present { start, end, huge: true };
        let small = |start, end| Present { start, end, huge: false };
        let present = [small(0x1000, 0x4000), huge(0x4000, 0x6000), small(0x9000, 0xb000)];
        let regions = vec![region(0x0, 0x2000), region(0x3000, 0x5000), region(0x5000, 0xa000)];
        let found: Vec<_> = divide(regions, &present)
            .into_iter()
            .map(|seen| (seen.resident_bytes, seen.huge_bytes, seen.resident.unwrap()))
            .collect();
        let expect = [
            (0x1000, 0, vec![(0x1000, 0x2000)]),
            (0x2000, 0x1000, vec![(0x3000, 0x5000)]),
            (0x2000, 0x1000, vec![(0x5000, 0x6000), (0x9000, 0xa000)]),
        ];
        assert_eq!(found, expect);
    }
}
