//! Whether an arm got what it asked for. A policy that did not take effect measures something else.

use results::Sample;
use sys::mapping::HUGE_PAGE_BYTES;

use crate::source::Source;

/// The least share of eligible bytes that must be in huge pages.
const HUGE_SHARE: f64 = 0.9;
/// The largest share of a populated mapping's faults that may be left for the first touch.
const LEFT_SHARE: f64 = 0.1;

/// Checks a sample against the policy of its source.
///
/// # Errors
/// What was asked for, and what was got instead.
pub fn policy_took_effect(source: Source, sample: &Sample) -> Result<(), String> {
    match source {
        Source::Mmap | Source::Malloc | Source::Calloc => Ok(()),
        Source::MmapPopulate => populated(sample),
        Source::MmapHugePage => huge(sample),
    }
}

fn populated(sample: &Sample) -> Result<(), String> {
    let (left, all) = (sample.first_touch_minor_faults, sample.first_touch_minor_faults + sample.obtain_minor_faults);
    // A fault or two of the touching code itself are no failure of MAP_POPULATE.
    if left as f64 <= LEFT_SHARE * all as f64 + 2.0 {
        return Ok(());
    }
    Err(format!(
        "MAP_POPULATE did not fault the pages in: {left} of {all} faults came on first touch \
         (a memory or memlock limit may have stopped it)"
    ))
}

fn huge(sample: &Sample) -> Result<(), String> {
    let eligible = sample.huge_eligible_bytes;
    let Some(huge) = sample.huge_bytes else {
        return Err(
            "whether MADV_HUGEPAGE took effect cannot be proved: /proc/self/smaps_rollup is not readable".to_owned()
        );
    };
    if eligible == 0 {
        return Err("no block held a whole aligned 2 MiB range: choose a --size that is a multiple of 2 MiB".to_owned());
    }
    if huge as f64 >= HUGE_SHARE * eligible as f64 {
        return Ok(());
    }
    Err(format!(
        "MADV_HUGEPAGE gave huge pages for {:.0} % of the eligible bytes, and 90 % are asked for: the kernel fell back \
         to small pages (too few free 2 MiB ranges, or huge pages forbidden to this process)",
        100.0 * huge as f64 / eligible as f64
    ))
}

/// What rules an arm out before any child is started.
#[must_use]
pub fn impossible(source: Source, size_bytes: u64, thp: Option<&str>) -> Option<String> {
    if source != Source::MmapHugePage {
        return None;
    }
    match thp {
        None => Some("this kernel has no transparent huge pages".to_owned()),
        Some("never") => Some(
            "transparent huge pages are switched off; to allow them where asked for: \
             echo madvise > /sys/kernel/mm/transparent_hugepage/enabled"
                .to_owned(),
        ),
        Some(_) if size_bytes < HUGE_PAGE_BYTES as u64 => {
            Some("a block smaller than 2 MiB holds no huge page: choose a --size of 2MiB or more".to_owned())
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn populate_must_leave_nothing_for_the_first_touch() {
        let sample = |obtain, first| Sample {
            obtain_minor_faults: obtain,
            first_touch_minor_faults: first,
            ..Sample::default()
        };
        assert!(policy_took_effect(Source::MmapPopulate, &sample(25_600, 1)).is_ok());
        assert!(policy_took_effect(Source::MmapPopulate, &sample(1, 2)).is_ok());
        let reason = policy_took_effect(Source::MmapPopulate, &sample(12_800, 12_800)).unwrap_err();
        assert!(reason.contains("12800 of 25600"), "{reason}");
    }

    #[test]
    fn huge_pages_must_be_there() {
        let sample = |huge: Option<u64>, eligible: u64| Sample {
            huge_bytes: huge.map(|m| m << 20),
            huge_eligible_bytes: eligible << 20,
            ..Sample::default()
        };
        let check = |huge, eligible| policy_took_effect(Source::MmapHugePage, &sample(huge, eligible));
        assert!(check(Some(90), 100).is_ok());
        assert!(check(Some(88), 100).unwrap_err().contains("88 %"));
        assert!(check(Some(0), 0).unwrap_err().contains("aligned"));
        assert!(check(None, 100).unwrap_err().contains("smaps_rollup"));
    }

    #[test]
    fn what_cannot_be_is_known_beforehand() {
        assert_eq!(impossible(Source::Malloc, 1, Some("never")), None);
        assert_eq!(impossible(Source::MmapHugePage, 2 << 20, Some("madvise")), None);
        assert!(impossible(Source::MmapHugePage, 4096, Some("madvise")).unwrap().contains("2 MiB"));
        assert!(impossible(Source::MmapHugePage, 4 << 20, Some("never")).unwrap().contains("echo madvise"));
        assert!(impossible(Source::MmapHugePage, 4 << 20, None).is_some());
    }
}
