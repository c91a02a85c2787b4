//! A simulated machine, for the tests of verdicts and races.

use std::time::Duration;

use lab::run::{Bench, Taken};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use results::Block;
use results::compare::ProgramSample;

use crate::arm::PreparedArm;

/// The noise of a run's figures.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Noise {
    /// Log-normal, with this spread.
    Normal(f64),
    /// In two states, one of them this much slower, in a third of the runs.
    Bimodal(f64),
    /// Normal, and every tenth run is up to twice as long.
    Bursty,
    /// Slower and slower over the run.
    Drifting,
    /// Normal, and measured by a clock so coarse that many runs take the same time.
    Ties,
}

/// The kinds of noise of every machine.
pub(crate) const NOISES: [Noise; 6] = [
    Noise::Normal(0.01),
    Noise::Normal(0.05),
    Noise::Normal(0.2),
    Noise::Bimodal(1.3),
    Noise::Bursty,
    Noise::Drifting,
];

/// A machine on which each arm takes 1 in all metrics, times its `effect`.
pub(crate) struct Simulated {
    random: Xoshiro256PlusPlus,
    noise: Noise,
    effects: Vec<f64>,
    samples: u64,
}

impl Simulated {
    pub(crate) fn new(noise: Noise, effects: &[f64], seed: u64) -> Self {
        let random = Xoshiro256PlusPlus::seed_from_u64(seed);
        Simulated { random, noise, effects: effects.to_vec(), samples: 0 }
    }

    fn uniform(&mut self) -> f64 {
        (self.random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    fn factor(&mut self) -> f64 {
        match self.noise {
            Noise::Normal(spread) => (spread * self.normal()).exp(),
            Noise::Bimodal(slower) => {
                let slow = self.uniform() < 1.0 / 3.0;
                (0.01 * self.normal()).exp() * if slow { slower } else { 1.0 }
            }
            Noise::Bursty => {
                let burst = if self.uniform() < 0.1 { 1.0 + self.uniform() } else { 1.0 };
                (0.01 * self.normal()).exp() * burst
            }
            Noise::Drifting => {
                let drift = 1.0 + 0.0005 * self.samples as f64;
                (0.01 * self.normal()).exp() * drift
            }
            Noise::Ties => (0.05 * self.normal()).exp(),
        }
    }

    /// A figure as its clock shows it.
    fn shown(&self, figure: f64, scale: f64) -> u64 {
        let tick = if matches!(self.noise, Noise::Ties) { scale / 20.0 } else { 1.0 };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive and far below the largest"
        )]
        let shown = ((figure / tick).round() * tick) as u64;
        shown
    }
}

impl Bench for Simulated {
    type Sample = ProgramSample;

    fn now(&mut self) -> Duration {
        Duration::from_millis(self.samples)
    }

    fn sample(&mut self, arm: usize, block: u64, position: u64) -> Taken<ProgramSample> {
        self.samples += 1;
        // The placebo comes after the last arm and is the baseline.
        let effect = self.effects.get(arm).copied().unwrap_or(1.0);
        let mut figure = |scale: f64| {
            let figure = scale * effect * self.factor();
            self.shown(figure, scale)
        };
        Taken::Sample(ProgramSample {
            block,
            position,
            wall_ns: figure(1e9),
            user_ns: figure(8e8),
            sys_ns: figure(1e8),
            max_rss_bytes: figure(1e9),
            minor_faults: figure(1e6),
            ..ProgramSample::default()
        })
    }

    fn begin_block(&mut self) {}

    fn end_block(&mut self, block: u64) -> Block {
        Block { block, elapsed_ns: 1, ..Block::default() }
    }
}

/// The arm with this number.
pub(crate) fn arm(number: usize) -> PreparedArm {
    PreparedArm {
        name: number.to_string(),
        command: Vec::new(),
        variables: Vec::new(),
        allocator: None,
        tunables: Vec::new(),
        huge_pages_off: false,
    }
}
