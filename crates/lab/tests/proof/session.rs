//! The session's decisions, with a bench that follows a script.

use std::time::Duration;

use crate::simulated::{design, limits, of};
use lab::design::arrangement;
use lab::design::schedule::Schedule;
use lab::design::{Design, Point};
use lab::judge::sign_judge::SignJudge;
use lab::question::arm::ArmSpec;
use lab::question::defaults::Defaults;
use lab::run::{Bench, Progress, Run, Taken, ratios, session};
use results::{Block, Sample, Stopped};
use stats::Verdict;

/// Times by arm, what happens in which block, and how long a sample takes.
struct Script {
    times: [u64; 6],
    event: fn(arm: usize, block: u64, sample: Sample) -> Taken,
    steal_in: Vec<u64>,
    sample_time: Duration,
    now: Duration,
}

impl Default for Script {
    fn default() -> Self {
        Script {
            times: [100, 100, 100, 70, 100, 100],
            event: |_, _, sample| Taken::Sample(sample),
            steal_in: Vec::new(),
            sample_time: Duration::from_millis(10),
            now: Duration::ZERO,
        }
    }
}

impl Bench for Script {
    type Sample = Sample;

    fn now(&mut self) -> Duration {
        self.now
    }
    fn sample(&mut self, arm: usize, block: u64, position: u64) -> Taken {
        self.now += self.sample_time;
        let total_ns = 1_000_000 * self.times[arm % 6];
        (self.event)(
            arm,
            block,
            Sample { block, position, operations: 1, total_ns, ..Sample::default() },
        )
    }
    fn begin_block(&mut self) {}
    fn end_block(&mut self, block: u64) -> Block {
        let steal_ns = self.steal_in.contains(&block).then_some(100_000_000);
        Block { block, elapsed_ns: 500_000_000, steal_ns, ..Block::default() }
    }
}

fn run(script: Script) -> (Design, Run) {
    let design = design(4, 0.03, 1);
    let run = run_design(&design, script, |_| ());
    (design, run)
}

fn run_design(design: &Design, mut script: Script, watch: impl FnMut(&Progress)) -> Run {
    let mut judge = SignJudge::new(design.contrasts.len(), design.margin);
    let arms = design.arms.len();
    session::run(
        design,
        |index| (0..arms).map(|i| (i + index) % arms).collect(),
        &mut judge,
        &mut script,
        watch,
    )
}

fn verdicts(run: &Run) -> Vec<Option<Verdict>> {
    run.estimates.iter().map(|estimate| estimate.map(|e| e.verdict)).collect()
}

#[test]
fn a_clear_case_ends_at_the_first_look() {
    let (_, run) = run(Script::default());
    assert_eq!(run.looks.iter().map(|look| look.blocks).collect::<Vec<_>>(), [12]);
    let same = Some(Verdict::Equivalent);
    assert_eq!(verdicts(&run), [same, same, Some(Verdict::Different), same]);
    assert_eq!((run.stopped, run.samples[0].len()), (None, 12));
}

#[test]
fn disturbed_blocks_are_dropped_replaced_and_kept_separately() {
    let (_, run) = run(Script { steal_in: vec![0, 3, 4, 9, 10], ..Script::default() });
    let dropped: Vec<u64> = run.dropped.iter().map(|dropped| dropped.block).collect();
    assert_eq!(dropped, [0, 3, 4], "three of fifteen are a fifth");
    assert!(run.dropped.iter().all(|d| d.samples.len() == 6 && d.reason.starts_with("steal")));
    assert_eq!((run.blocks.len(), run.samples[0].len()), (15, 12));
    for arm in 0..6 {
        let mut positions: Vec<u64> =
            run.samples[arm].iter().map(|sample| sample.position).collect();
        positions.sort_unstable();
        assert_eq!(
            positions,
            [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5],
            "the dropped blocks' orders were run again"
        );
    }
}

#[test]
fn a_run_that_ends_early_restores_all_but_a_fifth() {
    let mut design = design(4, 0.03, 1);
    design.schedule = Schedule::fixed(100, Some(Duration::from_millis(300)));
    let run = run_design(&design, Script { steal_in: vec![0, 1, 3], ..Script::default() }, |_| ());
    // Five blocks of 60 ms: two undisturbed, and three dropped on the way to a hundred, of which
    // two are restored.
    assert_eq!((run.blocks.len(), run.samples[0].len()), (5, 4));
    assert_eq!(run.dropped.iter().map(|dropped| dropped.block).collect::<Vec<_>>(), [3]);
    assert!(
        run.samples.iter().all(|samples| samples.iter().map(|s| s.block).eq([0, 1, 2, 4])),
        "in order, and complete"
    );
}

#[test]
fn a_run_that_is_disturbed_throughout_ends_at_its_cap() {
    let mut design = design(4, 0.03, 1);
    design.schedule = Schedule::fixed(5000, Some(Duration::from_millis(300)));
    let run =
        run_design(&design, Script { steal_in: (0..1000).collect(), ..Script::default() }, |_| ());
    assert_eq!(
        (run.stopped, run.blocks.len(), run.samples[0].len()),
        (Some(Stopped::TimeCap), 5, 4)
    );
}

#[test]
fn the_time_cap_ends_it_with_one_last_look() {
    let mut design = design(4, 0.03, 1);
    design.schedule = Schedule::sequential(Duration::from_secs(10));
    let slow = || Script { sample_time: Duration::from_millis(170), ..Script::default() };
    let run = run_design(&design, slow(), |_| ());
    assert_eq!((run.stopped, run.samples[0].len()), (Some(Stopped::TimeCap), 9));
    assert_eq!(run.looks.iter().map(|l| (l.blocks, l.alpha)).collect::<Vec<_>>(), [(9, 0.05)]);
    assert!(
        run.estimates[2].unwrap().interval.is_some(),
        "nine blocks suffice for four comparisons that spend everything"
    );

    // Not even one block fits: it is run anyway, and nothing is decided.
    design.schedule = Schedule::sequential(Duration::from_millis(1));
    let run = run_design(&design, slow(), |_| ());
    assert_eq!((run.stopped, run.samples[0].len()), (Some(Stopped::TimeCap), 1));
    assert_eq!(run.estimates[2].unwrap().verdict, Verdict::Inconclusive);
}

#[test]
fn a_fixed_number_of_blocks_is_respected() {
    let mut design = design(4, 0.03, 1);
    design.schedule = Schedule::fixed(7, None);
    let run = run_design(&design, Script::default(), |_| ());
    assert_eq!((run.samples[0].len(), run.looks.len(), run.stopped), (7, 1, None));
    assert_eq!(
        run.estimates[0].unwrap().interval,
        None,
        "seven blocks are too few for intervals of four comparisons"
    );
}

#[test]
fn an_arm_without_its_policy_leaves_and_the_others_run() {
    let (_, run) = run(Script {
        event: |arm, block, sample| match (arm, block) {
            (4, 5) => Taken::Unproved(sample, "no huge pages".to_owned()),
            (2, 2) => Taken::Failed("killed".to_owned()),
            _ => Taken::Sample(sample),
        },
        ..Script::default()
    });
    let reason = |arm: usize| run.removals[arm].as_ref().map(|r| (r.reason.as_str(), r.failed));
    assert_eq!((reason(4), reason(2)), (Some(("no huge pages", false)), Some(("killed", true))));
    assert_eq!(
        (run.samples[4].len(), run.samples[2].len(), run.samples[1].len()),
        (6, 2, 12),
        "nothing is lost"
    );
    assert_eq!(verdicts(&run), [Some(Verdict::Equivalent), None, Some(Verdict::Different), None]);
}

#[test]
fn without_the_baseline_nothing_can_be_compared() {
    for lost in [0, 5] {
        let event: fn(usize, u64, Sample) -> Taken = if lost == 0 {
            |arm, block, sample| {
                if (arm, block) == (0, 9) {
                    Taken::Failed("killed".to_owned())
                } else {
                    Taken::Sample(sample)
                }
            }
        } else {
            |arm, block, sample| {
                if (arm, block) == (5, 9) {
                    Taken::Failed("killed".to_owned())
                } else {
                    Taken::Sample(sample)
                }
            }
        };
        let (_, run) = run(Script { event, ..Script::default() });
        assert_eq!(run.stopped, Some(Stopped::BaselineFailed));
        assert_eq!(run.samples[1].len(), 9, "the samples so far are kept");
        assert_eq!(run.looks.len(), 1);
    }
}

/// The block in which the baseline failed never counts, however few others there are.
#[test]
fn an_incomplete_block_is_not_restored() {
    for (event, kept) in [
        (
            (|arm, block, sample| {
                if (arm, block) == (0, 0) {
                    Taken::Failed("killed".to_owned())
                } else {
                    Taken::Sample(sample)
                }
            }) as fn(usize, u64, Sample) -> Taken,
            0,
        ),
        (
            |arm, block, sample| {
                if (arm, block) == (5, 2) {
                    Taken::Failed("killed".to_owned())
                } else {
                    Taken::Sample(sample)
                }
            },
            2,
        ),
    ] {
        let (_, run) = run(Script { event, ..Script::default() });
        assert_eq!(run.stopped, Some(Stopped::BaselineFailed));
        assert!(
            run.samples[1].len() <= kept && run.dropped.iter().all(|dropped| !dropped.complete),
            "{:?}",
            run.dropped
        );
        assert_eq!(run.looks.len(), usize::from(kept > 0), "looks only use complete blocks");
    }
}

/// A sweep of two points: arms 0 to 2 and 3 to 5, each with its baseline first and its placebo
/// last.
fn sweep() -> Design {
    let points = [64 << 10, 1 << 20].map(|size_bytes| Point::new(size_bytes, 1));
    let baseline = ArmSpec::of(lab::Source::Mmap);
    let plan = arrangement::arms(
        &limits(),
        &baseline,
        &[ArmSpec::of(lab::Source::Malloc)],
        Defaults::of_fill(1),
        &points,
    );
    of(plan, lab::question::experiment::by_name("anonymous").unwrap(), 0.03, 1)
}

#[test]
fn a_point_without_its_baseline_leaves_the_others_their_placebo() {
    let event: fn(usize, u64, Sample) -> Taken = |arm, block, sample| {
        if (arm, block) == (3, 4) {
            Taken::Failed("killed".to_owned())
        } else {
            Taken::Sample(sample)
        }
    };
    let design = sweep();
    let run = run_design(&design, Script { event, ..Script::default() }, |_| ());
    assert_eq!((run.stopped, run.samples[0].len()), (None, 12));
    assert_eq!(verdicts(&run), [Some(Verdict::Equivalent), None], "the other point is decided");
    assert!(run.samples[4].len() <= 5, "nothing more is measured without a baseline");
    assert_eq!(
        ratios::placebo_ratios(&design, &run).len(),
        12,
        "the placebo of the remaining point has all blocks"
    );
    let left = design.without(&[3]);
    assert_eq!((left.points.len(), left.arms.len(), left.contrasts.len()), (1, 3, 1));
}

#[test]
fn many_comparisons_go_on_until_a_look_has_intervals() {
    let sizes: Vec<Point> = (0..12).map(|i| Point::new(4096 << i, 1)).collect();
    let plan = arrangement::arms(
        &limits(),
        &ArmSpec::of(lab::Source::Mmap),
        &[ArmSpec::of(lab::Source::Malloc)],
        Defaults::of_fill(1),
        &sizes,
    );
    let mut design = of(plan, lab::question::experiment::by_name("anonymous").unwrap(), 0.03, 1);
    // A block takes 72 ms for 36 samples: time for 17 blocks, and so for the first look only, which
    // has no intervals.
    design.schedule = Schedule::sequential(Duration::from_millis(72 * 17 + 20));
    let script =
        Script { times: [100; 6], sample_time: Duration::from_millis(2), ..Script::default() };
    let run = run_design(&design, script, |_| ());
    assert_eq!(run.looks.iter().map(|look| look.blocks).collect::<Vec<_>>(), [12, 17]);
    assert_eq!(run.stopped, Some(Stopped::TimeCap));
    assert!(run.estimates.iter().all(|estimate| estimate.unwrap().interval.is_some()));
}

#[test]
fn an_interrupt_keeps_complete_blocks_and_drops_the_incomplete_one() {
    let (_, run) = run(Script {
        event: |arm, block, sample| {
            if (arm, block) == (2, 3) { Taken::Interrupted } else { Taken::Sample(sample) }
        },
        ..Script::default()
    });
    assert_eq!((run.stopped, run.samples[0].len()), (Some(Stopped::Interrupted), 3));
    assert_eq!((run.dropped.len(), run.dropped[0].block), (1, 3));
    assert!(run.dropped[0].reason.contains("interrupted") && !run.dropped[0].samples.is_empty());
}

#[test]
fn progress_has_the_last_block_after_the_pilot() {
    let mut design = design(4, 0.03, 1);
    design.schedule = Schedule::sequential(Duration::from_secs(3));
    let mut lasts = Vec::new();
    // 60 ms a block: 48 blocks fit into 3 s, 96 do not.
    run_design(
        &design,
        Script { times: [100, 100, 104, 70, 100, 100], ..Script::default() },
        |p| {
            lasts.push((p.kept, p.last));
        },
    );
    assert_eq!(lasts.first(), Some(&(0, None)));
    assert!(
        lasts.iter().filter(|(kept, _)| *kept >= 2).all(|(_, last)| *last == Some(48)),
        "{lasts:?}"
    );
}
