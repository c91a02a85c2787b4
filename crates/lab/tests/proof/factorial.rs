//! Proof that intervals of the effects of a factorial experiment, and of the ratios of its spreads,
//! have their stated confidence.

use crate::simulated::{Noise, Simulated, limits, of};
use lab::design::Design;
use lab::design::factorial;
use lab::design::randomization::Orders;
use lab::judge::effects;
use lab::judge::sign_judge::SignJudge;
use lab::question::experiment::{Subject, by_name};
use lab::run::{Run, session};

/// True ratios: of malloc to mmap, of fill 0 to fill 1, of the first position to the second.
const TRUTH: [f64; 3] = [1.0, 0.97, 1.04];

fn simulate(noise: Noise, stretch: f64, seed: u64) -> (Design, Run) {
    let experiment = by_name("position").unwrap();
    let Subject::Factors(factors) = experiment.subject.clone() else {
        panic!("a factorial experiment")
    };
    let design = of(factorial::cells(&limits(), &factors, 100 << 20), experiment, 0.03, seed);
    let mut bench = Simulated::new(noise, 0.0, seed);
    for cell in 0..8_usize {
        let at_first = |factor: usize| cell >> (2 - factor) & 1 == 0;
        bench.effects[cell] =
            (0..3).filter(|&factor| at_first(factor)).map(|factor| TRUTH[factor].ln()).sum();
        bench.stretches[cell] = if at_first(0) { stretch } else { 1.0 };
    }
    (bench.effects[8], bench.stretches[8]) = (bench.effects[7], bench.stretches[7]);
    let mut orders = Orders::new(vec![(0..9).collect()], seed);
    let mut judge = SignJudge::new(design.contrasts.len(), design.margin);
    let run = session::run(&design, |index| orders.order(index), &mut judge, &mut bench, |_| ());
    (design, run)
}

/// How often the intervals of all effects contain the truth, and how often those of all ratios of
/// spreads do.
fn coverage(noise: Noise, stretch: f64) -> (f64, f64) {
    let runs = 3_000;
    let (mut times, mut spreads) = (0, 0);
    for seed in 0..runs {
        let (design, run) = simulate(noise, stretch, seed * 7919 + 13);
        let within = |effect: &results::Effect, truth: f64| {
            effect.low.zip(effect.high).is_none_or(|(low, high)| low <= truth && truth <= high)
        };
        let effects = effects::effects(&design, &run);
        assert_eq!(effects.len(), 3);
        let pair: f64 = TRUTH.iter().product();
        let pair_holds = run.estimates[3].and_then(|e| e.interval).is_none_or(|i| i.contains(pair));
        times += u64::from(
            pair_holds && effects.iter().zip(TRUTH).all(|(effect, truth)| within(effect, truth)),
        );
        let found = effects::spreads(&design, &run.samples);
        assert!(found.len() == 3 && found[0].low.is_some(), "{found:?}");
        let stretches = [stretch, 1.0, 1.0];
        spreads +=
            u64::from(found.iter().zip(stretches).all(|(spread, truth)| within(spread, truth)));
    }
    (times as f64 / runs as f64, spreads as f64 / runs as f64)
}

#[test]
fn effects_and_spreads_have_their_stated_confidence() {
    for noise in [
        Noise::Normal,
        Noise::Spiky,
        Noise::Bursty,
        Noise::Drifting,
        Noise::LaterRunsFaster,
        Noise::LayoutOfProcess,
    ] {
        let (times, spreads) = coverage(noise, 1.0);
        println!("{noise:?}: effects {:.1} %, spreads {:.1} %", 100.0 * times, 100.0 * spreads);
        assert!(times >= 0.95 && spreads >= 0.95, "{noise:?}: effects {times}, spreads {spreads}");
    }
    let (_, spreads) = coverage(Noise::Normal, 2.0);
    assert!(spreads >= 0.95, "malloc scatters twice as much: {spreads}");
}

#[test]
fn a_doubled_spread_is_found() {
    let found = (0..50).filter(|seed| {
        let (design, run) = simulate(Noise::Normal, 2.0, seed * 104_729);
        effects::spreads(&design, &run.samples)[0].low.is_some_and(|low| low > 1.0)
    });
    let found = found.count();
    assert!(found >= 25, "{found} of 50");
}
