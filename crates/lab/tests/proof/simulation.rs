//! Proof of the lab's error rates (docs/method.md): the real session, planner and judge on a
//! simulated machine with known true effects. And proof that the proof can fail: six wrong designs
//! that must be caught.

use crate::simulated::{self, EFFECTS, Noise, Simulated, design};
use lab::design::Design;
use lab::design::randomization::LatinOrders;
use lab::design::schedule::Schedule;
use lab::judge::sign_judge::SignJudge;
use lab::run::Judge;
use lab::run::{Run, ratios, session};
use stats::{Estimate, Look, Verdict, compare, largest_rank};

/// A simulated scenario, and the mutation of the design.
#[derive(Clone, Copy)]
struct Scenario {
    noise: Noise,
    /// The effect of the first arm; the others have none.
    effect: f64,
    /// Arms compared with the baseline.
    comparisons: usize,
    margin: f64,
    mutation: Mutation,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mutation {
    None,
    FixedOrder,
    PooledIterations,
    DeletedOutliers,
    LookAfterEveryBlock,
    WholeAlphaAtEachLook,
    OneRankTooMany,
}

/// A judge that deletes outliers, does not count what it has spent, or uses one rank too many.
struct WrongJudge {
    mutation: Mutation,
    honest: SignJudge,
    comparisons: usize,
    margin: f64,
}

impl Judge for WrongJudge {
    fn look(&mut self, look: Look, log_ratios: &[Vec<f64>]) -> Vec<Option<Estimate>> {
        let whole = 0.05 / self.comparisons as f64;
        match self.mutation {
            Mutation::DeletedOutliers => {
                let kept: Vec<Vec<f64>> =
                    log_ratios.iter().map(|ratios| without_outliers(ratios)).collect();
                let blocks = kept.iter().map(Vec::len).min().unwrap_or(0);
                self.honest.look(Look { blocks, ..look }, &kept)
            }
            Mutation::LookAfterEveryBlock | Mutation::WholeAlphaAtEachLook => {
                let rank = largest_rank(look.blocks, whole);
                log_ratios.iter().map(|ratios| compare(ratios, rank, self.margin)).collect()
            }
            Mutation::OneRankTooMany => {
                let rank = stats::Spending::clone(&self.honest.spending).pay(look) + 1;
                self.honest.look(look, &[]);
                log_ratios.iter().map(|ratios| compare(ratios, rank, self.margin)).collect()
            }
            _ => self.honest.look(look, log_ratios),
        }
    }
}

/// Tukey's fences: 1.5 interquartile ranges beyond the quartiles.
fn without_outliers(values: &[f64]) -> Vec<f64> {
    let sorted = stats::sorted(values);
    let (low, high) = (sorted[sorted.len() / 4], sorted[sorted.len() * 3 / 4]);
    let fence = 1.5 * (high - low);
    sorted.into_iter().filter(|v| (low - fence..=high + fence).contains(v)).collect()
}

fn simulate(scenario: Scenario, seed: u64) -> (Design, Run) {
    let Scenario { noise, effect, comparisons, margin, mutation } = scenario;
    let mut design = design(comparisons, margin, seed);
    if mutation == Mutation::LookAfterEveryBlock {
        let looks = (12..=96).map(|blocks| Look { blocks, alpha: 0.05 }).collect();
        design.schedule = Schedule { looks, ..design.schedule };
    }
    let mut bench = Simulated::new(noise, effect, seed);
    bench.pooled = mutation == Mutation::PooledIterations;
    let mut judge =
        WrongJudge { mutation, honest: SignJudge::new(comparisons, margin), comparisons, margin };
    let mut orders = LatinOrders::new(design.arms.len(), seed);
    let order = |index| match mutation {
        Mutation::FixedOrder => (0..comparisons + 2).collect(),
        _ => orders.order(index).to_vec(),
    };
    let run = session::run(&design, order, &mut judge, &mut bench, |_| ());
    (design, run)
}

/// The outcomes of many runs of a scenario, as shares.
#[derive(Debug, Default)]
struct Rates {
    /// Runs in which every interval contains the truth.
    coverage: f64,
    /// Comparisons without an effect that were called different.
    false_different: f64,
    /// Runs whose placebo was not trusted.
    untrusted: f64,
}

fn rates(scenario: Scenario, runs: u64) -> Rates {
    let (mut covered, mut false_different, mut no_effect, mut untrusted) = (0, 0, 0, 0);
    let truth = |contrast: usize| match contrast {
        0 => simulated::truth(scenario.noise, scenario.effect),
        3 => simulated::truth_of_last(scenario.noise),
        _ => 0.0,
    };
    for seed in 0..runs {
        let (design, run) = simulate(scenario, seed * 7919 + (1_000.0 * scenario.effect) as u64);
        let mut all_hold = true;
        for (contrast, estimate) in
            run.estimates.iter().enumerate().filter_map(|(c, e)| Some((c, e.as_ref()?)))
        {
            let truth = truth(contrast);
            all_hold &= estimate.interval.is_none_or(|interval| interval.contains(truth.exp()));
            if truth == 0.0 {
                no_effect += 1;
                false_different += u64::from(estimate.verdict == Verdict::Different);
            }
        }
        covered += u64::from(all_hold);
        let placebo =
            stats::judge_placebo(&ratios::log_ratios(&design, &run.samples, &design.placebo))
                .unwrap();
        untrusted += u64::from(placebo.trusted == Some(false));
    }
    Rates {
        coverage: covered as f64 / runs as f64,
        false_different: false_different as f64 / f64::max(f64::from(no_effect), 1.0),
        untrusted: untrusted as f64 / runs as f64,
    }
}

/// The requirements of docs/method.md: all intervals contain the truth in 95 % of runs; of
/// comparisons without an effect, 1.1 % are called different if four are made and no arm has an
/// effect, and 5 % otherwise.
fn demands(scenario: Scenario, runs: u64) -> Result<Rates, String> {
    let rates = rates(scenario, runs);
    let most_different =
        if scenario.comparisons == 4 && scenario.effect == 0.0 { 0.011 } else { 0.05 };
    let describe = format!(
        "{:?}, effect {}, {} comparisons",
        scenario.noise, scenario.effect, scenario.comparisons
    );
    if rates.coverage < 0.95 {
        return Err(format!(
            "{describe}: all intervals contain the truth in only {:.1} % of runs",
            100.0 * rates.coverage
        ));
    }
    if rates.false_different > most_different {
        return Err(format!(
            "{describe}: {:.2} % called different without an effect",
            100.0 * rates.false_different
        ));
    }
    Ok(rates)
}

fn scenario(noise: Noise, effect: f64, comparisons: usize) -> Scenario {
    Scenario { noise, effect, comparisons, margin: 0.02, mutation: Mutation::None }
}

#[test]
fn the_design_holds_under_every_noise_and_effect() {
    let mut untrusted = Vec::new();
    for noise in Noise::ALL {
        for effect in EFFECTS {
            let runs = if effect == 0.0 { 1_500 } else { 400 };
            let rates = demands(scenario(noise, effect, 4), runs)
                .unwrap_or_else(|failure| panic!("{failure}"));
            untrusted.push(rates.untrusted);
            println!(
                "{:<22} {:>5.1} %: coverage {:.1} %, false different {:.2} %",
                format!("{noise:?}"),
                100.0 * effect,
                100.0 * rates.coverage,
                100.0 * rates.false_different
            );
        }
    }
    let mean = untrusted.iter().sum::<f64>() / untrusted.len() as f64;
    assert!(mean <= 0.012, "{:.2} % of honest runs called untrusted", 100.0 * mean);
}

#[test]
fn one_comparison_alone_may_spend_everything() {
    for noise in Noise::ALL {
        demands(scenario(noise, 0.0, 1), 1_000).unwrap_or_else(|failure| panic!("{failure}"));
    }
}

#[test]
fn real_effects_are_found() {
    for (noise, effect, least) in
        [(Noise::Quiet, 0.03, 1.0), (Noise::Normal, 0.05, 0.95), (Noise::Normal, 0.10, 1.0)]
    {
        let runs = 200;
        let found = (0..runs)
            .filter(|seed| {
                let (_, run) = simulate(scenario(noise, effect, 4), seed * 104_729);
                run.estimates[0].is_some_and(|estimate| estimate.verdict == Verdict::Different)
            })
            .count();
        assert!(found as f64 >= least * runs as f64, "{effect}: {found} of {runs}");
    }
}

/// Runs a mutation in a scenario where it matters; it must be caught.
fn must_fail(mutation: Mutation, noise: Noise, comparisons: usize) {
    let sound = scenario(noise, 0.0, comparisons);
    demands(sound, 600)
        .unwrap_or_else(|failure| panic!("the sound design must pass first: {failure}"));
    let failure =
        demands(Scenario { mutation, ..sound }, 600).expect_err("the mutation went unnoticed");
    println!("{mutation:?}: {failure}");
}

#[test]
fn a_fixed_order_is_caught() {
    must_fail(Mutation::FixedOrder, Noise::LaterRunsFaster, 4);
}

#[test]
fn pooled_iterations_are_caught() {
    must_fail(Mutation::PooledIterations, Noise::LayoutOfProcess, 4);
}

#[test]
fn deleted_outliers_are_caught() {
    must_fail(Mutation::DeletedOutliers, Noise::OneSidedBursts, 4);
}

#[test]
fn a_look_after_every_block_is_caught() {
    must_fail(Mutation::LookAfterEveryBlock, Noise::Normal, 1);
}

#[test]
fn spending_the_whole_alpha_at_each_look_is_caught() {
    must_fail(Mutation::WholeAlphaAtEachLook, Noise::Normal, 1);
}

#[test]
fn one_rank_too_many_is_caught() {
    must_fail(Mutation::OneRankTooMany, Noise::Normal, 1);
}
