//! Proof of the intervals between two runs (docs/method.md): their coverage where the truth is
//! known, and what the methods that were not chosen would have done.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use stats::{compare_independent, largest_rank, median, sign_interval, sorted};

/// The logarithms of one run's samples, in their order. The spread is 5 % unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Normal,
    /// Four times the spread.
    Wide,
    /// Exponential: a sharp lower edge, a long upper tail.
    Skewed,
    /// One sample in twenty takes half as long again, up to three times as long.
    Spiky,
    /// One sample in five takes half as long again.
    Bimodal,
    /// Nearly every second sample does: the median is beside the gap.
    Halved,
    /// Episodes of some samples in which the machine is 40 % slower, about an eighth of the time.
    Bursty,
    /// Every sample resembles the one before: a correlation of 0.6, which fades.
    Wandering,
    /// A steady rise of 30 % over the run.
    Rising,
}

use Shape::{Bimodal, Bursty, Halved, Normal, Rising, Skewed, Spiky, Wandering, Wide};

/// Of the old and of the new run.
type Shapes = (Shape, Shape);
type Counts = (usize, usize);

const PAIRS: [Shapes; 14] = [
    (Normal, Normal),
    (Skewed, Skewed),
    (Spiky, Spiky),
    (Bimodal, Bimodal),
    (Halved, Halved),
    (Normal, Wide),
    (Wide, Normal),
    (Normal, Skewed),
    (Normal, Bimodal),
    (Normal, Halved),
    (Halved, Normal),
    (Bursty, Bursty),
    (Rising, Rising),
    (Wandering, Wandering),
];
/// The numbers of samples.
const COUNTS: [Counts; 10] =
    [(6, 6), (8, 8), (12, 12), (24, 24), (48, 48), (96, 96), (8, 96), (96, 12), (12, 48), (24, 96)];
/// Fewer samples than this may not show that they resemble each other.
const WANDERING_MIN: usize = 48;
const SPREAD: f64 = 0.05;
const RUNS: u32 = 2_000;

type Random = Xoshiro256PlusPlus;

fn uniform(random: &mut Random) -> f64 {
    (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

fn normal(random: &mut Random) -> f64 {
    let radius = (-2.0 * (1.0 - uniform(random)).ln()).sqrt();
    radius * (std::f64::consts::TAU * uniform(random)).cos()
}

/// Which samples of a run fall into a burst.
fn bursts(count: usize, random: &mut Random) -> Vec<bool> {
    // The run begins at any time, also within a burst.
    const BEFORE: usize = 20;
    let mut left = 0;
    let mut next = || {
        if left == 0 && uniform(random) < 0.05 {
            left = 1 + random.next_u64() % 5;
        }
        let is_burst = left > 0;
        left = left.saturating_sub(1);
        is_burst
    };
    (0..BEFORE + count).map(|_| next()).skip(BEFORE).collect()
}

fn draw(shape: Shape, count: usize, random: &mut Random) -> Vec<f64> {
    const FADES_BY: f64 = 0.6;
    let burst = if shape == Bursty { bursts(count, random) } else { vec![false; count] };
    let mut level = normal(random);
    let one = |index: usize| {
        let noise = normal(random);
        let chance = uniform(random);
        match shape {
            Wide => 4.0 * SPREAD * noise,
            Skewed => -2.0 * SPREAD * (1.0 - chance).ln(),
            Spiky if chance < 0.05 => SPREAD * noise + (1.5 + 1.5 * uniform(random)).ln(),
            Bimodal if chance < 0.2 => SPREAD * noise + 1.5_f64.ln(),
            Halved if chance < 0.45 => SPREAD * noise + 1.5_f64.ln(),
            Bursty if burst[index] => SPREAD * noise + 1.4_f64.ln(),
            Normal | Spiky | Bimodal | Halved | Bursty => SPREAD * noise,
            Wandering => {
                level = FADES_BY * level + (1.0 - FADES_BY * FADES_BY).sqrt() * noise;
                SPREAD * level
            }
            Rising => SPREAD * noise + 0.3 * ((index as f64 + 0.5) / count as f64 - 0.5),
        }
    };
    (0..count).map(one).collect()
}

/// The median of the shape: of very many samples.
fn center(shape: Shape) -> f64 {
    let mut random = Random::seed_from_u64(99);
    match shape {
        Normal | Wide | Wandering | Rising => 0.0,
        Skewed => 2.0 * SPREAD * std::f64::consts::LN_2,
        _ => median(&draw(shape, 400_001, &mut random)).unwrap(),
    }
}

/// The bounds of the logarithm of the ratio.
type Bounds = Option<(f64, f64)>;
/// A way to find them: of the old and the new samples, missing with a probability.
type Method = fn(&[f64], &[f64], f64) -> Bounds;

/// The one that was chosen.
fn chosen(old: &[f64], new: &[f64], alpha: f64) -> Bounds {
    let interval = compare_independent(old, new, alpha, 0.03)?.interval?;
    Some((interval.low.ln(), interval.high.ln()))
}

/// The sign interval of each median at half the allowance, and their outermost ratios.
fn corners(old: &[f64], new: &[f64], alpha: f64) -> Bounds {
    let of =
        |values: &[f64]| sign_interval(&sorted(values), largest_rank(values.len(), alpha / 2.0));
    let (old, new) = (of(old)?, of(new)?);
    Some((new.low - old.high, new.high - old.low))
}

/// The shift of Mann, Whitney, Hodges and Lehmann, by the normal approximation.
fn shift(old: &[f64], new: &[f64], alpha: f64) -> Bounds {
    use statrs::distribution::{ContinuousCDF, Normal};
    let pairs = old.iter().flat_map(|old| new.iter().map(move |new| new - old));
    let pairs = sorted(&pairs.collect::<Vec<_>>());
    let (m, n) = (old.len() as f64, new.len() as f64);
    let z = Normal::standard().inverse_cdf(1.0 - alpha / 2.0);
    let rank = (m * n / 2.0 - z * (m * n * (m + n + 1.0) / 12.0).sqrt()).floor().max(1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank")]
    let rank = rank as usize;
    pairs.get(rank - 1).copied().zip(pairs.get(pairs.len() - rank).copied())
}

/// The percentile bootstrap of the difference of the medians.
fn bootstrap(old: &[f64], new: &[f64], alpha: f64) -> Bounds {
    const DRAWS: usize = 400;
    let mut random = Random::seed_from_u64(5);
    let mut again = |values: &[f64]| {
        let one = |_| values[usize::try_from(random.next_u64() >> 1).unwrap() % values.len()];
        median(&(0..values.len()).map(one).collect::<Vec<_>>()).unwrap()
    };
    let drawn = sorted(&(0..DRAWS).map(|_| again(new) - again(old)).collect::<Vec<_>>());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank")]
    let cut = (DRAWS as f64 * alpha / 2.0) as usize;
    drawn.get(cut).copied().zip(drawn.get(DRAWS - 1 - cut).copied())
}

/// How often intervals hold the truth, and how wide they are on average, in logarithms.
#[derive(Debug, Clone, Copy)]
struct Rates {
    coverage: f64,
    width: f64,
}

fn rates(method: Method, (old, new): Shapes, (olds, news): Counts, runs: u32) -> Rates {
    let truth = center(new) - center(old);
    let mut random = Random::seed_from_u64((olds * 1_000 + news) as u64);
    let (mut covered, mut width) = (0, 0.0);
    for _ in 0..runs {
        let (olds, news) = (draw(old, olds, &mut random), draw(new, news, &mut random));
        let (low, high) = method(&olds, &news, 0.05).expect("enough samples for an interval");
        covered += u32::from(low <= truth && truth <= high);
        width += high - low;
    }
    Rates { coverage: f64::from(covered) / f64::from(runs), width: width / f64::from(runs) }
}

#[test]
fn the_intervals_hold_the_truth() {
    for pair in PAIRS {
        let (mut least, mut most) = (1.0_f64, 0.0_f64);
        for counts in COUNTS {
            let found = rates(chosen, pair, counts, RUNS).coverage;
            (least, most) = (least.min(found), most.max(found));
            if pair.0 == Wandering {
                println!("{pair:?}, {counts:?}: {:.1} %", 100.0 * found);
            }
            let demanded = match pair.0 {
                // The known limit: few samples do not show that they resemble each other.
                Wandering if counts.0.min(counts.1) < WANDERING_MIN => 0.8,
                Wandering | Bursty => 0.94,
                _ => 0.95,
            };
            assert!(found >= demanded, "{pair:?}, {counts:?}: {:.1} %", 100.0 * found);
        }
        println!("{pair:?}: {:.1} to {:.1} %", 100.0 * least, 100.0 * most);
    }
}

/// All comparisons of two runs together: the arms of a run share its bursts.
#[test]
fn all_intervals_together_hold_the_truth() {
    const ARMS: usize = 5;
    let mut random = Random::seed_from_u64(7);
    for (olds, news) in [(12, 12), (24, 96), (48, 48)] {
        let mut all_hold = 0;
        for _ in 0..RUNS {
            let (old_bursts, new_bursts) = (bursts(olds, &mut random), bursts(news, &mut random));
            let mut arm = |burst: &[bool]| -> Vec<f64> {
                let slow = |slow: &bool| if *slow { 1.4_f64.ln() } else { 0.0 };
                burst.iter().map(|burst| slow(burst) + SPREAD * normal(&mut random)).collect()
            };
            let holds = (0..ARMS).all(|_| {
                let (old, new) = (arm(&old_bursts), arm(&new_bursts));
                let (low, high) = chosen(&old, &new, 0.05 / ARMS as f64).expect("an interval");
                low <= 0.0 && 0.0 <= high
            });
            all_hold += u32::from(holds);
        }
        let coverage = f64::from(all_hold) / f64::from(RUNS);
        println!("{ARMS} arms, {olds} and {news} samples: {:.1} %", 100.0 * coverage);
        assert!(coverage >= 0.95, "{olds}, {news}: {coverage}");
    }
}

/// Each fails where the chosen method holds; the outermost ratios hold, but are much wider.
#[test]
fn the_alternatives_are_worse() {
    let failures: [(&str, Method, Shapes, Counts); 3] = [
        ("shift", shift, (Normal, Skewed), (96, 96)),
        ("shift, unequal spread", shift, (Normal, Wide), (96, 12)),
        ("bootstrap", bootstrap, (Normal, Halved), (6, 6)),
    ];
    for (name, method, pair, counts) in failures {
        let (other, ours) = (rates(method, pair, counts, 600), rates(chosen, pair, counts, 600));
        println!("{name}, {pair:?}, {counts:?}: {other:.3?}, chosen {ours:.3?}");
        assert!(ours.coverage >= 0.95, "{name}: {ours:?}");
        assert!(other.coverage < 0.93, "{name} was expected to fail: {other:?}");
    }
    for counts in [(12, 12), (24, 24), (96, 96)] {
        let pair = (Normal, Normal);
        let (other, ours) = (rates(corners, pair, counts, 600), rates(chosen, pair, counts, 600));
        println!("outermost ratios, {counts:?}: {other:.3?}, chosen {ours:.3?}");
        assert!(other.width > 1.2 * ours.width, "{counts:?}: {other:?}, {ours:?}");
    }
}

/// Without the ranks for values that resemble each other, the intervals would miss.
#[test]
fn samples_that_resemble_each_other_need_wider_intervals() {
    let unaware: Method = |old, new, alpha| {
        // In another order the same values do not resemble their neighbours.
        let mixed = |values: &[f64]| -> Vec<f64> {
            let half = values.len() / 2;
            let in_order = sorted(values);
            (0..half).flat_map(|i| [in_order[i], in_order[i + half]]).collect()
        };
        chosen(&mixed(old), &mixed(new), alpha)
    };
    let (pair, counts) = ((Wandering, Wandering), (96, 96));
    let (other, ours) = (rates(unaware, pair, counts, 600), rates(chosen, pair, counts, 600));
    println!("unaware: {other:.3?}, chosen {ours:.3?}");
    assert!(ours.coverage >= 0.94 && other.coverage < 0.88, "{ours:?}, {other:?}");
}
