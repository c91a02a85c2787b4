//! Huge pages: which mappings get them, whether this process may have them, and how many are free.

use results::doctor::Check;
use sys::facts::{Facts, HugePageFacts, PageSize};

use crate::quantity::{bytes, count};
use crate::{DEFAULT_RUN_BYTES, ok, skip, warn};

/// Sets huge pages to madvise: only mappings that ask get them.
const THP_MADVISE: &str = "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled";

/// Transparent huge pages of the largest size: the global mode, unless that size's own switch
/// overrides it.
pub(crate) fn thp(facts: &Facts) -> Check {
    const ID: &str = "thp";
    let pages = &facts.pages;
    let Some(for_all) = pages.enabled.as_deref() else {
        return skip(ID, "the kernel has no transparent huge pages, or /sys is not mounted")
            .effect("bench: the arm mmap+hugepage is refused; other arms are not affected");
    };
    let own =
        pages.sizes.iter().flatten().find(|size| is_largest(pages, size) && size.mode != "inherit");
    let (mode, fix, found) = match own {
        None => (for_all, THP_MADVISE.to_owned(), format!("{for_all}{}", aside(pages))),
        Some(own) => {
            let found = format!(
                "{for_all}, but {} for pages of {}{}",
                own.mode,
                bytes(own.bytes),
                aside(pages)
            );
            (own.mode.as_str(), format!("echo madvise | sudo tee {}", file(own)), found)
        }
    };
    if facts.own.huge_pages == Some(false) {
        return warn(
            ID,
            format!("{found}; disabled for this process (prctl PR_SET_THP_DISABLE, inherited)"),
        )
        .effect("bench: the arm mmap+hugepage gets small pages and is refused")
        .fix("start firsttouch from a shell or service that does not disable huge pages")
        .touching("bench");
    }
    match mode {
        "always" => warn(ID, found)
            .effect(
                "bench: every arm of 2 MiB or more may get huge pages without asking, so mmap, \
                malloc and calloc measure the same as mmap+hugepage",
            )
            .fix(fix)
            .touching("bench"),
        "never" => warn(ID, found)
            .effect("bench: the arm mmap+hugepage is refused")
            .fix(fix)
            .touching("bench"),
        _ => ok(ID, found),
    }
}

fn is_largest(pages: &HugePageFacts, size: &PageSize) -> bool {
    pages.largest_bytes == Some(size.bytes)
}

fn file(size: &PageSize) -> String {
    format!("/sys/kernel/mm/transparent_hugepage/hugepages-{}kB/enabled", size.bytes >> 10)
}

/// The other huge page settings.
fn aside(pages: &HugePageFacts) -> String {
    let defrag =
        pages.defrag.as_ref().map(|defrag| format!("; defrag {defrag}")).unwrap_or_default();
    let compacts = if pages.khugepaged_defrag == Some(false) { ", without compaction" } else { "" };
    let merging = pages
        .khugepaged_sleep_ms
        .map(|sleep_ms| format!("; khugepaged every {} s{compacts}", sleep_ms as f64 / 1e3));
    defrag + &merging.unwrap_or_default()
}

/// The smaller sizes (mTHP, Linux 6.8), each with its own switch.
pub(crate) fn mthp(facts: &Facts) -> Check {
    const ID: &str = "mthp";
    let pages = &facts.pages;
    let smaller: Vec<&PageSize> =
        pages.sizes.iter().flatten().filter(|size| !is_largest(pages, size)).collect();
    if smaller.is_empty() {
        return skip(ID, "no smaller sizes (Linux before 6.8, or without transparent huge pages)");
    }
    let for_all = pages.enabled.as_deref().unwrap_or("never");
    let with = |mode: &str| -> Vec<&PageSize> {
        let inherits = |size: &PageSize| size.mode == "inherit" && for_all == mode;
        smaller.iter().copied().filter(|size| size.mode == mode || inherits(size)).collect()
    };
    let names = |sizes: &[&PageSize]| {
        sizes.iter().map(|size| bytes(size.bytes)).collect::<Vec<_>>().join(", ")
    };
    let (always, asked) = (with("always"), with("madvise"));
    if let Some(first) = always.first() {
        return warn(ID, format!("always for pages of {}", names(&always)))
            .effect(
                "bench: every arm may get these pages without asking, so one fault may map several \
                pages; the table shows huge pages of the largest size only",
            )
            .fix(format!("echo never | sudo tee {}{}", file(first), more(always.len() - 1)))
            .touching("bench");
    }
    if asked.is_empty() {
        return ok(ID, format!("{}, none enabled", count(smaller.len(), "smaller size")));
    }
    ok(ID, format!("madvise for pages of {}", names(&asked))).effect(
        "bench: mmap+hugepage falls back to them if no 2 MiB block is free, and is then refused",
    )
}

fn more(sizes: usize) -> String {
    if sizes == 0 { String::new() } else { format!(" (and {sizes} more)") }
}

/// Whether huge pages are free without compaction.
pub(crate) fn free_huge_pages(facts: &Facts) -> Check {
    const ID: &str = "free-huge-pages";
    let memory = &facts.memory;
    let Some(free_bytes) = memory.free_huge_bytes else {
        return skip(ID, "unknown: /proc/buddyinfo is not readable");
    };
    let of = memory.free_bytes.map(|all| format!(" of {} free", bytes(all))).unwrap_or_default();
    let proactive = memory
        .compaction_proactiveness
        .map(|n| format!("; compaction_proactiveness {n}"))
        .unwrap_or_default();
    let threshold =
        memory.extfrag_threshold.map(|n| format!(", extfrag_threshold {n}")).unwrap_or_default();
    let found =
        format!("{}{of} in blocks of 2 MiB or more{proactive}{threshold}", bytes(free_bytes));
    if free_bytes >= DEFAULT_RUN_BYTES {
        return ok(ID, found);
    }
    let next = match facts.pages.defrag.as_deref() {
        Some("never" | "defer") => {
            "faults do not compact memory (defrag), so mmap+hugepage falls back and is refused"
        }
        _ => {
            "faults compact memory first, so mmap+hugepage is slower, or falls back and is refused"
        }
    };
    warn(ID, found)
        .effect(format!("bench: too few for the default size of 100 MiB: {next}"))
        .fix("echo 1 | sudo tee /proc/sys/vm/compact_memory")
        .touching("bench")
}
