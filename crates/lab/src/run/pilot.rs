//! A first estimate of the time of a block: whether the run fits into its time cap.

use std::time::{Duration, Instant};

use crate::design::Design;
use crate::design::error::BenchError;
use crate::design::time_budget::{COLDNESS, cap_for, exactly, seconds};
use crate::question::memory::MemoryState;
use crate::run::children::Children;

/// Refuses a sweep, or cold memory, if not even one block fits into the time cap, and says how long
/// it would take, by the times of its smallest and its largest sample. A single point with warm
/// memory is never refused: it runs as far as the time allows.
///
/// # Errors
/// [`BenchError::TooManyPoints`].
pub(crate) fn refuse_too_many(design: &Design, children: &mut Children) -> Result<(), BenchError> {
    /// The cap of a sweep without a time cap, so that nobody starts a longer one by accident.
    const NO_CAP: Duration = Duration::from_hours(24);
    let cap = design.schedule.cap.unwrap_or(NO_CAP);
    let long = design.points.len() > 1 || design.memory == MemoryState::Cold;
    let Some(blocks) = design.schedule.looks.first().map(|look| look.blocks).filter(|_| long)
    else {
        return Ok(());
    };
    let bytes =
        |arm: usize| (design.arms[arm].work.size_bytes * design.arms[arm].work.operations) as f64;
    let by_size = |a: &usize, b: &usize| bytes(*a).total_cmp(&bytes(*b));
    let (Some(small), Some(large)) =
        ((0..design.arms.len()).min_by(by_size), (0..design.arms.len()).max_by(by_size))
    else {
        return Ok(());
    };
    let mut time = |arm: usize| {
        let start = Instant::now();
        // If it fails, the observed run will report it.
        let _ = children.observe(&design.arms[arm].work);
        start.elapsed().as_secs_f64()
    };
    let _ = time(small); // the first child reads the program into memory
    let (low, high) = (time(small), time(large));
    let per_byte = ((high - low) / (bytes(large) - bytes(small)).max(1.0)).max(0.0);
    let wait = if design.memory == MemoryState::Cold { COLDNESS.as_secs_f64() } else { 0.0 };
    let block: f64 =
        (0..design.arms.len()).map(|arm| wait + low + per_byte * (bytes(arm) - bytes(small))).sum();
    if block <= cap.as_secs_f64() {
        return Ok(());
    }
    let text = |factor: f64| seconds(Duration::from_secs_f64(block * factor));
    Err(BenchError::TooManyPoints {
        points: design.points.len(),
        samples: design.arms.len(),
        block: text(1.0),
        blocks,
        all: text(1.1 * (blocks + 1) as f64),
        cap: exactly(cap),
    })
}

/// A notice for the user, before the first block, if there is no time for the first look.
#[must_use]
pub(crate) fn too_short(design: &Design, block_time: Duration, now: Duration) -> Option<String> {
    let block_time = match design.memory {
        MemoryState::Warm => block_time,
        MemoryState::Cold => {
            block_time + COLDNESS * u32::try_from(design.arms.len()).unwrap_or(u32::MAX)
        }
    };
    let (first, cap) = (design.schedule.looks.first()?.blocks, design.schedule.cap?);
    let needed = cap_for(first, block_time, now);
    (now + block_time.mul_f64(first as f64) > cap).then(|| {
        format!(
            "{first} blocks will take about {}, and there is time for {}: verdicts may stay open. \
             Give --max-time {}, or fewer {}",
            seconds(needed),
            exactly(cap),
            seconds(design.whole_cap(needed)),
            if design.points.len() > 1 { "points" } else { "arms" }
        )
    })
}
