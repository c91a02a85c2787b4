//! Transparent huge pages: Documentation/admin-guide/mm/transhuge.rst of the kernel.

use std::fs::{read_dir, read_to_string};

use super::{number, switch};
use crate::machine::chosen;

const FOLDER: &str = "/sys/kernel/mm/transparent_hugepage";

/// The kernel's settings for huge pages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HugePageFacts {
    /// For anonymous memory: `always`, `madvise` or `never`.
    pub enabled: Option<String>,
    /// How hard a fault tries for one: `always`, `defer`, `defer+madvise`, `madvise` or `never`.
    pub defrag: Option<String>,
    /// Whether khugepaged, which merges small pages afterwards, may compact memory for it.
    pub khugepaged_defrag: Option<bool>,
    /// How long khugepaged sleeps between two scans.
    pub khugepaged_sleep_ms: Option<u64>,
    /// The memory that one page table entry of the second level (PMD) maps: 2 MiB on x86-64.
    pub largest_bytes: Option<u64>,
    /// Each size's own switch, the smallest first; empty before Linux 6.8.
    pub sizes: Option<Vec<PageSize>>,
}

/// The switch of one size (`hugepages-64kB/enabled`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageSize {
    /// The size.
    pub bytes: u64,
    /// `always`, `inherit` (the common setting), `madvise` or `never`.
    pub mode: String,
}

impl HugePageFacts {
    /// The settings as they are now.
    #[must_use]
    pub fn now() -> Self {
        let word = |name: &str| chosen(&read_to_string(format!("{FOLDER}/{name}")).ok()?);
        HugePageFacts {
            enabled: word("enabled"),
            defrag: word("defrag"),
            khugepaged_defrag: switch(format!("{FOLDER}/khugepaged/defrag")),
            khugepaged_sleep_ms: number(format!("{FOLDER}/khugepaged/scan_sleep_millisecs")),
            largest_bytes: number(format!("{FOLDER}/hpage_pmd_size")),
            sizes: sizes(),
        }
    }
}

fn sizes() -> Option<Vec<PageSize>> {
    let mut sizes: Vec<PageSize> = read_dir(FOLDER)
        .ok()?
        .flatten()
        .filter_map(|entry| {
            let bytes = parse_size(entry.file_name().to_str()?)?;
            let mode = chosen(&read_to_string(entry.path().join("enabled")).ok()?)?;
            Some(PageSize { bytes, mode })
        })
        .collect();
    sizes.sort_by_key(|size| size.bytes);
    Some(sizes)
}

/// A pool of hugetlb pages of one size (Documentation/admin-guide/mm/hugetlbpage.rst).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// The size.
    pub page_bytes: u64,
    /// Pages that are neither in use nor reserved, and those that `nr_overcommit_hugepages` would
    /// still allow.
    pub free: u64,
}

/// The pools of hugetlb pages; empty on kernels without hugetlb.
#[must_use]
pub fn hugetlb_pools() -> Vec<Pool> {
    let count = |folder: &std::path::Path, name: &str| -> Option<u64> {
        number(folder.join(name).display().to_string())
    };
    let pool = |entry: std::fs::DirEntry| {
        let (page_bytes, folder) = (parse_size(entry.file_name().to_str()?)?, entry.path());
        let promised = count(&folder, "resv_hugepages")?;
        let overcommit = count(&folder, "nr_overcommit_hugepages")?
            .saturating_sub(count(&folder, "surplus_hugepages")?);
        Some(Pool {
            page_bytes,
            free: count(&folder, "free_hugepages")?.saturating_sub(promised) + overcommit,
        })
    };
    read_dir("/sys/kernel/mm/hugepages").into_iter().flatten().flatten().filter_map(pool).collect()
}

/// The size in a folder's name: `hugepages-64kB`.
fn parse_size(folder: &str) -> Option<u64> {
    let kilobytes: u64 = folder.strip_prefix("hugepages-")?.strip_suffix("kB")?.parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_read_from_the_folder_name() {
        assert_eq!(parse_size("hugepages-64kB"), Some(64 << 10));
        assert_eq!(parse_size("hugepages-2048kB"), Some(2 << 20));
        for other in ["khugepaged", "hugepages-", "hugepages-xkB", "hugepages-64"] {
            assert_eq!(parse_size(other), None, "{other}");
        }
    }
}
