//! Huge pages: who gets them without asking, who cannot have them, and whether there are any.

use results::doctor::Check;
use sys::facts::{Facts, HugePageFacts, PageSize};

use crate::quantity::{bytes, count};
use crate::{DEFAULT_RUN_BYTES, ok, skip, warn};

/// Huge pages for those who ask.
const THP_MADVISE: &str = "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled";

/// Transparent huge pages of the largest size: what is said for all, unless that size's own switch
/// says something else.
pub(crate) fn thp(facts: &Facts) -> Check {
    const ID: &str = "thp";
    let pages = &facts.pages;
    let Some(for_all) = pages.enabled.as_deref() else {
        return skip(ID, "this kernel has no transparent huge pages, or /sys is not mounted")
            .effect("bench: the arm mmap+hugepage is refused; nothing else is touched");
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
        return warn(ID, format!("{found}; forbidden to this process (prctl PR_SET_THP_DISABLE, inherited)"))
            .effect("bench: the arm mmap+hugepage gets small pages and is refused")
            .fix("start firsttouch from a shell or service that does not forbid huge pages to its children")
            .touching("bench");
    }
    match mode {
        "always" => warn(ID, found)
            .effect(
                "bench: every arm of 2 MiB or more may get huge pages without asking, so times, faults and ratios of \
                 mmap, malloc and calloc are those of mmap+hugepage in disguise",
            )
            .fix(fix)
            .touching("bench"),
        "never" => warn(ID, found).effect("bench: the arm mmap+hugepage is refused").fix(fix).touching("bench"),
        _ => ok(ID, found),
    }
}

fn is_largest(pages: &HugePageFacts, size: &PageSize) -> bool {
    pages.largest_bytes == Some(size.bytes)
}

fn file(size: &PageSize) -> String {
    format!("/sys/kernel/mm/transparent_hugepage/hugepages-{}kB/enabled", size.bytes >> 10)
}

/// What else is set for huge pages.
fn aside(pages: &HugePageFacts) -> String {
    let defrag =
        pages.defrag.as_ref().map(|defrag| format!("; defrag {defrag}")).unwrap_or_default();
    let compacts = if pages.khugepaged_defrag == Some(false) { ", without compaction" } else { "" };
    let merging = pages
        .khugepaged_sleep_ms
        .map(|sleep_ms| format!("; khugepaged every {} s{compacts}", sleep_ms as f64 / 1e3));
    defrag + &merging.unwrap_or_default()
}

/// The smaller sizes (mTHP, Linux 6.8), each with a switch of its own.
pub(crate) fn mthp(facts: &Facts) -> Check {
    const ID: &str = "mthp";
    let pages = &facts.pages;
    let smaller: Vec<&PageSize> =
        pages.sizes.iter().flatten().filter(|size| !is_largest(pages, size)).collect();
    if smaller.is_empty() {
        return skip(
            ID,
            "no smaller sizes here (before Linux 6.8, or without transparent huge pages)",
        );
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
                "bench: every arm may get these pages without asking, so that one fault brings in several pages; of \
                 huge pages its table shows those of the largest size only",
            )
            .fix(format!("echo never | sudo tee {}{}", file(first), more(always.len() - 1)))
            .touching("bench");
    }
    if asked.is_empty() {
        return ok(ID, format!("none of {} is on", count(smaller.len(), "smaller size")));
    }
    ok(ID, format!("for those who ask: pages of {}", names(&asked))).effect(
        "bench: mmap+hugepage may fall back to them where no 2 MiB are free, and is then refused",
    )
}

fn more(sizes: usize) -> String {
    if sizes == 0 { String::new() } else { format!(" (and {sizes} more)") }
}

/// Whether huge pages can be handed out at once.
pub(crate) fn free_huge_pages(facts: &Facts) -> Check {
    const ID: &str = "free-huge-pages";
    let memory = &facts.memory;
    let Some(free_bytes) = memory.free_huge_bytes else {
        return skip(
            ID,
            "/proc/buddyinfo is not readable: how broken up free memory is cannot be seen",
        );
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
            "a fault does not make room (defrag), so mmap+hugepage falls back and is refused"
        }
        _ => {
            "a fault has to compact memory first, so first touch of mmap+hugepage is slower, or falls back and is refused"
        }
    };
    warn(ID, found)
        .effect(format!("bench: too few for its default of 100 MiB: {next}"))
        .fix("echo 1 | sudo tee /proc/sys/vm/compact_memory")
        .touching("bench")
}
