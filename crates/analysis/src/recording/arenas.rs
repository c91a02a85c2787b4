//! Arenas and thresholds, where the allocator is glibc's.

use events::{Definition, Definitions};
use results::recording::{ArenaMemory, ArenaRow, Seen, SiteRow, ThresholdMoveRow, ThresholdsRow};

use super::timeline::RowsBySite;
use crate::allocations::{AllocationAccount, ArenaAccount, ArenaKind, MmapThresholds, Site};

/// Allocators, and how the names of their libraries begin.
const ALLOCATORS: [(&str, &[&str]); 5] = [
    ("glibc", &["libc.so.6", "libc-2."]),
    ("musl", &["ld-musl", "libc.musl"]),
    ("jemalloc", &["libjemalloc"]),
    ("mimalloc", &["libmimalloc"]),
    ("tcmalloc", &["libtcmalloc"]),
];

/// The allocators whose libraries were loaded.
pub(super) fn allocators(definitions: &Definitions) -> Vec<String> {
    let mut has = [false; ALLOCATORS.len()];
    for definition in definitions.iter() {
        let Definition::Module(_, module) = definition else { continue };
        let path = definitions.text(module.path);
        let name = path.rsplit('/').next().unwrap_or(path);
        for (has, (_, begins)) in has.iter_mut().zip(ALLOCATORS) {
            *has |= begins.iter().any(|begin| name.starts_with(begin));
        }
    }
    let names = has.into_iter().zip(ALLOCATORS).filter(|(has, _)| *has);
    names.map(|(_, (name, _))| name.to_owned()).collect()
}

/// Whether what is seen of arenas and thresholds is that of glibc, and of all calls.
pub(super) fn are_known(account: &AllocationAccount, seen: Seen, allocators: &[String]) -> bool {
    allocators == ["glibc"] && seen.allocations && account.thinned.is_none()
}

/// The arenas: of each process in the order of their kinds and addresses.
pub(super) fn arenas(account: &AllocationAccount, seen: Seen) -> Vec<ArenaRow> {
    let row = |arena: &ArenaAccount| ArenaRow {
        pid: Some(arena.pid),
        arena: match arena.kind {
            ArenaKind::Main => ArenaMemory::MainHeap,
            ArenaKind::Thread => ArenaMemory::ThreadHeap,
            ArenaKind::Mapped => ArenaMemory::OwnMapping,
            ArenaKind::Other => ArenaMemory::Other,
        },
        start: if arena.kind == ArenaKind::Thread { arena.start } else { 0 },
        first_tid: Some(arena.first_tid).filter(|&tid| tid > 0),
        count: 1,
        calls: arena.calls,
        bytes: arena.bytes,
        resizes: seen.syscalls.then_some(arena.resizes),
        resize_ns: seen.syscalls.then_some(arena.resize_ns),
    };
    let all = &account.arenas;
    let mut rows: Vec<ArenaRow> = all.arenas.iter().map(row).collect();
    if let Some((count, sum)) = all.others {
        let others = ArenaRow { pid: None, first_tid: None, start: 0, count, ..row(&sum) };
        rows.push(ArenaRow { arena: ArenaMemory::Other, ..others });
    }
    rows
}

/// The thresholds of each process.
pub(super) fn thresholds(
    account: &AllocationAccount,
    sites: &[(&Site, SiteRow)],
) -> Vec<ThresholdsRow> {
    let rows = RowsBySite::new(account, sites);
    let row = |thresholds: &MmapThresholds| ThresholdsRow {
        pid: thresholds.pid,
        largest_from_arena_bytes: thresholds.largest_unmapped_bytes,
        smallest_mapped_bytes: thresholds.smallest_mapped_bytes,
        moves: thresholds
            .moves
            .iter()
            .map(|moved| ThresholdMoveRow {
                time_ns: moved.time_ns.saturating_sub(account.header.began_ns),
                from_bytes: moved.from_bytes,
                to_bytes: moved.to_bytes,
                site: moved.site.and_then(|site| rows.row(site)),
            })
            .collect(),
        more_moves: thresholds.more_moves,
        is_fixed: thresholds.contradictions > 0,
    };
    account.arenas.thresholds.iter().map(row).collect()
}
