//! mmap on other systems: from their manuals, not from a measurement. docs/claims.md has the
//! sources.

use results::claims::{Claim, ClaimVerdict};
use serde_json::json;

use crate::catalogue::claim;

/// A call or flag, and its counterpart in FreeBSD, macOS and Windows according to their manuals.
const TABLE: [(&str, [&str; 3]); 12] = [
    (
        "mmap, munmap, mprotect",
        ["yes", "yes", "no: VirtualAlloc, VirtualFree, VirtualProtect, MapViewOfFile"],
    ),
    (
        "MAP_SHARED, MAP_PRIVATE, MAP_FIXED",
        ["yes", "yes", "no: CreateFileMapping, PAGE_WRITECOPY, an address"],
    ),
    ("MAP_ANONYMOUS", ["yes", "yes", "no: VirtualAlloc is always anonymous"]),
    (
        "MAP_POPULATE",
        ["no: MAP_PREFAULT_READ, resident pages for reading", "no", "no: PrefetchVirtualMemory"],
    ),
    ("MAP_HUGETLB", ["no: MAP_ALIGNED_SUPER aligns", "no", "no: MEM_LARGE_PAGES"]),
    ("MAP_FIXED_NOREPLACE", ["no: MAP_FIXED with MAP_EXCL", "no", "no"]),
    ("MAP_NORESERVE", ["no", "no", "no: MEM_RESERVE without MEM_COMMIT"]),
    ("mremap", ["no", "no", "no"]),
    ("MADV_DONTNEED that frees the pages", ["no: a hint", "no: a hint", "no: MEM_DECOMMIT"]),
    ("MADV_FREE", ["yes", "yes", "no: MEM_RESET"]),
    ("MADV_HUGEPAGE", ["no: superpages are automatic", "no", "no"]),
    ("brk, sbrk", ["yes, deprecated; not on arm64 and riscv", "yes, deprecated", "no"]),
];

/// The table as a claim.
#[must_use]
pub fn less_portable() -> Claim {
    let known = |column: usize| {
        TABLE.iter().filter(|(_, others)| others[column].starts_with("yes")).count()
    };
    let evidence = format!(
        "not measurable; FreeBSD has {} of {} calls, macOS {}, Windows {}",
        known(0),
        TABLE.len(),
        known(1),
        known(2)
    );
    let explanation =
        "Calls and flags by the same name, according to the manuals: those of POSIX (mmap, munmap, \
        mprotect, MAP_SHARED, MAP_PRIVATE, MAP_FIXED) exist everywhere except on Windows, those \
        that make mmap fast exist only on Linux (docs/claims.md)."
            .to_owned();
    let row = |(name, [freebsd, macos, windows]): &(&str, [&str; 3])| {
        json!({
            "name": name,
            "linux": "yes",
            "freebsd": freebsd,
            "macos": macos,
            "windows": windows,
        })
    };
    claim("less-portable", ClaimVerdict::CannotTest, evidence, explanation)
        .figure("table", TABLE.iter().map(row).collect::<Vec<_>>())
}
