//! Claims about the calls that malloc makes to the kernel.

use std::fmt::Write;

use results::claims::{Claim, ClaimVerdict};

use super::holds;
use crate::catalogue::{cannot, claim};
use crate::facts::{Arenas, BreakMoves, Identity, Served};
use crate::wording::{about, bytes, count};

/// Results of allocating blocks of many sizes, each in its own process.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Thresholds {
    /// A small block.
    pub small: Served,
    /// A large block.
    pub large: Served,
    /// The largest block from the break and the smallest from a mapping, a byte apart.
    pub turn: Option<(Served, Served)>,
    /// The size of a block that was freed first, and the smallest size that came from a mapping
    /// after that.
    pub after_free: Option<(usize, usize)>,
    /// The largest block that, once freed, makes the next block of that size come from the break.
    pub limit_bytes: Option<usize>,
    /// `M_MMAP_THRESHOLD`, and whether blocks of the freed size still came from a mapping after the
    /// free.
    pub pinned: Option<(i32, bool)>,
}

/// brk or mmap by size.
#[must_use]
pub fn brk_or_mmap(found: &Thresholds, who: &Identity) -> Claim {
    const ID: &str = "brk-or-mmap";
    let name = who.allocator();
    let (Some(small), Some(large)) = (found.small.in_break, found.large.in_break) else {
        return cannot(ID, "/proc/self/maps cannot be read, so where a block lies is unknown");
    };
    let claimed = |verdict, evidence: String, explanation: String| {
        let (last, first) =
            found.turn.as_ref().map(|(last, first)| (last.bytes, first.bytes)).unzip();
        claim(ID, verdict, evidence, explanation)
            .figure("malloc", name.clone())
            .figure("small_bytes", found.small.bytes)
            .figure("small_in_break", small)
            .figure("large_bytes", found.large.bytes)
            .figure("large_in_break", large)
            .figure("largest_from_break_bytes", last)
            .figure("smallest_mapped_bytes", first)
            .figure("threshold_bytes", threshold(found))
            .figure("freed_bytes", found.after_free.map(|(freed, _)| freed))
            .figure("smallest_mapped_after_free_bytes", found.after_free.map(|(_, first)| first))
            .figure("largest_moving_bytes", found.limit_bytes)
            .figure("pinned_bytes", found.pinned.map(|(bytes, _)| bytes))
            .figure("pinned_stays", found.pinned.map(|(_, stays)| stays))
    };
    let [small_bytes, large_bytes] =
        [&found.small, &found.large].map(|served| bytes(served.bytes as u64));
    match (small, large, &found.turn) {
        (true, false, Some((_, first))) => {
            let chunk = threshold(found).filter(|_| who.is_glibc());
            let evidence = format!(
                "brk below {} bytes, mmap from there; {}",
                count(chunk.unwrap_or(first.bytes as u64)),
                moving(found)
            );
            claimed(ClaimVerdict::Holds, evidence, moves_explained(found, first.bytes, &name))
        }
        (true, true, _) => claimed(
            ClaimVerdict::DoesNotHold,
            format!("{name} took both {small_bytes} and {large_bytes} from brk"),
            format!(
                "{name}, the malloc of this process, grows the program break for all sizes tried."
            ),
        ),
        (false, false, _) => claimed(
            ClaimVerdict::DoesNotHold,
            format!("{name} took both {small_bytes} and {large_bytes} from mappings"),
            format!(
                "{name}, the malloc of this process, divides large mappings of its own; it does \
                not use brk."
            ),
        ),
        _ => claimed(
            ClaimVerdict::DoesNotHold,
            format!("{name}: {small_bytes} {}, {large_bytes} {}", place(small), place(large)),
            format!(
                "{name}, the malloc of this process, has no size at which it changes from brk to \
                mmap."
            ),
        ),
    }
}

fn place(in_break: bool) -> &'static str {
    if in_break { "from brk" } else { "from a mapping" }
}

/// The chunk size, header included, of the smallest mapped block: one step of 16 bytes above the
/// largest block from brk (glibc's `MALLOC_ALIGNMENT`, and the 8 bytes of the size field in front
/// of the usable bytes).
fn threshold(found: &Thresholds) -> Option<u64> {
    found.turn.as_ref().map(|(last, _)| last.usable_bytes as u64 + 8 + 16)
}

fn moving(found: &Thresholds) -> String {
    let turn = found.turn.as_ref().map_or(0, |(_, first)| first.bytes);
    match found.after_free {
        Some((_, after)) if after > turn => "moves on free".to_owned(),
        Some(_) => "does not move on free".to_owned(),
        None => "after a free, brk only".to_owned(),
    }
}

/// `first_bytes` is the smallest request that was mapped.
fn moves_explained(found: &Thresholds, first_bytes: usize, name: &str) -> String {
    let moved = match found.after_free {
        Some((freed, after)) if after > first_bytes => format!(
            "after a mapped block of {} is freed, {name} maps requests of {} bytes or more",
            bytes(freed as u64),
            count(after as u64)
        ),
        Some((freed, _)) => {
            format!("freeing a block of {} does not change this in {name}", bytes(freed as u64))
        }
        None => format!("after a mapped block is freed, {name} maps no block"),
    };
    let mut text =
        format!("The smallest mapped request is {} bytes; {moved}", count(first_bytes as u64));
    if let Some(limit) = found.limit_bytes {
        let _ = write!(
            text,
            "; freed blocks of up to {} ({} bytes) move the threshold",
            about(limit as u64),
            count(limit as u64)
        );
    }
    if let Some((bytes_pinned, stays)) = found.pinned {
        let word = if stays { "stays there" } else { "still moves" };
        let _ = write!(
            text,
            "; set to {} with M_MMAP_THRESHOLD, it {word}",
            bytes(bytes_pinned.unsigned_abs().into())
        );
    }
    text + "."
}

/// The program break, moved by brk(2) and by malloc and free.
#[must_use]
pub fn program_break(moves: &BreakMoves, who: &Identity) -> Claim {
    let name = who.allocator();
    let by_hand = moves.up_bytes > 0 && moves.down_bytes == -moves.up_bytes;
    let malloc = if moves.allocating_bytes > 0 {
        format!(
            "malloc {}, free {}",
            signed(moves.allocating_bytes),
            signed(moves.freeing_below_bytes + moves.freeing_last_bytes)
        )
    } else {
        "malloc does not move it".to_owned()
    };
    let evidence =
        format!("brk {}, {}; {malloc}", signed(moves.up_bytes), signed(moves.down_bytes));
    let verdict = holds(by_hand && moves.heap_follows != Some(false));
    claim("program-break", verdict, evidence, break_explained(moves, &name))
        .figure("up_bytes", moves.up_bytes)
        .figure("down_bytes", moves.down_bytes)
        .figure("heap_follows", moves.heap_follows)
        .figure("allocated_bytes", moves.allocated_bytes)
        .figure("allocating_moved_bytes", moves.allocating_bytes)
        .figure("freeing_below_moved_bytes", moves.freeing_below_bytes)
        .figure("freeing_last_moved_bytes", moves.freeing_last_bytes)
        .figure("trim_kept_bytes", moves.kept_at_bytes)
        .figure("trim_fell_bytes", moves.trimmed_at_bytes)
        .figure("malloc", name)
}

/// `+1.0 MiB`, `-1.0 MiB`, `0 bytes`.
fn signed(bytes: i64) -> String {
    let sign = match bytes {
        0 => "",
        1.. => "+",
        _ => "-",
    };
    format!("{sign}{}", about(bytes.unsigned_abs()))
}

fn break_explained(moves: &BreakMoves, name: &str) -> String {
    let heap = match moves.heap_follows {
        Some(true) => "[heap] ended at the break at every check; ",
        Some(false) => "[heap] did not end at the break; ",
        None => "",
    };
    let allocated = about(moves.allocated_bytes);
    if moves.allocating_bytes <= 0 {
        return format!("{heap}{name} does not use brk, so {allocated} by malloc did not move it.");
    }
    let pinned = if moves.freeing_below_bytes == 0 && moves.freeing_last_bytes < 0 {
        "one block on top held the break up until it was freed"
    } else if moves.freeing_below_bytes + moves.freeing_last_bytes == 0 {
        "free did not lower it"
    } else {
        "free lowered it step by step"
    };
    let trim = match (moves.kept_at_bytes, moves.trimmed_at_bytes) {
        (Some(kept), Some(fell)) => {
            format!(
                "; it moved down with {} bytes free at the top, not with {}",
                count(fell),
                count(kept)
            )
        }
        _ => String::new(),
    };
    format!("{heap}malloc served {allocated}; {pinned}{trim}.")
}

/// Arenas of the other threads.
#[must_use]
pub fn thread_arenas(arenas: &Arenas, who: &Identity) -> Claim {
    const ID: &str = "thread-arenas";
    let name = who.allocator();
    let (Some(main), Some(one)) = (arenas.main_in_break, arenas.threads.first()) else {
        return cannot(ID, "/proc/self/maps does not show where the threads' blocks lie");
    };
    let outside = arenas.threads.iter().filter(|thread| !thread.in_break).count();
    let grown = arenas.threads.iter().all(|thread| thread.later_bytes > thread.first_bytes);
    let reserved = arenas.threads.iter().all(|thread| thread.reserved_bytes > 0);
    let apart = arenas.threads.windows(2).all(|pair| pair[0].start != pair[1].start);
    let all_outside = outside == arenas.threads.len();
    let verdict =
        holds(main && all_outside && grown && reserved && apart && arenas.break_growth_bytes == 0);
    let evidence = format!(
        "main thread in {}; {} of {} others in mappings",
        if main { "[heap]" } else { "a mapping" },
        outside,
        arenas.threads.len()
    );
    let first = format!("the break moved {} bytes for them", count(arenas.break_growth_bytes));
    let explanation = if verdict == ClaimVerdict::Holds {
        format!(
            "Each had {} writable of {} reserved, and {} after allocating more: mprotect makes \
            reserved memory accessible; {first}.",
            about(one.first_bytes),
            about(one.first_bytes + one.reserved_bytes),
            about(one.later_bytes)
        )
    } else if !main && outside > 0 {
        format!(
            "{name}, the malloc of this process, serves even the main thread from mappings; \
            {first}."
        )
    } else if !all_outside {
        format!(
            "{name}, the malloc of this process, serves other threads from the program break too; \
            {first}."
        )
    } else {
        format!(
            "{name}, the malloc of this process, shares mappings between the other threads, or \
            opens them from the start; {first}."
        )
    };
    claim(ID, verdict, evidence, explanation)
        .figure("malloc", name)
        .figure("main_in_break", main)
        .figure("threads", arenas.threads.len())
        .figure("threads_in_mappings", outside)
        .figure("break_growth_bytes", arenas.break_growth_bytes)
        .figure("writable_bytes", one.first_bytes)
        .figure("writable_later_bytes", one.later_bytes)
        .figure("reserved_bytes", one.reserved_bytes)
        .figure("arenas_apart", apart)
}
