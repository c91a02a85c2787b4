//! What malloc asks the kernel for.

use std::fmt::Write;

use results::claims::{Claim, ClaimVerdict};

use super::holds;
use crate::catalogue::{cannot, claim};
use crate::facts::{Arenas, BreakMoves, Identity, Served};
use crate::wording::{about, bytes, count};

/// What was found by asking for blocks of many sizes, each in a process of its own.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Thresholds {
    /// A small block.
    pub small: Served,
    /// A large one.
    pub large: Served,
    /// The largest block from the break and the smallest from a mapping, a byte apart.
    pub turn: Option<(Served, Served)>,
    /// The size of a block that was freed first, and the smallest that came from a mapping then.
    pub after_free: Option<(usize, usize)>,
    /// The largest block whose freeing makes the next of that size come from the break.
    pub limit_bytes: Option<usize>,
    /// `M_MMAP_THRESHOLD`, and whether a block of the freed size still came from a mapping after it
    /// was freed.
    pub pinned: Option<(i32, bool)>,
}

/// brk or mmap by size.
#[must_use]
pub fn brk_or_mmap(found: &Thresholds, who: &Identity) -> Claim {
    const ID: &str = "brk-or-mmap";
    let name = who.allocator();
    let (Some(small), Some(large)) = (found.small.in_break, found.large.in_break) else {
        return cannot(ID, "/proc/self/maps cannot be read: where a block lies is not to be seen");
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
            let turn = threshold(found).filter(|_| who.is_glibc());
            let evidence = match turn {
                Some(threshold) => format!(
                    "brk below {} bytes ({} asked for), mmap from there; {}",
                    count(threshold),
                    count(first.bytes as u64),
                    moving(found)
                ),
                None => format!(
                    "brk below {} bytes asked for, mmap from there; {}",
                    count(first.bytes as u64),
                    moving(found)
                ),
            };
            claimed(ClaimVerdict::Holds, evidence, moves_explained(found, &name))
        }
        (true, true, _) => claimed(
            ClaimVerdict::DoesNotHold,
            format!("{name} took {small_bytes} and {large_bytes} alike from brk"),
            format!(
                "malloc is {name} in this process, and grows the program break for all sizes that were tried."
            ),
        ),
        (false, false, _) => claimed(
            ClaimVerdict::DoesNotHold,
            format!(
                "{name} took {small_bytes} and {large_bytes} alike from mappings; brk is not used"
            ),
            format!("malloc is {name} in this process, which divides large mappings of its own."),
        ),
        _ => claimed(
            ClaimVerdict::DoesNotHold,
            format!("{name}: {small_bytes} {}, {large_bytes} {}", place(small), place(large)),
            format!(
                "malloc is {name} in this process; no size was found at which it turns from brk to mmap."
            ),
        ),
    }
}

fn place(in_break: bool) -> &'static str {
    if in_break { "from brk" } else { "from a mapping" }
}

/// The chunk, header included, that the smallest mapped block needs: one step of 16 bytes beyond
/// the largest that brk still served (glibc's `MALLOC_ALIGNMENT`, and the 8 bytes of its size in
/// front of what may be used).
fn threshold(found: &Thresholds) -> Option<u64> {
    found.turn.as_ref().map(|(last, _)| last.usable_bytes as u64 + 8 + 16)
}

fn moving(found: &Thresholds) -> String {
    let turn = found.turn.as_ref().map_or(0, |(_, first)| first.bytes);
    match found.after_free {
        Some((_, after)) if after > turn => "moves on free".to_owned(),
        Some(_) => "does not move on free".to_owned(),
        None => "after a free, none is mapped".to_owned(),
    }
}

fn moves_explained(found: &Thresholds, name: &str) -> String {
    let turn = found.turn.as_ref().map_or(0, |(_, first)| first.bytes);
    let mut text = match found.after_free {
        Some((freed, after)) if after > turn => format!(
            "Once a mapped block of {} is freed, {name} maps from {} bytes on",
            bytes(freed as u64),
            count(after as u64)
        ),
        Some((freed, _)) => {
            format!("{name} does not learn from the freeing of {}", bytes(freed as u64))
        }
        None => format!("{name} maps nothing any more once a mapped block is freed"),
    };
    if let Some(limit) = found.limit_bytes {
        let _ = write!(
            text,
            "; it learns from blocks of up to {} ({} bytes)",
            about(limit as u64),
            count(limit as u64)
        );
    }
    if let Some((bytes_pinned, stays)) = found.pinned {
        let word = if stays { "and stays there" } else { "but moves all the same" };
        let _ = write!(
            text,
            "; with M_MMAP_THRESHOLD at {} it is fixed {word}",
            bytes(bytes_pinned.unsigned_abs().into())
        );
    }
    text + "."
}

/// The break by hand and by malloc and free.
#[must_use]
pub fn program_break(moves: &BreakMoves, who: &Identity) -> Claim {
    let name = who.allocator();
    let by_hand = moves.up_bytes > 0 && moves.down_bytes == -moves.up_bytes;
    let size = |bytes: i64| about(bytes.unsigned_abs());
    let malloc = if moves.allocating_bytes > 0 {
        let freed = -(moves.freeing_below_bytes + moves.freeing_last_bytes);
        format!(
            "up {} for {} by malloc, down {} by free",
            size(moves.allocating_bytes),
            about(moves.allocated_bytes),
            size(freed)
        )
    } else {
        format!("{name} left it alone for {}", about(moves.allocated_bytes))
    };
    let evidence =
        format!("up {} and down {} by brk; {malloc}", size(moves.up_bytes), size(moves.down_bytes));
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

fn break_explained(moves: &BreakMoves, name: &str) -> String {
    let heap = match moves.heap_follows {
        Some(true) => "[heap] ended at the break each time; ",
        Some(false) => "[heap] did not end at the break; ",
        None => "",
    };
    if moves.allocating_bytes <= 0 {
        return format!(
            "{heap}the call works, but {name} does not use it, so malloc and free say nothing about it."
        );
    }
    let pinned = if moves.freeing_below_bytes == 0 && moves.freeing_last_bytes < 0 {
        "one block on top held the break up until it was freed"
    } else if moves.freeing_below_bytes + moves.freeing_last_bytes == 0 {
        "nothing that was freed lowered it"
    } else {
        "freeing lowered it step by step"
    };
    let trim = match (moves.kept_at_bytes, moves.trimmed_at_bytes) {
        (Some(kept), Some(fell)) => {
            format!(
                "; it fell when {} bytes were free at its top, not yet at {}",
                count(fell),
                count(kept)
            )
        }
        _ => String::new(),
    };
    format!("{heap}{pinned}{trim}.")
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
        "main thread's block {}; {} of {} other threads' in mappings, break moved {} bytes for them",
        if main { "in [heap]" } else { "in a mapping" },
        outside,
        arenas.threads.len(),
        count(arenas.break_growth_bytes)
    );
    let explanation = if verdict == ClaimVerdict::Holds {
        format!(
            "Each had {} writable of {} reserved, and {} after asking for more: mprotect opens what mmap reserved.",
            about(one.first_bytes),
            about(one.first_bytes + one.reserved_bytes),
            about(one.later_bytes)
        )
    } else if !main && outside > 0 {
        format!(
            "malloc is {name} in this process, and takes even the main thread's blocks from mappings."
        )
    } else if !all_outside {
        format!(
            "malloc is {name} in this process, and serves other threads from the program break too."
        )
    } else {
        format!(
            "malloc is {name} in this process, whose other threads share mappings or have them open from the start."
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
