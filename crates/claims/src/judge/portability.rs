//! What other systems have of mmap: from their manuals, not from a measurement. docs/claims.md has the sources.

use results::claims::{Claim, Standing};
use serde_json::json;

use crate::catalogue::claim;

/// A call or flag, and what FreeBSD 14, macOS 14 and Windows 11 have of it.
const TABLE: [(&str, [&str; 3]); 12] = [
    ("mmap, munmap, mprotect", ["yes", "yes", "VirtualAlloc, VirtualFree, VirtualProtect; MapViewOfFile"]),
    ("MAP_SHARED, MAP_PRIVATE, MAP_FIXED", ["yes", "yes", "by other calls"]),
    ("MAP_ANONYMOUS", ["yes (as MAP_ANON)", "yes (as MAP_ANON)", "VirtualAlloc does nothing else"]),
    ("MAP_POPULATE", ["no (MAP_PREFAULT_READ for reading)", "no", "no (PrefetchVirtualMemory)"]),
    ("MAP_HUGETLB", ["no (MAP_ALIGNED_SUPER)", "no (VM_FLAGS_SUPERPAGE_SIZE_2MB)", "no (MEM_LARGE_PAGES)"]),
    ("MAP_FIXED_NOREPLACE", ["no (MAP_FIXED with MAP_EXCL)", "no", "no"]),
    ("MAP_NORESERVE", ["accepted, without effect", "accepted, without effect", "MEM_RESERVE without MEM_COMMIT"]),
    ("mremap", ["no", "no", "no"]),
    ("MADV_DONTNEED frees the pages", ["no: a hint", "no: a hint", "no (MEM_RESET, or decommit)"]),
    ("MADV_FREE", ["yes", "yes", "no (MEM_RESET)"]),
    ("MADV_HUGEPAGE", ["no: automatic", "no", "no"]),
    ("brk, sbrk", ["deprecated, not on arm64 and riscv64", "an emulation", "no"]),
];

/// The table as a claim.
#[must_use]
pub fn less_portable() -> Claim {
    let known = |column: usize| TABLE.iter().filter(|(_, others)| others[column].starts_with("yes")).count();
    let evidence = format!(
        "not measurable; of {} calls and flags of Linux, FreeBSD has {}, macOS {}, Windows {} by that name",
        TABLE.len(),
        known(0),
        known(1),
        known(2)
    );
    let explanation =
        "By their manuals: what POSIX has (mmap, munmap, mprotect, MAP_SHARED, MAP_PRIVATE, MAP_FIXED) is \
                       everywhere but on Windows, and what makes it fast on Linux is on Linux alone (docs/claims.md)."
            .to_owned();
    let row = |(name, [freebsd, macos, windows]): &(&str, [&str; 3])| json!({ "name": name, "linux": "yes", "freebsd": freebsd, "macos": macos, "windows": windows });
    claim("less-portable", Standing::CannotTest, evidence, explanation)
        .figure("table", TABLE.iter().map(row).collect::<Vec<_>>())
}
