//! A child's measurement, in a process of its own, as the real one is: address space and resident set are the whole
//! process's, and another test's threads would move them. So this file has one test.

use lab::Source;
use lab::measured::answer;
use lab::protocol::{Answer, Job, Task};

/// Physics: every page of a plain mapping faults on first touch and never again; populated pages do not.
#[test]
fn faults_fall_where_the_source_says() {
    let measure = |source| {
        let job = Job { parent: 0, source, size_bytes: 1 << 20, operations: 8, fill: 1, observe: true };
        match answer(&Task::Measure(job)) {
            Answer::Measured(measurement) => *measurement,
            other => panic!("{other:?}"),
        }
    };
    let pages = (8_u64 << 20) / sys::limits::page_bytes();
    let plain = measure(Source::Mmap);
    if sys::machine::thp().is_none_or(|thp| thp != "always") {
        assert!(plain.phases[1].minor_faults >= pages, "{plain:?}");
    }
    assert!(plain.phases[2].minor_faults <= 2, "{plain:?}");
    assert!(plain.observation.as_ref().unwrap().mapped_growth_bytes >= 8 << 20, "{plain:?}");
    let populated = measure(Source::MmapPopulate);
    assert!(populated.phases[1].minor_faults < pages / 10, "{populated:?}");
    let resident = populated.observation.unwrap().resident_after_obtain_bytes.unwrap();
    assert!(resident >= 8 << 20, "{resident}");
}
