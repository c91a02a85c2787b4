//! A simulated machine: a bench with noise and known true effects.

use std::time::Duration;

use lab::design::arrangement::{self, Arrangement};
use lab::design::machine_limits::MachineLimits;
use lab::design::schedule::Schedule;
use lab::design::{Design, Point};
use lab::question::arm::ArmSpec;
use lab::question::defaults::Defaults;
use lab::run::{Bench, Taken};
use lab::{Experiment, MemoryState, Source};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use results::{Block, Sample};

/// The effects of the first arm.
pub(crate) const EFFECTS: [f64; 7] = [0.0, 0.005, 0.01, 0.02, 0.03, 0.05, 0.10];

/// The noise of the samples, besides a spread of 5 % per sample, which real samples of 100 MiB
/// have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Noise {
    Normal,
    /// A fifth of that spread, so that runs end early.
    Quiet,
    /// One sample in twenty takes half as long again, up to three times as long.
    Spiky,
    /// One sample in five takes half as long again.
    Bimodal,
    /// Episodes in which the whole machine is 40 % slower, some samples long.
    Bursty,
    /// The machine slows down and speeds up over the run.
    Drifting,
    /// The first arm scatters four times as much as the others.
    UnequalTails,
    /// A fifth of the first arm's samples take 60 % longer, as part of its cost.
    OneSidedBursts,
    /// Each position in a block is 1 % faster than the one before.
    LaterRunsFaster,
    /// Each process has a random factor, which its iterations share.
    LayoutOfProcess,
    /// A sample after one of the last arm before the placebo takes 10 % longer, as samples after
    /// huge pages do.
    LeftBehind,
}

impl Noise {
    pub(crate) const ALL: [Noise; 11] = [
        Noise::Normal,
        Noise::Quiet,
        Noise::Spiky,
        Noise::Bimodal,
        Noise::Bursty,
        Noise::Drifting,
        Noise::UnequalTails,
        Noise::OneSidedBursts,
        Noise::LaterRunsFaster,
        Noise::LayoutOfProcess,
        Noise::LeftBehind,
    ];
}

const SPREAD: f64 = 0.05;
/// The factor of a sample with such an after-effect, and the share of the usual spread then.
const LEFT_BEHIND: f64 = 1.1;
const LEFT_BEHIND_SPREAD: f64 = 0.4;
const ITERATIONS: u64 = 10;

/// The true median of the first arm's log ratio.
pub(crate) fn truth(noise: Noise, effect: f64) -> f64 {
    match noise {
        Noise::OneSidedBursts => effect.ln_1p() + mixture_median(0.2, 1.6, SPREAD),
        _ => effect.ln_1p(),
    }
}

/// The true median of the last arm's log ratio. An arm with an after-effect never follows itself,
/// and the baseline follows it in one block of six.
pub(crate) fn truth_of_last(noise: Noise) -> f64 {
    if noise == Noise::LeftBehind {
        -mixture_median(1.0 / 6.0, LEFT_BEHIND, SPREAD * LEFT_BEHIND_SPREAD)
    } else {
        0.0
    }
}

/// The median of the difference of two logarithms of spread `spread`, one of which is larger by `ln
/// factor` with probability `share`. It has no closed form: by bisection.
fn mixture_median(share: f64, factor: f64, spread: f64) -> f64 {
    use statrs::distribution::{ContinuousCDF, Normal};
    let normal = Normal::new(0.0, spread * std::f64::consts::SQRT_2).unwrap();
    let below = |x: f64| (1.0 - share) * normal.cdf(x) + share * normal.cdf(x - factor.ln());
    let (mut low, mut high) = (-0.5, 0.5);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if below(middle) < 0.5 { low = middle } else { high = middle }
    }
    low
}

/// A design that compares one to four arms with the baseline.
pub(crate) fn design(comparisons: usize, margin: f64, seed: u64) -> Design {
    let experiment: Experiment = lab::question::experiment::built_in().swap_remove(0);
    let others: Vec<ArmSpec> = Source::all().skip(1).take(comparisons).map(ArmSpec::of).collect();
    let point = Point::new(100 << 20, 1);
    let plan = arrangement::arms(
        &limits(),
        &ArmSpec::of(Source::Mmap),
        &others,
        Defaults::of_fill(1),
        &[point],
    );
    of(plan, experiment, margin, seed)
}

/// A machine without limits.
pub(crate) fn limits() -> MachineLimits {
    MachineLimits {
        page_bytes: 4096,
        thp: Some("madvise".to_owned()),
        thp_common: None,
        page_sizes: Vec::new(),
        pools: Vec::new(),
        left_bytes: 8 << 30,
        memory: MemoryState::Warm,
    }
}

/// `plan` as a design with the scheduled looks.
pub(crate) fn of(plan: Arrangement, experiment: Experiment, margin: f64, seed: u64) -> Design {
    Design {
        points: plan.points,
        arms: plan.arms,
        contrasts: plan.contrasts,
        placebo: plan.placebo,
        factors: plan.factors,
        schedule: Schedule::sequential(Duration::from_mins(10)),
        blocks: None,
        margin,
        seed,
        cpu: None,
        memory: MemoryState::Warm,
        swept: None,
        pairs_follow: false,
        experiment,
    }
}

pub(crate) struct Simulated {
    noise: Noise,
    /// By arm: the logarithm of its true ratio.
    pub(crate) effects: Vec<f64>,
    /// By arm: the factor of its spread.
    pub(crate) stretches: Vec<f64>,
    random: Xoshiro256PlusPlus,
    samples: u64,
    /// Samples left of a burst.
    burst: u64,
    /// The arm of the previous sample.
    previous: usize,
    /// The random factor of each arm's current process.
    luck: [f64; 12],
    /// Whether iterations of one process count as blocks.
    pub(crate) pooled: bool,
}

impl Simulated {
    pub(crate) fn new(noise: Noise, effect: f64, seed: u64) -> Self {
        let random = Xoshiro256PlusPlus::seed_from_u64(seed ^ 0x5eed);
        let (mut effects, stretches) = (vec![0.0; 12], vec![1.0; 12]);
        effects[1] = effect.ln_1p();
        Simulated {
            noise,
            effects,
            stretches,
            random,
            samples: 0,
            burst: 0,
            previous: 0,
            luck: [0.0; 12],
            pooled: false,
        }
    }

    fn uniform(&mut self) -> f64 {
        (self.random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// The logarithm of the noise factor of a sample.
    fn disturbance(&mut self, arm: usize, block: u64, position: u64) -> f64 {
        let first_arm = arm == 1;
        let common = SPREAD
            * self.normal()
            * match self.noise {
                Noise::Quiet => 0.2,
                Noise::LeftBehind => LEFT_BEHIND_SPREAD,
                _ => 1.0,
            };
        let chance = self.uniform();
        common
            + match self.noise {
                Noise::Spiky if chance < 0.05 => (1.5 + 1.5 * self.uniform()).ln(),
                Noise::Bimodal if chance < 0.2 => 1.5_f64.ln(),
                Noise::Bursty => {
                    if self.burst == 0 && chance < 0.02 {
                        self.burst = 1 + (10.0 * self.uniform()) as u64;
                    }
                    self.burst = self.burst.saturating_sub(1);
                    if self.burst > 0 { 1.4_f64.ln() } else { 0.0 }
                }
                Noise::Drifting => {
                    0.3 * (self.samples as f64 / 60.0).sin() + self.samples as f64 * 5e-4
                }
                Noise::UnequalTails if first_arm => 4.0 * SPREAD * self.normal(),
                Noise::OneSidedBursts if first_arm && chance < 0.2 => 1.6_f64.ln(),

                Noise::LaterRunsFaster => -0.01 * position as f64,
                Noise::LayoutOfProcess => self.luck(arm, block),
                Noise::LeftBehind if self.previous == 4 => LEFT_BEHIND.ln(),
                _ => 0.0,
            }
    }

    fn luck(&mut self, arm: usize, block: u64) -> f64 {
        if !self.pooled || block.is_multiple_of(ITERATIONS) {
            self.luck[arm] = 0.06 * self.normal();
        }
        self.luck[arm]
    }
}

impl Bench for Simulated {
    type Sample = Sample;

    fn now(&mut self) -> Duration {
        Duration::from_millis(60 * self.samples)
    }

    fn sample(&mut self, arm: usize, block: u64, position: u64) -> Taken {
        self.samples += 1;
        let disturbance = self.stretches[arm] * self.disturbance(arm, block, position);
        self.previous = arm;
        let total = 5e7 * (self.effects[arm] + disturbance).exp();
        Taken::Sample(Sample {
            block,
            position,
            operations: 1,
            total_ns: total as u64,
            ..Sample::default()
        })
    }

    fn begin_block(&mut self) {}

    fn end_block(&mut self, block: u64) -> Block {
        Block { block, ..Block::default() }
    }
}
