//! Simulated programs with a known effect: how often verdicts and intervals are wrong.

use std::time::Duration;

use lab::design::randomization::Orders;
use lab::design::schedule::Schedule;
use lab::design::trial::Trial;
use lab::judge::sign_judge::SignJudge;
use lab::run::session;
use results::Verdict;

use super::{Judged, judge};
use crate::design::ProgramDesign;
use crate::metric::ProgramMetric;
use crate::simulated::{NOISES, Noise, Simulated, arm};

/// A run of arms with `effects` (the first is the baseline), decided by `metrics`.
fn simulated(noise: Noise, effects: &[f64], metrics: &[ProgramMetric], seed: u64) -> Judged {
    let arms = (0..effects.len()).map(arm).collect();
    let schedule = Schedule::sequential(Duration::from_hours(1));
    let design = ProgramDesign::new(arms, metrics, 0.02, schedule);
    let mut bench = Simulated::new(noise, effects, seed);
    let mut orders = Orders::new(vec![(0..design.arms()).collect()], seed);
    let mut sign = SignJudge::new(design.contrasts().len(), design.margin);
    let run = session::run(&design, |index| orders.order(index), &mut sign, &mut bench, |_| {});
    judge(&design, &run, &[])
}

const RUNS: u64 = 200;

/// All intervals of a run together hold the truth in 95 % of the runs, those that decide and those
/// that do not.
#[test]
fn families_of_intervals_hold_the_truth() {
    use ProgramMetric::{MaxRss, Wall};
    let effects = [1.0, 1.0, 1.03];
    for noise in NOISES {
        for metrics in [&[Wall][..], &[Wall, MaxRss]] {
            let mut wrong = [0_u64; 2];
            for seed in 0..RUNS {
                let judged = simulated(noise, &effects, metrics, seed);
                let missed = |decides: bool| {
                    judged.comparisons.iter().any(|c| {
                        let truth = effects[c.arm.parse::<usize>().unwrap()];
                        let is_deciding = metrics.iter().any(|metric| metric.key() == c.metric);
                        let held = c
                            .low
                            .zip(c.high)
                            .is_none_or(|(low, high)| (low..=high).contains(&truth));
                        is_deciding == decides && !held
                    })
                };
                wrong[0] += u64::from(missed(true));
                wrong[1] += u64::from(missed(false));
            }
            // At 5 % there would be 10 of 200; more than 20 in fewer than 1 of 500 such tests.
            assert!(wrong.iter().all(|wrong| *wrong <= 20), "{noise:?} {metrics:?}: {wrong:?}");
        }
    }
}

/// The same program is called different by wall time in at most 1.1 % of the comparisons, and any
/// of several metrics that decide in at most 5 % of the runs.
#[test]
fn the_same_program_is_hardly_ever_different() {
    use ProgramMetric::{Faults, MaxRss, Wall};
    let effects = [1.0; 5];
    let (mut different, mut comparisons) = (0, 0);
    for noise in NOISES {
        let mut runs_with_one = 0;
        for seed in 0..RUNS {
            let judged = simulated(noise, &effects, &[Wall], 10_000 + seed);
            let by_wall = judged.comparisons.iter().filter(|c| c.metric == Wall.key());
            comparisons += by_wall.clone().count();
            different += by_wall.filter(|c| c.verdict == Verdict::Different).count();
            let metrics = [Wall, MaxRss, Faults];
            let judged = simulated(noise, &effects[..2], &metrics, 20_000 + seed);
            let deciding = judged
                .comparisons
                .iter()
                .filter(|c| metrics.iter().any(|metric| metric.key() == c.metric));
            runs_with_one += u64::from(deciding.clone().any(|c| c.verdict == Verdict::Different));
        }
        assert!(runs_with_one <= 20, "{noise:?}: {runs_with_one} of {RUNS}");
    }
    let share = f64::from(u32::try_from(different).unwrap()) / comparisons as f64;
    assert!(share <= 0.011, "{different} of {comparisons}");
}

/// What is decided after the first look has intervals of all metrics, with several arms, too.
#[test]
fn the_first_look_has_intervals_of_every_metric() {
    let effects = [1.0, 1.5, 1.5, 1.5, 1.5, 1.5];
    let judged = simulated(Noise::Normal(0.01), &effects, &[ProgramMetric::Wall], 1);
    assert!(judged.comparisons.iter().all(|c| c.blocks == 12));
    let others = judged.comparisons.iter().filter(|c| c.metric != ProgramMetric::Wall.key());
    assert!(others.clone().count() > 10 && others.clone().all(|c| c.low.is_some()));
    assert!(others.clone().all(|c| (c.confidence - 0.9875).abs() < 1e-9));
}

/// Effects of 2 and 5 % are found where the noise allows.
#[test]
fn effects_are_found() {
    for (noise, effect, least) in [
        (Noise::Normal(0.01), 1.05, 200),
        (Noise::Normal(0.01), 1.03, 190),
        (Noise::Bursty, 1.05, 190),
    ] {
        let found = (0..RUNS)
            .filter(|seed| {
                let judged =
                    simulated(noise, &[1.0, effect], &[ProgramMetric::Wall], 30_000 + seed);
                judged.comparisons.iter().any(|c| {
                    c.metric == "wall_ns" && c.verdict == Verdict::Different && c.ratio > 1.0
                })
            })
            .count();
        assert!(found >= least, "{noise:?} {effect}: {found} of {RUNS}");
    }
}
