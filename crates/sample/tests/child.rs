//! A child's measurement, in its own process like the real one: address space and resident set
//! belong to the whole process, and threads of other tests would change them. So this file has one
//! test.

use sample::Source;
use sample::access_pattern::{AccessPattern, Between, PageOrder, Touch};
use sample::measurement::{Measurement, PhaseCost};
use sample::process::answer;
use sample::protocol::Earlier;
use sample::protocol::{Answer, Job, Task};

fn job(source: Source) -> Job {
    Job { observe: true, ..Job::plain(source, 1 << 20, 8) }
}

fn measure(job: Job) -> Measurement {
    match answer(&Task::Measure(job)) {
        Answer::Measured(measurement) => *measurement,
        other => panic!("{other:?}"),
    }
}

/// Every page of a plain mapping faults on first touch and never again; populated pages do not; an
/// injected share adds as many faults; work done before does not count; and threads fault on their
/// own blocks.
#[test]
fn faults_happen_in_the_phase_of_the_source() {
    let pages = (8_u64 << 20) / sys::limits::page_bytes();
    let small_pages = sys::machine::thp().is_none_or(|thp| thp != "always");
    let plain = measure(job(Source::Mmap));
    if small_pages {
        assert!(plain.phases.first_touch.minor_faults >= pages, "{plain:?}");
    }
    assert!(plain.phases.second_touch.minor_faults <= 2, "{plain:?}");
    assert!(plain.observation.as_ref().unwrap().mapped_growth_bytes >= 8 << 20, "{plain:?}");

    let populated = measure(job(Source::MmapPopulate));
    assert!(populated.phases.first_touch.minor_faults < pages / 10, "{populated:?}");
    let resident = populated.observation.unwrap().resident_after_obtain_bytes.unwrap();
    assert!(resident >= 8 << 20, "{resident}");

    for source in [Source::MmapPopulateWrite, Source::Realloc, Source::ReallocSteps, Source::Mremap]
    {
        let measured = measure(job(source));
        assert!(measured.phases.first_touch.minor_faults < pages / 10, "{source:?} {measured:?}");
        assert!(measured.phases.obtain.minor_faults >= pages / 10, "{source:?} {measured:?}");
    }
    for source in [Source::MmapShared, Source::MmapNoHugePage, Source::Brk] {
        let measured = measure(job(source));
        assert!(measured.phases.first_touch.minor_faults >= pages, "{source:?} {measured:?}");
        let observation = measured.observation.unwrap();
        let grown = if source == Source::Brk {
            observation.break_growth_bytes
        } else {
            observation.mapped_growth_bytes
        };
        assert!(grown >= 8 << 20, "{source:?} {observation:?}");
    }
    patterns(pages, small_pages);

    let extra_pages = pages / 20;
    let injected =
        measure(Job { extra_bytes: extra_pages * sys::limits::page_bytes(), ..job(Source::Mmap) });
    if small_pages {
        let more = injected.phases.first_touch.minor_faults - plain.phases.first_touch.minor_faults;
        assert!(more.abs_diff(extra_pages) <= 2, "{more} more faults for {extra_pages} more pages");
    }

    let earlier = Some(Earlier { source: Source::Malloc, fill: 0 });
    let second = measure(Job { before: earlier, ..job(Source::Mmap) });
    assert!(
        second.phases.first_touch.minor_faults.abs_diff(plain.phases.first_touch.minor_faults) <= 2,
        "{second:?}"
    );

    let shared = measure(Job {
        threads: 3,
        operations: 9,
        cpus: sys::process::allowed_cpus(),
        ..job(Source::Mmap)
    });
    if small_pages {
        assert!(shared.phases.first_touch.minor_faults >= pages / 8 * 9, "{shared:?}");
        if let Ok(traps) = shared.observation.as_ref().unwrap().traps {
            assert!(traps >= pages / 8 * 9, "{traps} faults: those of the threads count");
        } else {
            skips::skip("page faults cannot be counted here");
        }
    }
    let one = measure(Job { one_mapping: true, threads: 2, operations: 2, ..job(Source::Mmap) });
    if small_pages {
        assert!(one.phases.first_touch.minor_faults >= pages / 4, "{one:?}");
    }
    assert!(
        shared.phases.second_touch.minor_faults <= 6
            && [shared.phases.obtain, shared.phases.first_touch, shared.phases.release]
                .iter()
                .all(|phase| phase.time_ns > 0),
        "{shared:?}"
    );
}

/// The faults that touches, and the steps between them, must cause.
fn patterns(pages: u64, small_pages: bool) {
    let with = |pattern| measure(Job { pattern, ..job(Source::Mmap) }).phases;
    let plain = AccessPattern::default();
    let faults = |cost: PhaseCost| if small_pages { cost.minor_faults } else { 0 };

    let read = with(AccessPattern { touch: Touch::ReadThenWrite, ..plain });
    if small_pages {
        assert!(faults(read.first_touch) >= pages, "every page maps the zero page: {read:?}");
        assert!(faults(read.second_touch) >= pages, "and copied when it is written to: {read:?}");
    }
    let only_read = with(AccessPattern { touch: Touch::Read, ..plain });
    assert!(only_read.second_touch.minor_faults <= 2, "{only_read:?}");
    for order in [PageOrder::Random, PageOrder::Strided] {
        let ordered = with(AccessPattern { touch: Touch::Write, order, ..plain });
        if small_pages {
            assert!(
                (pages..pages + 8).contains(&faults(ordered.first_touch)),
                "{order:?} {ordered:?}"
            );
        }
        assert!(ordered.second_touch.minor_faults <= 2, "{order:?} {ordered:?}");
    }
    for (between, fresh) in
        [(Between::DontNeed, true), (Between::Anew, true), (Between::Free, false)]
    {
        let again = with(AccessPattern { between, ..plain });
        assert!(again.between.time_ns > 0, "{between:?} {again:?}");
        if small_pages {
            // Pages after MADV_FREE fault only if the kernel has reclaimed them meanwhile.
            assert!(!fresh || faults(again.second_touch) >= pages, "{between:?} {again:?}");
        }
    }
    let once = with(AccessPattern { passes: 1, ..plain });
    assert_eq!(once.second_touch, PhaseCost::default());

    let trimmed = AccessPattern { between: Between::Trim, ..plain };
    let trimmed =
        measure(Job { pattern: trimmed, ..Job::plain(Source::Malloc, 64 << 10, 128) }).phases;
    if small_pages && sys::allocator::libc_version().is_some() {
        assert!(
            faults(trimmed.second_touch) >= pages / 10 * 9,
            "a trimmed heap faults again: {trimmed:?}"
        );
    }
}
