//! Claims about allocators: where blocks come from.

use claims::facts::{Arena, Arenas, BreakMoves, Identity, Served};
use claims::judge::allocator::{Thresholds, brk_or_mmap, program_break, thread_arenas};
use results::claims::ClaimVerdict::{CannotTest, DoesNotHold, Holds};

use crate::{glibc, is, of};

fn served(bytes: usize, in_break: Option<bool>) -> Served {
    Served { bytes, in_break, usable_bytes: (bytes + 23) / 16 * 16 - 8, ..Served::default() }
}

/// glibc with its default thresholds.
fn usual() -> Thresholds {
    Thresholds {
        small: served(1024, Some(true)),
        large: served(64 << 20, Some(false)),
        turn: Some((served(131_048, Some(true)), served(131_049, Some(false)))),
        after_free: Some((1 << 20, 1_052_649)),
        limit_bytes: Some(33_550_312),
        pinned: Some((131_072, true)),
    }
}

fn case(
    change: fn(&mut Thresholds),
    who: &Identity,
    verdict: results::claims::ClaimVerdict,
    words: &[&str],
) {
    let mut found = usual();
    change(&mut found);
    is(&brk_or_mmap(&found, who), verdict, words);
}

#[test]
fn brk_or_mmap_by_allocator() {
    let jemalloc = of("/usr/lib/libjemalloc.so.2", Some("glibc 2.36"), "always");
    let tcmalloc = of("/usr/lib/libtcmalloc_minimal.so.4", Some("glibc 2.36"), "madvise");
    let musl = of("/lib/ld-musl-x86_64.so.1", None, "madvise");
    case(
        |_| (),
        &glibc(),
        Holds,
        &["brk below 131,072 bytes, mmap", "131,049 bytes", "moves on free", "32 MiB", "stays"],
    );
    case(
        |f| f.after_free = Some((1 << 20, 131_049)),
        &glibc(),
        Holds,
        &["does not move on free", "does not change this"],
    );
    case(|f| f.pinned = Some((131_072, false)), &glibc(), Holds, &["still moves"]);
    case(
        |f| (f.after_free, f.limit_bytes, f.pinned) = (None, None, None),
        &glibc(),
        Holds,
        &["brk only"],
    );
    case(
        |f| f.small.in_break = Some(false),
        &jemalloc,
        DoesNotHold,
        &["libjemalloc.so.2", "does not use brk"],
    );
    case(
        |f| f.large.in_break = Some(true),
        &tcmalloc,
        DoesNotHold,
        &["libtcmalloc_minimal.so.4", "from brk"],
    );
    let turned =
        |f: &mut Thresholds| (f.small.in_break, f.large.in_break) = (Some(false), Some(true));
    case(turned, &musl, DoesNotHold, &["ld-musl", "1 KiB from a mapping, 64 MiB from brk"]);
    case(
        |f| f.turn = Some((served(229_000, Some(true)), served(229_001, Some(false)))),
        &musl,
        Holds,
        &["229,001"],
    );
    case(|f| f.small.in_break = None, &glibc(), CannotTest, &["/proc/self/maps cannot be read"]);
}

#[test]
fn the_threshold_of_glibc_is_a_figure() {
    let claim = brk_or_mmap(&usual(), &glibc());
    assert_eq!(
        (&claim.figures["threshold_bytes"], &claim.figures["smallest_mapped_bytes"]),
        (&131_072.into(), &131_049.into())
    );
}

fn moves() -> BreakMoves {
    BreakMoves {
        up_bytes: 1 << 20,
        down_bytes: -(1 << 20),
        heap_follows: Some(true),
        allocating_bytes: 2_494_464,
        allocated_bytes: 2_621_440,
        freeing_below_bytes: 0,
        freeing_last_bytes: -2_490_368,
        trimmed_at_bytes: Some(137_120),
        kept_at_bytes: Some(135_056),
    }
}

#[test]
fn program_breaks() {
    let check = |change: fn(&mut BreakMoves), who: &Identity, verdict, words: &[&str]| {
        let mut moves = moves();
        change(&mut moves);
        is(&program_break(&moves, who), verdict, words);
    };
    let jemalloc = of("/usr/lib/libjemalloc.so.2", None, "never");
    check(
        |_| (),
        &glibc(),
        Holds,
        &["held the break up until it was freed", "137,120 bytes free", "not with 135,056"],
    );
    check(
        |m| m.allocating_bytes = 0,
        &jemalloc,
        Holds,
        &["malloc does not move it", "does not use brk"],
    );
    check(
        |m| m.freeing_last_bytes = 0,
        &glibc(),
        Holds,
        &["free did not lower it", "free 0 bytes"],
    );
    check(|m| m.freeing_below_bytes = -4096, &glibc(), Holds, &["step by step"]);
    check(|m| m.down_bytes = 0, &glibc(), DoesNotHold, &["MiB, 0 bytes; malloc"]);
    check(|m| m.heap_follows = Some(false), &glibc(), DoesNotHold, &["did not end at the break"]);
    check(|m| m.heap_follows = None, &glibc(), Holds, &["brk +"]);
}

fn arenas() -> Arenas {
    let arena = |start| Arena {
        in_break: false,
        start,
        first_bytes: 135_168,
        later_bytes: 2_000_000,
        reserved_bytes: (64 << 20) - 135_168,
    };
    Arenas {
        main_in_break: Some(true),
        break_growth_bytes: 0,
        threads: vec![arena(64 << 20), arena(128 << 20)],
    }
}

#[test]
fn arenas_of_threads() {
    let check = |change: fn(&mut Arenas), verdict, words: &[&str]| {
        let mut arenas = arenas();
        change(&mut arenas);
        is(&thread_arenas(&arenas, &glibc()), verdict, words);
    };
    check(
        |_| (),
        Holds,
        &["main thread in [heap]", "132 KiB writable of 64 MiB reserved", "mprotect"],
    );
    check(|a| a.main_in_break = Some(false), DoesNotHold, &["even the main thread from mappings"]);
    check(|a| a.threads[1].in_break = true, DoesNotHold, &["1 of 2", "from the program break too"]);
    // MALLOC_ARENA_MAX=2.
    check(|a| a.threads[1].start = 64 << 20, DoesNotHold, &["shares mappings"]);
    check(|a| a.threads[0].reserved_bytes = 0, DoesNotHold, &["opens them from the start"]);
    check(|a| a.main_in_break = None, CannotTest, &["/proc/self/maps"]);
    check(|a| a.threads.clear(), CannotTest, &["/proc/self/maps"]);
}
