//! Simulated races with a known best arm: how often it leaves, and whether the confirmation is free
//! of the winner's luck.

use std::time::Duration;

use lab::design::randomization::Orders;
use lab::design::schedule::{ALPHA, Schedule};
use lab::design::trial::Trial;
use lab::judge::sign_judge::SignJudge;
use lab::run::session;
use results::Verdict;
use results::compare::RaceEnd;
use stats::{Look, Spending};

use super::race::{Raced, Rules, race, ranks};
use crate::design::ProgramDesign;
use crate::judge::judge;
use crate::metric::ProgramMetric;
use crate::simulated::{NOISES, Noise, Simulated, arm};

const RUNS: u64 = 200;
/// At 5 % there would be 10 of 200; more than 20 in fewer than 1 of 500 such tests.
const WRONG_MAX: u64 = 20;

fn design(arms: usize) -> ProgramDesign {
    let schedule = Schedule::sequential(Duration::from_hours(1));
    ProgramDesign::new((0..arms).map(arm).collect(), &[ProgramMetric::Wall], 0.02, schedule)
}

/// A race of arms with `effects` (the first is the baseline), with intervals of the ranks `rank`.
fn raced(
    noise: Noise,
    effects: &[f64],
    margin: f64,
    seed: u64,
    mut rank: impl FnMut(Look) -> usize,
) -> Raced {
    let mut bench = Simulated::new(noise, effects, seed);
    let rules = Rules { margin, seed, until: Duration::from_hours(1) };
    race(&design(effects.len()), rules, &mut rank, &mut bench, |_| {}).unwrap()
}

fn all_noises() -> impl Iterator<Item = Noise> {
    NOISES.into_iter().chain([Noise::Ties])
}

/// In how many of [`RUNS`] races arm 1, which no arm is better than, leaves.
fn best_arm_left(noise: Noise, effects: &[f64], unbounded: bool) -> u64 {
    let leaves = |seed: &u64| {
        // No race ends because all are alike: that could only hide an error.
        let raced = if unbounded {
            // Each pair at each look as if it were the only one.
            let rank = |look: Look| Spending::new(1).pay(Look { alpha: 2.0 * ALPHA, ..look });
            raced(noise, effects, 0.0, *seed, rank)
        } else {
            raced(noise, effects, 0.0, *seed, ranks(effects.len()))
        };
        raced.left[1].is_some()
    };
    (0..RUNS).filter(leaves).count() as u64
}

/// Many arms as good as the best, and some that are worse: the hardest case for it.
const EQUALS: [f64; 9] = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.02, 1.2];

#[test]
fn the_best_arm_hardly_ever_leaves() {
    for noise in all_noises() {
        let left = best_arm_left(noise, &EQUALS, false);
        assert!(left <= WRONG_MAX, "{noise:?}: {left} of {RUNS}");
    }
    for (noise, arms) in [(Noise::Normal(0.05), 2), (Noise::Bursty, 3), (Noise::Normal(0.05), 18)] {
        let left = best_arm_left(noise, &vec![1.0; arms], false);
        assert!(left <= WRONG_MAX, "{noise:?}, {arms} arms: {left} of {RUNS}");
    }
}

/// The test above can fail: intervals that do not share the allowance lose the best arm.
#[test]
fn without_the_bound_the_best_arm_leaves() {
    for noise in all_noises().filter(|noise| !matches!(noise, Noise::Ties)) {
        let left = best_arm_left(noise, &EQUALS, true);
        assert!(left > 2 * WRONG_MAX, "{noise:?}: {left} of {RUNS}");
    }
}

/// Where the noise allows, what is much worse leaves at the first looks, the best is found, and the
/// race ends early.
#[test]
fn what_is_much_worse_leaves_early() {
    let mut effects = vec![1.0, 0.9];
    effects.extend(vec![1.0; 8]);
    effects.extend(vec![1.3; 7]);
    for noise in [Noise::Normal(0.01), Noise::Normal(0.03), Noise::Drifting] {
        let (mut found, mut early) = (0, 0);
        for seed in 0..50 {
            let raced = raced(noise, &effects, 0.02, seed, ranks(effects.len()));
            found += u32::from(raced.winner(&design(effects.len())) == Some(1));
            let has_left = |arm: usize| raced.left[arm].as_ref().is_some_and(|one| one.after <= 12);
            early += u32::from((10..17).all(has_left));
            assert_eq!(raced.ended, RaceEnd::OneLeft, "{noise:?}");
        }
        assert!(found >= 48 && early >= 48, "{noise:?}: {found} found, {early} early of 50");
    }
}

/// The race stops when what is left is the same, and when the baseline is better than all.
#[test]
fn a_race_ends_when_there_is_nothing_more_to_choose() {
    let (mut alike, mut none) = (0, 0);
    for seed in 0..50 {
        let same = raced(Noise::Normal(0.003), &[1.1, 1.0, 1.0, 1.0], 0.02, seed, ranks(4));
        alike += u32::from(same.ended == RaceEnd::Alike && same.blocks <= 16);
        let worse = raced(Noise::Normal(0.01), &[1.0, 1.1, 1.1, 1.1], 0.02, seed, ranks(4));
        none += u32::from(worse.ended == RaceEnd::NoneLeft && worse.blocks <= 16);
        assert!(worse.winner(&design(4)).is_some(), "the best of those that left");
    }
    assert!(alike >= 48 && none >= 48, "{alike} alike, {none} none of 50");
}

/// A race that is out of time keeps what is left, and has one block at least.
#[test]
fn time_ends_a_race() {
    let mut bench = Simulated::new(Noise::Normal(0.01), &[1.0; 5], 7);
    let rules = Rules { margin: 0.02, seed: 7, until: Duration::ZERO };
    let raced = race(&design(5), rules, &mut ranks(5), &mut bench, |_| {}).unwrap();
    assert_eq!((raced.blocks, raced.ended), (1, RaceEnd::TimeUp));
    assert!(raced.winner(&design(5)).is_some());
    let rules = Rules { until: Duration::from_millis(300), ..rules };
    let mut bench = Simulated::new(Noise::Normal(0.2), &[1.0; 5], 7);
    let raced = race(&design(5), rules, &mut ranks(5), &mut bench, |_| {}).unwrap();
    assert_eq!(raced.ended, RaceEnd::TimeUp);
}

/// Of candidates that are all the same program the luckiest wins the race, and its ratio there is
/// below 1. Its confirmed interval holds 1, and it is hardly ever called better.
#[test]
fn the_winner_is_confirmed_without_its_luck() {
    let effects = [1.0; 10];
    for noise in [Noise::Normal(0.05), Noise::Bimodal(1.3), Noise::Bursty] {
        let (mut lucky, mut missed, mut better) = (0, 0, 0);
        for seed in 0..RUNS {
            let race = raced(noise, &effects, 0.02, seed, ranks(effects.len()));
            let winner = race.winner(&design(effects.len())).unwrap();
            let of_winner = race.log_ratio(&design(effects.len()), winner).unwrap();
            lucky += u64::from(of_winner < 0.0);
            let confirmed = design(2);
            let mut bench = Simulated::new(noise, &[1.0, effects[winner]], !seed);
            let mut orders = Orders::new(vec![(0..confirmed.arms()).collect()], seed);
            let mut sign = SignJudge::new(1, confirmed.margin);
            let order = |index| orders.order(index);
            let run = session::run(&confirmed, order, &mut sign, &mut bench, |_| {});
            let judged = judge(&confirmed, &run, &[]);
            let wall = judged.comparisons.iter().find(|c| c.metric == "wall_ns").unwrap();
            missed += u64::from(wall.low.is_some_and(|low| low > 1.0 || wall.high < Some(1.0)));
            better += u64::from(wall.verdict == Verdict::Different && wall.ratio < 1.0);
        }
        assert!(lucky > RUNS * 9 / 10, "{noise:?}: {lucky}");
        assert!(missed <= WRONG_MAX && better <= WRONG_MAX / 2, "{noise:?}: {missed}, {better}");
    }
}
