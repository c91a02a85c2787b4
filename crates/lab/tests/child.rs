//! A child's measurement, in a process of its own, as the real one is: address space and resident set are the whole
//! process's, and another test's threads would move them. So this file has one test.

use lab::Source;
use lab::design::Earlier;
use lab::measured::answer;
use lab::protocol::{Answer, Job, Measurement, Task};

fn job(source: Source) -> Job {
    Job {
        parent: 0,
        source,
        size_bytes: 1 << 20,
        operations: 8,
        extra_bytes: 0,
        fill: 1,
        before: None,
        threads: 1,
        cpus: Vec::new(),
        observe: true,
    }
}

fn measure(job: Job) -> Measurement {
    match answer(&Task::Measure(job)) {
        Answer::Measured(measurement) => *measurement,
        other => panic!("{other:?}"),
    }
}

/// Physics: every page of a plain mapping faults on first touch and never again; populated pages do not; an injected
/// share faults just that much more; what was done before does not count; and threads fault on what is theirs.
#[test]
fn faults_fall_where_the_source_says() {
    let pages = (8_u64 << 20) / sys::limits::page_bytes();
    let small_pages = sys::machine::thp().is_none_or(|thp| thp != "always");
    let plain = measure(job(Source::Mmap));
    if small_pages {
        assert!(plain.phases[1].minor_faults >= pages, "{plain:?}");
    }
    assert!(plain.phases[2].minor_faults <= 2, "{plain:?}");
    assert!(plain.observation.as_ref().unwrap().mapped_growth_bytes >= 8 << 20, "{plain:?}");

    let populated = measure(job(Source::MmapPopulate));
    assert!(populated.phases[1].minor_faults < pages / 10, "{populated:?}");
    let resident = populated.observation.unwrap().resident_after_obtain_bytes.unwrap();
    assert!(resident >= 8 << 20, "{resident}");

    let extra_pages = pages / 20;
    let injected = measure(Job { extra_bytes: extra_pages * sys::limits::page_bytes(), ..job(Source::Mmap) });
    if small_pages {
        let more = injected.phases[1].minor_faults - plain.phases[1].minor_faults;
        assert!(more.abs_diff(extra_pages) <= 2, "{more} more faults for {extra_pages} more pages");
    }

    let earlier = Some(Earlier { source: Source::Malloc, fill: 0 });
    let second = measure(Job { before: earlier, ..job(Source::Mmap) });
    assert!(second.phases[1].minor_faults.abs_diff(plain.phases[1].minor_faults) <= 2, "{second:?}");

    let shared = measure(Job { threads: 3, operations: 9, cpus: sys::process::allowed_cpus(), ..job(Source::Mmap) });
    if small_pages {
        assert!(shared.phases[1].minor_faults >= pages / 8 * 9, "{shared:?}");
        if let Ok(traps) = shared.observation.as_ref().unwrap().traps {
            assert!(traps >= pages / 8 * 9, "{traps} traps: those of the threads count");
        } else {
            println!("SKIPPED: page faults cannot be counted here");
        }
    }
    assert!(shared.phases[2].minor_faults <= 6 && shared.phases.iter().all(|phase| phase.time_ns > 0), "{shared:?}");
}
