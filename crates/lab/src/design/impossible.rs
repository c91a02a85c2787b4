//! Rules out impossible arms before any child is started.

use sample::source::Source;
use sys::mapping::HUGE_PAGE_BYTES;

use crate::design::machine_limits::MachineLimits;
use crate::design::work::Work;
use crate::question::quantity::bytes_phrase;

/// Why an arm is impossible here, as far as that is known before any child is started.
#[must_use]
pub(crate) fn impossible(work: &Work, limits: &MachineLimits) -> Option<String> {
    let whole = |page_bytes: u64| {
        let size = bytes_phrase(page_bytes);
        (work.size_bytes < page_bytes).then(|| {
            format!(
                "a block smaller than {size} cannot hold such a page: choose a --size of {size} or \
                 more"
            )
        })
    };
    match work.source {
        Source::MmapHugePage | Source::MmapCollapse => {
            no_huge_pages(limits.thp.as_deref(), work.source)
                .or_else(|| whole(HUGE_PAGE_BYTES as u64))
        }
        Source::MmapMidPages(kib) => whole(u64::from(kib) << 10).or_else(|| mid_pages(kib, limits)),
        Source::MmapHugetlb2M => {
            pool(HUGE_PAGE_BYTES as u64, work, limits).or_else(|| whole(HUGE_PAGE_BYTES as u64))
        }
        Source::MmapHugetlb1G => pool(1 << 30, work, limits).or_else(|| whole(1 << 30)),
        Source::Brk if work.threads > 1 => {
            Some("only one thread can move the program break: leave out --threads".to_owned())
        }
        _ if work.pattern.between.forks() && work.threads > 1 => {
            Some("fork copies only the calling thread: leave out --threads".to_owned())
        }
        _ => None,
    }
}

fn no_huge_pages(thp: Option<&str>, source: Source) -> Option<String> {
    match thp {
        None => Some("this kernel has no transparent huge pages".to_owned()),
        // MADV_COLLAPSE ignores the system's policy: madvise(2).
        Some("never") if source == Source::MmapHugePage => Some(
            "transparent huge pages are switched off; to allow them with MADV_HUGEPAGE: \
             echo madvise > /sys/kernel/mm/transparent_hugepage/enabled"
                .to_owned(),
        ),
        Some(_) => None,
    }
}

/// Pages between the base page and 2 MiB: the kernel uses the largest size that is enabled, so
/// larger sizes must be off.
fn mid_pages(kib: u32, limits: &MachineLimits) -> Option<String> {
    let bytes = u64::from(kib) << 10;
    let switch = |bytes: u64| {
        format!("/sys/kernel/mm/transparent_hugepage/hugepages-{}kB/enabled", bytes >> 10)
    };
    let is_on = |mode: &str| {
        mode != "never" && (mode != "inherit" || limits.thp_common.as_deref() != Some("never"))
    };
    let Some(own) = limits.page_sizes.iter().find(|size| size.bytes == bytes) else {
        return Some(format!(
            "this kernel has no pages of {kib} KiB (multi-size THP came with Linux 6.8)"
        ));
    };
    if !is_on(&own.mode) {
        return Some(format!(
            "pages of {kib} KiB are switched off; to allow them: echo madvise > {}",
            switch(bytes)
        ));
    }
    let larger = limits.page_sizes.iter().find(|size| size.bytes > bytes && is_on(&size.mode))?;
    Some(format!(
        "pages of {} are enabled too, and the kernel uses the largest that fit; to measure smaller \
         ones: echo never > {}",
        bytes_phrase(larger.bytes),
        switch(larger.bytes)
    ))
}

/// Why the pool of huge pages of `page_bytes` does not suffice.
fn pool(page_bytes: u64, work: &Work, limits: &MachineLimits) -> Option<String> {
    let wanted = work.size_bytes.div_ceil(page_bytes) * work.operations;
    let name = bytes_phrase(page_bytes);
    let Some(pool) = limits.pools.iter().find(|pool| pool.page_bytes == page_bytes) else {
        return Some(format!("this kernel has no hugetlb pages of {name}"));
    };
    (pool.free < wanted).then(|| {
        format!(
            "the pool of {name} pages has {} free and {wanted} are needed; to reserve them: echo \
             {wanted} > /sys/kernel/mm/hugepages/hugepages-{}kB/nr_hugepages (echo 0 gives them \
             back)",
            pool.free,
            page_bytes >> 10
        )
    })
}

#[cfg(test)]
mod tests {
    use sys::facts::{PageSize, Pool};

    use super::*;
    use crate::design::machine_limits::tests::limits;
    use crate::question::memory::MemoryState;
    use sample::access_pattern::{AccessPattern, Between};

    fn work(source: Source, size_bytes: u64) -> Work {
        limits(MemoryState::Warm).work(source, crate::design::Point::new(size_bytes, 1), 1)
    }

    #[test]
    fn impossible_arms_are_known_beforehand() {
        let on = |source, size, limits: &MachineLimits| {
            impossible(&work(source, size), limits).unwrap_or_default()
        };
        let with_thp = |thp: Option<&str>| MachineLimits {
            thp: thp.map(str::to_owned),
            ..limits(MemoryState::Warm)
        };
        assert_eq!(on(Source::Malloc, 1, &with_thp(Some("never"))), "");
        assert_eq!(on(Source::MmapHugePage, 2 << 20, &with_thp(Some("madvise"))), "");
        assert_eq!(
            on(Source::MmapCollapse, 2 << 20, &with_thp(Some("never"))),
            "",
            "it ignores the policy"
        );
        assert!(on(Source::MmapHugePage, 4096, &with_thp(Some("madvise"))).contains("2 MiB"));
        assert!(
            on(Source::MmapHugePage, 4 << 20, &with_thp(Some("never"))).contains("echo madvise")
        );
        assert!(on(Source::MmapHugePage, 4 << 20, &with_thp(None)).contains("no transparent"));
    }

    #[test]
    fn other_page_sizes_need_a_switch_or_a_pool() {
        let size = |kib: u64, mode: &str| PageSize { bytes: kib << 10, mode: mode.to_owned() };
        let with = |page_sizes: Vec<PageSize>, pools: Vec<Pool>| MachineLimits {
            page_sizes,
            pools,
            ..limits(MemoryState::Warm)
        };
        let on = |source, limits: &MachineLimits| {
            impossible(&work(source, 64 << 20), limits).unwrap_or_default()
        };
        let mid = Source::MmapMidPages(64);
        assert!(on(mid, &with(Vec::new(), Vec::new())).contains("Linux 6.8"));
        assert!(
            on(mid, &with(vec![size(64, "never")], Vec::new()))
                .contains("echo madvise > /sys/kernel")
        );
        let both = with(vec![size(64, "madvise"), size(2048, "inherit")], Vec::new());
        assert!(on(mid, &both).contains("hugepages-2048kB"));
        assert_eq!(on(mid, &with(vec![size(64, "madvise"), size(2048, "never")], Vec::new())), "");

        let pool = |free| with(Vec::new(), vec![Pool { page_bytes: 2 << 20, free }]);
        let reason = on(Source::MmapHugetlb2M, &pool(31));
        assert!(
            reason.contains("31 free and 32 are needed") && reason.contains("echo 32 >"),
            "{reason}"
        );
        assert_eq!(on(Source::MmapHugetlb2M, &pool(32)), "");
        assert!(on(Source::MmapHugetlb1G, &pool(32)).contains("no hugetlb pages of 1 GiB"));
    }

    #[test]
    fn a_fork_needs_a_single_thread() {
        let pattern = AccessPattern { between: Between::ForkParent, ..AccessPattern::default() };
        let forked = Work { pattern, threads: 2, ..work(Source::Mmap, 1 << 20) };
        assert!(impossible(&forked, &limits(MemoryState::Warm)).unwrap().contains("--threads"));
    }
}
