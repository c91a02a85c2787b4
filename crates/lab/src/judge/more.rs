//! The option that would decide more: one answer, for warnings and for the next command.

use std::time::Duration;

use results::{More, Stopped};
use sample::measurement::nanoseconds;

use crate::design::Design;
use crate::design::schedule::Schedule;
use crate::design::time_budget::{cap_for, rounded};
use crate::run::Run;

/// Intervals get narrower with the square root of the number of blocks: four times as many blocks
/// halve them.
const MORE_BLOCKS: u64 = 4;

/// Time for the next look; more blocks where there is none, or where the user chose their number
/// and had the time for them.
#[must_use]
pub(crate) fn more(design: &Design, run: &Run) -> More {
    more_of(&design.schedule, run, |needed| design.whole_cap(needed))
}

/// The option that would decide more, for any samples; `whole_cap` is the time cap of a whole run
/// that leaves a time to the session.
#[must_use]
pub fn more_of<S>(
    schedule: &Schedule,
    run: &Run<S>,
    whole_cap: impl Fn(Duration) -> Duration,
) -> More {
    let kept = run.looks.last().map_or(0, |look| look.blocks);
    let next = schedule.looks.iter().find(|look| look.blocks > kept);
    match next {
        Some(next) => time_for_of(schedule, run, next.blocks, whole_cap),
        None if run.stopped == Some(Stopped::Interrupted) => {
            time_for_of(schedule, run, kept, whole_cap)
        }
        None => More::Blocks(MORE_BLOCKS * kept as u64),
    }
}

/// The time cap for so many blocks that count, at least the present one.
#[must_use]
pub(crate) fn time_for(design: &Design, run: &Run, blocks: usize) -> More {
    time_for_of(&design.schedule, run, blocks, |needed| design.whole_cap(needed))
}

fn time_for_of<S>(
    schedule: &Schedule,
    run: &Run<S>,
    blocks: usize,
    whole_cap: impl Fn(Duration) -> Duration,
) -> More {
    let counted = run.blocks.len().saturating_sub(run.dropped.len()).max(1);
    // Some of the blocks to come will be dropped too.
    let block_time = run.block_time.mul_f64(run.blocks.len().max(1) as f64 / counted as f64);
    // The cap covers what comes before the first block too.
    let before = run.blocks.first().map_or(0, |first| first.started_ns);
    let needed = cap_for(blocks + 1, block_time, Duration::from_nanos(before));
    let least = schedule.cap.unwrap_or(Duration::ZERO);
    More::MaxTimeNs(nanoseconds(rounded(whole_cap(needed.max(least)))))
}

#[cfg(test)]
mod tests {
    use results::Block;
    use stats::Look;

    use super::*;
    use crate::design::schedule::ALPHA;
    use crate::design::tests::empty;
    use crate::question::experiment::by_name;
    use crate::run::DroppedBlock;

    fn run(blocks: usize, dropped: usize, look: usize) -> Run {
        let lost = |block: usize| DroppedBlock {
            block: block as u64,
            reason: "steal: some".to_owned(),
            complete: true,
            samples: Vec::new(),
        };
        Run {
            blocks: vec![Block::default(); blocks],
            dropped: (0..dropped).map(lost).collect(),
            looks: vec![Look { blocks: look, alpha: ALPHA }],
            block_time: Duration::from_secs(1),
            ..Run::default()
        }
    }

    #[test]
    fn time_is_for_the_next_look_and_blocks_come_after_the_last() {
        let mut design = empty(by_name("anonymous").unwrap());
        design.schedule = Schedule::sequential(Duration::from_secs(10));
        let option = |design: &Design, run: &Run| more(design, run).option();
        assert_eq!(option(&design, &run(9, 0, 9)), "--max-time 15s", "1.1 times 13 blocks");
        assert_eq!(option(&design, &run(12, 0, 12)), "--max-time 30s", "24 blocks");
        assert_eq!(option(&design, &run(15, 3, 12)), "--max-time 35s", "a fifth is dropped");
        assert_eq!(option(&design, &run(96, 0, 96)), "--blocks 384");
        design.schedule = Schedule::fixed(12, None);
        assert_eq!(option(&design, &run(12, 0, 12)), "--blocks 48");
        assert_eq!(option(&design, &run(5, 0, 5)), "--max-time 15s");
    }
}
