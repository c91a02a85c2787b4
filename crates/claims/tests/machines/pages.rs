//! Claims about pages: demand paging, zeros, files, sharing.

use claims::facts::{FileWindows, Lazy, Paging, ResidentFacts, SharingFacts, Touched, Zeroes};
use claims::judge::files::{Cell, file_demand_paging, map_or_copy};
use claims::judge::paging::{demand_paging, malloc_is_lazy, zero_fill};
use claims::judge::portability::less_portable;
use claims::judge::sharing::{FaultPair, shared};
use results::claims::ClaimVerdict::{CannotTest, DoesNotHold, Holds, Inconclusive};

use crate::{glibc, is, of};

fn there(pages: u64) -> ResidentFacts {
    ResidentFacts { in_core: pages, mapped: Some(pages) }
}

fn paging(pages: u64) -> Paging {
    Paging {
        pages,
        before: there(0),
        some: pages.div_ceil(16),
        after_some: there(pages.div_ceil(16)),
        after_all: there(pages),
        rss_growth_bytes: Some(pages * 4096),
        huge_bytes: Some(0),
        huge_before_bytes: Some(0),
    }
}

#[test]
fn demand() {
    let check = |change: fn(&mut Paging, &mut Paging), verdict, words: &[&str]| {
        let (mut mapping, mut block) = (paging(25_600), paging(25_599));
        change(&mut mapping, &mut block);
        is(&demand_paging(&mapping, &block, &glibc()), verdict, words);
    };
    check(
        |_, _| (),
        Holds,
        &[
            "0 of 25,600 pages resident before touch, 25,600 after",
            "Touching 1,600 pages brought in 1,600.",
        ],
    );
    let huge = |m: &mut Paging, _: &mut Paging| {
        (m.after_some, m.huge_bytes) = (there(25_600), Some(100 << 20));
    };
    check(huge, Holds, &["brought in 25,600", "100 MiB of it came in huge pages"]);
    // 64 KiB pages by mthp.
    check(|m, _| m.after_some = there(6_400), Holds, &["brings them in groups"]);
    // mlockall(MCL_FUTURE).
    check(|m, _| m.before = there(25_600), DoesNotHold, &["25,600 of 25,600"]);
    check(|_, b| b.before = there(1), Holds, &["1 of 25,599 before"]);
    check(|_, b| b.before = there(25_599), DoesNotHold, &["25,599 of 25,599 before"]);
    // Swapped out meanwhile.
    check(|m, _| m.after_all = there(20_000), Inconclusive, &["20,000 after"]);
    check(
        |m, _| (m.rss_growth_bytes, m.huge_bytes, m.before.mapped) = (None, None, None),
        Holds,
        &["0 of 25,600"],
    );
}

#[test]
fn zeros() {
    let zeroes = Zeroes {
        read_bytes: 1 << 20,
        read_nonzero: 0,
        beside_bytes: (1 << 20) - 256,
        beside_nonzero: 0,
    };
    is(
        &zero_fill(&zeroes, 1 << 20),
        Holds,
        &["0 of 2,096,896 bytes read are not zero", "wrote 1 MiB"],
    );
    is(
        &zero_fill(&Zeroes { beside_nonzero: 1, ..zeroes }, 1 << 20),
        DoesNotHold,
        &["1 of 2,096,896"],
    );
    is(
        &zero_fill(&Zeroes { read_nonzero: 2, ..zeroes }, 1 << 20),
        DoesNotHold,
        &["2 of 2,096,896"],
    );
}

#[test]
fn lazy_blocks() {
    let block = |bytes: usize, before: u64| Lazy {
        bytes,
        in_break: Some(bytes < 131_072),
        paging: Paging { before: there(before), ..paging(bytes as u64 / 4096 - 1) },
        again: 0,
    };
    let usual = vec![block(65_536, 0), block(1 << 20, 0)];
    is(
        &malloc_is_lazy(&usual, &glibc()),
        Holds,
        &["0 of 270 pages", "64 KiB and 1 MiB", "had no pages either"],
    );
    let reused = vec![Lazy { again: 15, ..block(65_536, 0) }, block(1 << 20, 0)];
    is(&malloc_is_lazy(&reused, &glibc()), Holds, &["blocks of 64 KiB still had their pages"]);
    let own = vec![block(65_536, 1), block(1 << 20, 0)];
    is(
        &malloc_is_lazy(&own, &of("/l/libmimalloc.so.2", None, "never")),
        Holds,
        &["at most 1 page", "libmimalloc.so.2"],
    );
    let mut eager = vec![block(65_536, 15), block(1 << 20, 0)];
    is(
        &malloc_is_lazy(&eager, &of("/l/lib.so", None, "never")),
        DoesNotHold,
        &["had written to these pages itself"],
    );
    eager[0].paging.huge_before_bytes = Some(2 << 20);
    let jemalloc = of("/l/libjemalloc.so.2", None, "always");
    is(
        &malloc_is_lazy(&eager, &jemalloc),
        DoesNotHold,
        &["15 of 15 pages at 64 KiB", "huge page", "libjemalloc.so.2"],
    );
    let lost = Lazy { paging: Paging { after_all: there(3), ..paging(255) }, ..block(1 << 20, 0) };
    is(&malloc_is_lazy(&[lost], &glibc()), Inconclusive, &["3 after"]);
}

#[test]
fn files() {
    let touched = |read, major_faults| Touched {
        cached_before: 0,
        resident: ResidentFacts { in_core: read, mapped: Some(read.min(16)) },
        minor_faults: 0,
        major_faults,
    };
    let usual = FileWindows {
        pages: 8192,
        forgotten: there(0),
        untouched: there(0),
        one: touched(32, 1),
        first_pages: 1024,
        first: touched(1056, 33),
        unordered: touched(1, 1),
        warm: Touched { minor_faults: 1, ..touched(16, 0) },
    };
    let check = |change: fn(&mut FileWindows), verdict, words: &[&str]| {
        let mut file = usual.clone();
        change(&mut file);
        is(&file_demand_paging(&file), verdict, words);
    };
    check(
        |_| (),
        Holds,
        &[
            "0 of 8,192 pages cached after mmap",
            "in 1 major fault, readahead read 32 pages",
            "MADV_RANDOM a touch read 1 page",
        ],
    );
    check(|f| f.forgotten = there(8192), CannotTest, &["8,192 of 8,192", "tmpfs", "--dir"]);
    check(|f| f.untouched = there(8192), DoesNotHold, &["8,192 of 8,192 pages cached after mmap"]);
    check(|f| f.one.major_faults = 0, Inconclusive, &["in 0 major faults"]);
    check(
        |f| (f.one.resident.mapped, f.untouched.mapped) = (None, None),
        Holds,
        &["an unknown number"],
    );
}

#[test]
fn copying_files() {
    let cell = |ratio: f64, cold, n| Cell {
        bytes: 1 << 20,
        random: false,
        cold,
        passes: 1,
        log_ratios: (0..n).map(|i| ratio.ln() + 0.001 * f64::from(i)).collect(),
        map_ns: Some(1.0),
        read_ns: Some(1.0),
    };
    let [dear, cheap, same] = [cell(1.5, false, 24), cell(0.5, true, 24), cell(1.0, false, 24)];
    is(
        &map_or_copy(&[dear, cheap.clone()], None),
        Holds,
        &[
            "0.51x to 1.52x the time of read in 2 cases",
            "slower in 1 of 2 cases (warm in order 1 MiB); faster in 1 of 2 cases (cold in order 1 \
            MiB)",
        ],
    );
    is(
        &map_or_copy(&vec![cheap.clone(); 5], None),
        DoesNotHold,
        &["in 5 of 5 cases", "cold in order 1 MiB and 2 others)"],
    );
    is(&map_or_copy(&[cheap.clone(), same], None), DoesNotHold, &["in no case certainly slower"]);
    is(
        &map_or_copy(&[cell(1.5, false, 3)], Some("why")),
        Inconclusive,
        &["[no interval]", "not measured: why"],
    );
    is(&map_or_copy(&[], Some("no disk")), CannotTest, &["no disk"]);
}

#[test]
fn sharing() {
    let seen =
        SharingFacts { shared_up: true, shared_down: true, private_up: false, private_down: false };
    let pairs: Vec<FaultPair> = (0..24)
        .map(|i| FaultPair { first_touch_ns: 500.0, copy_on_write_ns: 900.0 + f64::from(i) })
        .collect();
    is(
        &shared(&seen, &pairs, 16 << 20),
        Holds,
        &["MAP_SHARED writes seen both ways", "MAP_PRIVATE seen neither way", "1.82x [1.8"],
    );
    is(&shared(&seen, &[], 16 << 20), Holds, &["was not measured"]);
    is(
        &shared(&SharingFacts { private_down: true, ..seen }, &pairs, 1),
        DoesNotHold,
        &["seen by the child only"],
    );
    is(
        &shared(&SharingFacts { shared_up: false, ..seen }, &pairs, 1),
        DoesNotHold,
        &["seen by the child only"],
    );
}

#[test]
fn portability_is_not_measured() {
    is(
        &less_portable(),
        CannotTest,
        &["not measurable", "FreeBSD has 5 of 12 calls, macOS 5, Windows 0"],
    );
}
