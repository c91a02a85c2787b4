//! Checks that an arm's policy took effect. An arm without its policy would measure something else.

use results::Sample;
use sample::access_pattern::Between;
use sample::file_source::FileSource;
use sample::source::Source;
use sys::mapping::HUGE_PAGE_BYTES;

use crate::design::work::Work;
use crate::question::preload::Preloaded;
use crate::question::quantity::bytes_phrase;
use crate::run::files::cache_was_right;

/// The least share of eligible bytes that must be in huge pages.
const HUGE_SHARE: f64 = 0.9;
/// The largest share of a populated mapping's faults that may be left for the first touch.
const LEFT_SHARE: f64 = 0.1;

/// Checks that the policy of a sample's arm took effect.
///
/// # Errors
/// What was requested, and what happened instead.
pub(crate) fn policy_took_effect(work: &Work, sample: &Sample) -> Result<(), String> {
    match work.source {
        Source::MmapPopulate | Source::File(FileSource::Populate) => {
            populated(sample, "MAP_POPULATE")?;
        }
        Source::MmapPopulateWrite => populated(sample, "MADV_POPULATE_WRITE")?,
        Source::MmapHugePage => huge(sample, "MADV_HUGEPAGE")?,
        Source::MmapCollapse => huge(sample, "MADV_COLLAPSE")?,
        Source::MmapMidPages(kib) => of_size(u64::from(kib) << 10, work, sample)?,
        Source::MmapHugetlb2M => of_size(HUGE_PAGE_BYTES as u64, work, sample)?,
        Source::MmapHugetlb1G => of_size(1 << 30, work, sample)?,
        Source::MmapNoHugePage => small(sample)?,
        Source::Mmap
        | Source::MmapShared
        | Source::Malloc
        | Source::Calloc
        | Source::Realloc
        | Source::ReallocSteps
        | Source::Mremap
        | Source::AlignedAlloc
        | Source::Brk
        | Source::Small(_)
        | Source::File(_) => {}
    }
    cache_was_right(work, sample)?;
    given_back(work, sample)?;
    copied(work, sample)
}

/// Checks the file that a child's malloc came from.
///
/// # Errors
/// The file that it comes from instead.
pub(crate) fn allocator(origin: Option<&str>, wanted: Option<&Preloaded>) -> Result<(), String> {
    match wanted {
        Some(wanted) if origin != Some(&wanted.origin) => Err(format!(
            "malloc comes from {}, not from {}",
            origin.unwrap_or("an unknown file"),
            wanted.origin
        )),
        _ => Ok(()),
    }
}

/// Pages of `page_bytes` take one fault each: as many faults as pages, give or take a tenth, and
/// some for the ends of blocks, which do not fill a page.
fn of_size(page_bytes: u64, work: &Work, sample: &Sample) -> Result<(), String> {
    let faults = sample.first_touch_minor_faults;
    let wanted = work.size_bytes.div_ceil(page_bytes) * work.operations;
    // At both ends of a block there are smaller pages up to the first aligned one, each half as
    // large as the next.
    let ends = 2 * u64::from((page_bytes / 4096).max(1).ilog2() + 1) * work.operations;
    if faults as f64 >= wanted as f64 * (1.0 - LEFT_SHARE) - 1.0
        && faults <= wanted + wanted / 10 + ends
    {
        return Ok(());
    }
    Err(format!(
        "the first touch took {faults} faults instead of {wanted} pages of {}: the kernel used \
         pages of another size",
        bytes_phrase(page_bytes)
    ))
}

fn small(sample: &Sample) -> Result<(), String> {
    match sample.huge_bytes {
        Some(huge) if huge > sample.huge_eligible_bytes / 10 => {
            Err(format!("MADV_NOHUGEPAGE did not prevent huge pages: {}", bytes_phrase(huge)))
        }
        _ => Ok(()),
    }
}

/// Pages that the kernel freed must fault again.
fn given_back(work: &Work, sample: &Sample) -> Result<(), String> {
    let (first, again) = (sample.first_touch_minor_faults, sample.second_touch_minor_faults);
    let fresh = work.pattern.between == Between::DontNeed && work.pattern.passes > 1 && first > 0;
    if fresh && (again as f64) < first as f64 * (1.0 - LEFT_SHARE) {
        return Err(format!(
            "MADV_DONTNEED did not free the pages: {again} faults on the second touch, {first} on \
             the first"
        ));
    }
    Ok(())
}

/// After a fork, private memory is copied page by page when it is written.
fn copied(work: &Work, sample: &Sample) -> Result<(), String> {
    let (touch, shared) = (work.pattern.touch, work.source.is_shared());
    let both_write = touch.first().writes() && touch.again().writes();
    let (first, again) = (sample.first_touch_minor_faults, sample.second_touch_minor_faults);
    if !work.pattern.between.shares() || !both_write || shared {
        return Ok(());
    }
    if (again as f64) < first as f64 * (1.0 - LEFT_SHARE) {
        return Err(format!(
            "fork did not make the pages copy-on-write: {again} faults on the second touch, \
             {first} on the first"
        ));
    }
    Ok(())
}

fn populated(sample: &Sample, how: &str) -> Result<(), String> {
    let (left, all) = (
        sample.first_touch_minor_faults,
        sample.first_touch_minor_faults + sample.obtain_minor_faults,
    );
    // One or two faults of the touching code itself are allowed.
    if left as f64 <= LEFT_SHARE * all as f64 + 2.0 {
        return Ok(());
    }
    Err(format!(
        "{how} did not populate the pages: {left} of {all} faults came on first touch \
         (a memory or memlock limit may have stopped it)"
    ))
}

fn huge(sample: &Sample, how: &str) -> Result<(), String> {
    let eligible = sample.huge_eligible_bytes;
    let Some(huge) = sample.huge_bytes else {
        return Err(format!(
            "{how} cannot be proved to have taken effect: /proc/self/smaps_rollup is not readable"
        ));
    };
    if eligible == 0 {
        return Err(
            "no block contained an aligned 2 MiB range: choose a --size that is a multiple \
                    of 2 MiB"
                .to_owned(),
        );
    }
    if huge as f64 >= HUGE_SHARE * eligible as f64 {
        return Ok(());
    }
    Err(format!(
        "{how} led to huge pages for {:.0} % of the eligible bytes, and 90 % are required: the \
         kernel fell back to small pages (too few free 2 MiB ranges, or huge pages are forbidden \
         for this process)",
        100.0 * huge as f64 / eligible as f64
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design::machine_limits::tests::limits;
    use crate::question::memory::MemoryState;
    use sample::access_pattern::AccessPattern;

    fn work(source: Source, size_bytes: u64) -> Work {
        limits(MemoryState::Warm).work(source, crate::design::Point::new(size_bytes, 1), 1)
    }

    fn check(source: Source, sample: &Sample) -> Result<(), String> {
        policy_took_effect(&work(source, 100 << 20), sample)
    }

    #[test]
    fn populate_must_leave_nothing_for_the_first_touch() {
        let sample = |obtain, first| Sample {
            obtain_minor_faults: obtain,
            first_touch_minor_faults: first,
            ..Sample::default()
        };
        assert!(check(Source::MmapPopulate, &sample(25_600, 1)).is_ok());
        assert!(check(Source::MmapPopulateWrite, &sample(1, 2)).is_ok());
        let reason = check(Source::MmapPopulate, &sample(12_800, 12_800)).unwrap_err();
        assert!(reason.contains("12800 of 25600"), "{reason}");
    }

    #[test]
    fn huge_pages_must_match_the_policy() {
        let sample = |huge: Option<u64>, eligible: u64| Sample {
            huge_bytes: huge.map(|m| m << 20),
            huge_eligible_bytes: eligible << 20,
            ..Sample::default()
        };
        let check = |source, huge, eligible| check(source, &sample(huge, eligible));
        assert!(check(Source::MmapHugePage, Some(90), 100).is_ok());
        assert!(check(Source::MmapCollapse, Some(88), 100).unwrap_err().contains("88 %"));
        assert!(check(Source::MmapHugePage, Some(0), 0).unwrap_err().contains("aligned"));
        assert!(check(Source::MmapHugePage, None, 100).unwrap_err().contains("smaps_rollup"));
        assert!(check(Source::MmapNoHugePage, Some(0), 100).is_ok());
        assert!(check(Source::MmapNoHugePage, Some(50), 100).unwrap_err().contains("50 MiB"));
    }

    #[test]
    fn the_size_of_a_page_shows_in_the_number_of_faults() {
        let faults =
            |first_touch_minor_faults| Sample { first_touch_minor_faults, ..Sample::default() };
        assert!(check(Source::MmapMidPages(64), &faults(1_602)).is_ok());
        for other in [25_600, 50] {
            let reason = check(Source::MmapMidPages(64), &faults(other)).unwrap_err();
            assert!(reason.contains("1600 pages of 64 KiB"), "{reason}");
        }
        assert!(check(Source::MmapHugetlb2M, &faults(50)).is_ok());
    }

    #[test]
    fn freed_pages_must_fault_again() {
        let pattern = AccessPattern { between: Between::DontNeed, ..AccessPattern::default() };
        let work = Work { pattern, ..work(Source::Mmap, 1 << 20) };
        let sample = |first, again| Sample {
            first_touch_minor_faults: first,
            second_touch_minor_faults: again,
            ..Sample::default()
        };
        assert!(policy_took_effect(&work, &sample(8192, 8192)).is_ok());
        assert!(
            policy_took_effect(&work, &sample(8192, 100)).unwrap_err().contains("MADV_DONTNEED")
        );
        let forked =
            Work { pattern: AccessPattern { between: Between::ForkParent, ..pattern }, ..work };
        assert!(policy_took_effect(&forked, &sample(8192, 8192)).is_ok());
        let reason = policy_took_effect(&forked, &sample(8192, 100)).unwrap_err();
        assert!(reason.contains("copy-on-write"), "{reason}");
        let shared = Work { source: Source::MmapShared, ..forked.clone() };
        assert!(
            policy_took_effect(&shared, &sample(8192, 0)).is_ok(),
            "shared memory is not copied"
        );
    }

    #[test]
    fn the_allocator_must_be_the_requested_one() {
        let wanted =
            Preloaded { library: Some("libx.so".to_owned()), origin: "/lib/libx.so.2".to_owned() };
        assert!(allocator(Some("/lib/libc.so.6"), None).is_ok());
        assert!(allocator(Some("/lib/libx.so.2"), Some(&wanted)).is_ok());
        assert!(
            allocator(Some("/lib/libc.so.6"), Some(&wanted)).unwrap_err().contains("libc.so.6")
        );
    }
}
