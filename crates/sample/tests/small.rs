//! Workloads of small objects, in their own process like the real ones: the pages that an allocator
//! has touched before depend on the whole process. So this file has one test.

use sample::small::{Workload, measure};

/// Objects larger than a page that are alive together are in separate pages, and the first of them
/// cannot be in pages that are resident already.
#[test]
fn live_objects_need_pages() {
    let page = sys::limits::page_bytes();
    let small_pages = sys::machine::thp().is_none_or(|thp| thp != "always");
    let fixed = measure(Workload::Fixed, 20_000, 4 * page, 1, 1).unwrap();
    if small_pages {
        assert!(
            fixed.phases.obtain.minor_faults >= 1024,
            "at least a page for each object of the window: {fixed:?}"
        );
    }
    assert!(
        fixed.phases.all()[1..].iter().all(|phase| phase.time_ns == 0 && phase.minor_faults == 0)
    );
    for workload in Workload::ALL {
        let (few, many) = (
            measure(workload, 2_000, 64, 2, 1).unwrap(),
            measure(workload, 2_000_000, 64, 2, 1).unwrap(),
        );
        assert!(
            many.phases.obtain.time_ns > few.phases.obtain.time_ns,
            "{workload:?}: a thousand times the pairs"
        );
    }
}
