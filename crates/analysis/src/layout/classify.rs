//! From mappings to classified regions.

use events::snapshot::{MappedRange, Snapshot};
use results::layout::{Address, Parts, Region, RegionKind};

use super::Detail;
use super::arena::arenas;
use super::image::{Placed, found, own};

/// A mapping without access right below a stack is its guard up to this size. glibc's guard is a
/// page by default.
const LARGEST_GUARD_BYTES: u64 = 1 << 20;

/// All mapped regions. A mapping that holds two (bss and heap without a gap) is split.
pub(super) fn regions(space: &Snapshot, detail: Detail) -> Vec<Region> {
    let known = Known::new(space);
    let mut regions = Vec::new();
    for (index, range) in space.ranges.iter().enumerate() {
        let cuts = known.cuts(range);
        let pieces: Vec<(u64, u64)> = cuts.windows(2).map(|pair| (pair[0], pair[1])).collect();
        // Only the largest piece can hold a huge page.
        let largest = pieces.iter().max_by_key(|(start, end)| end - start).copied();
        for &(start, end) in &pieces {
            let (kind, path) = known.meaning(index, start);
            let whole = pieces.len() == 1;
            regions.push(Region {
                start: Address(start),
                end: Address(end),
                perms: range.permissions.clone(),
                kind,
                path,
                resident_bytes: if whole {
                    range.resident_bytes
                } else {
                    resident_within(range, start, end)
                },
                huge_bytes: if largest == Some((start, end)) { range.huge_bytes } else { 0 },
                parts: parts(range, start, end, space.page_bytes, detail),
            });
        }
    }
    regions
}

/// What is known about the address space.
struct Known<'a> {
    space: &'a Snapshot,
    own: Option<Placed<'a>>,
    libraries: Vec<Placed<'a>>,
    arenas: Vec<(u64, u64)>,
    /// Indices of ranges that are stacks of threads, or their guards.
    stacks: Vec<usize>,
}

impl<'a> Known<'a> {
    fn new(space: &'a Snapshot) -> Self {
        let own = own(space);
        let bits = own.as_ref().map_or(64, |own| own.image.bits);
        let others = space
            .images
            .iter()
            .filter(|image| own.as_ref().is_none_or(|own| own.image.file != image.file));
        Known {
            libraries: others.filter_map(|image| found(space, image)).collect(),
            arenas: arenas(&space.ranges, bits),
            stacks: stacks(space),
            space,
            own,
        }
    }

    /// The addresses at which a range is split, its two ends included.
    fn cuts(&self, range: &MappedRange) -> Vec<u64> {
        let images = self.own.iter().chain(&self.libraries);
        let bss = images.flat_map(Placed::bss).flat_map(|(start, end)| [start, end]);
        let bss = bss.filter(|_| range.file == 0);
        // With READ_IMPLIES_EXEC (personality(2)), neighbouring segments become one mapping.
        let own = self.own.iter().filter(|own| range.file != 0 && own.image.file == range.file);
        let segments = own.flat_map(Placed::starts);
        let arenas = self.arenas.iter().flat_map(|&(start, end)| [start, end]);
        let inside = bss
            .chain(arenas)
            .chain(segments)
            .filter(|cut| (range.start + 1..range.end).contains(cut));
        let mut cuts: Vec<u64> = [range.start, range.end].into_iter().chain(inside).collect();
        cuts.sort_unstable();
        cuts.dedup();
        cuts
    }

    /// The kind at `address` in the range `index`, and its file or name.
    fn meaning(&self, index: usize, address: u64) -> (RegionKind, Option<String>) {
        let range = &self.space.ranges[index];
        let name = (!range.name.is_empty()).then(|| range.name.clone());
        if range.file == 0 {
            if let Some(kind) = self.bss_at(range, address) {
                return kind;
            }
            return (
                self.anonymous(index, address),
                name.filter(|name| !KERNEL_NAMES.contains(&name.as_str())),
            );
        }
        let own = self.own.as_ref().filter(|own| own.image.file == range.file);
        let kind =
            own.and_then(|own| own.kind_at(address)).unwrap_or(if is_shared_memory(&range.name) {
                RegionKind::Mmap
            } else {
                RegionKind::File
            });
        (kind, name)
    }

    fn bss_at(&self, range: &MappedRange, address: u64) -> Option<(RegionKind, Option<String>)> {
        let nameless =
            range.name.is_empty() || range.name == "[heap]" || range.name.starts_with("[anon:.bss");
        let within = |placed: &Placed| {
            nameless && placed.bss().any(|(start, end)| (start..end).contains(&address))
        };
        if self.own.as_ref().is_some_and(within) {
            return Some((RegionKind::Bss, None));
        }
        let library = self.libraries.iter().find(|library| within(library))?;
        let file = self.space.ranges.iter().find(|range| range.file == library.image.file)?;
        Some((RegionKind::File, Some(file.name.clone())))
    }

    fn anonymous(&self, index: usize, address: u64) -> RegionKind {
        match self.space.ranges[index].name.as_str() {
            "[heap]" => RegionKind::Heap,
            "[stack]" => RegionKind::Stack,
            "[vdso]" => RegionKind::Vdso,
            "[vsyscall]" => RegionKind::Vsyscall,
            name if name.starts_with("[vvar") => RegionKind::Vvar,
            name if name.starts_with("[anon: glibc: pthread stack") => RegionKind::ThreadStack,
            name if name.is_empty() || name.starts_with("[anon") => {
                if self.arenas.iter().any(|&(start, end)| (start..end).contains(&address)) {
                    RegionKind::Arena
                } else if self.stacks.contains(&index) {
                    RegionKind::ThreadStack
                } else {
                    RegionKind::Mmap
                }
            }
            _ => RegionKind::Other,
        }
    }
}

/// Names that repeat the kind.
const KERNEL_NAMES: [&str; 5] = ["[heap]", "[stack]", "[vdso]", "[vvar]", "[vsyscall]"];

/// Shared memory with a file that has no path: `MAP_SHARED | MAP_ANONYMOUS`, shmget(2), a memfd.
fn is_shared_memory(name: &str) -> bool {
    ["/dev/zero (deleted)", "/SYSV", "/memfd:", "/anon_hugepage"]
        .iter()
        .any(|begin| name.starts_with(begin))
}

/// The ranges with a thread's stack pointer, and their guards.
fn stacks(space: &Snapshot) -> Vec<usize> {
    let mut found = Vec::new();
    for pointer in &space.stack_pointers {
        let holds = |range: &MappedRange| (range.start..range.end).contains(pointer);
        let Some(index) = space.ranges.iter().position(holds) else { continue };
        found.push(index);
        if let Some(below) = index.checked_sub(1) {
            let (guard, stack) = (&space.ranges[below], &space.ranges[index]);
            let is_guard = guard.end == stack.start
                && guard.permissions.starts_with("---")
                && guard.file == 0
                && guard.end - guard.start <= LARGEST_GUARD_BYTES;
            if is_guard {
                found.push(below);
            }
        }
    }
    found
}

/// The resident bytes of `start..end`.
fn resident_within(range: &MappedRange, start: u64, end: u64) -> u64 {
    let Some(resident) = &range.resident else { return 0 };
    resident.iter().map(|(from, to)| to.min(&end).saturating_sub(*from.max(&start))).sum()
}

fn parts(
    range: &MappedRange,
    start: u64,
    end: u64,
    page_bytes: u64,
    detail: Detail,
) -> Option<Parts> {
    let (Detail::Parts(most), Some(_)) = (detail, &range.resident) else { return None };
    let pages = (end - start).div_ceil(page_bytes);
    let part_bytes = pages.div_ceil(most.max(1)).max(1) * page_bytes;
    let count = (end - start).div_ceil(part_bytes);
    let part = |number: u64| {
        let from = start + number * part_bytes;
        resident_within(range, from, end.min(from + part_bytes))
    };
    Some(Parts { part_bytes, resident_bytes: (0..count).map(part).collect() })
}
