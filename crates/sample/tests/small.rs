//! Workloads of small objects, in a process of their own, as the real ones are: which pages an
//! allocator has touched before is the whole process's. So this file has one test.

use sample::small::{Workload, measure};

/// Physics: objects that are alive together lie in pages of their own if they are larger than one,
/// and the first of them cannot lie in pages that are there already.
#[test]
fn objects_that_live_together_need_pages() {
    let page = sys::limits::page_bytes();
    let small_pages = sys::machine::thp().is_none_or(|thp| thp != "always");
    let fixed = measure(Workload::Fixed, 20_000, 4 * page, 1, 1).unwrap();
    if small_pages {
        assert!(
            fixed.phases.obtain.minor_faults >= 1024,
            "a page at least for each of the window: {fixed:?}"
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
