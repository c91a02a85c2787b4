//! The race: blocks of all candidates that are left. At each look those leave that are certainly
//! worse than another.
//!
//! The bound is that of docs/method.md: the truly best arm leaves with a probability of at most
//! [`lab::design::schedule::ALPHA`] in the whole race.

use std::time::Duration;

use lab::design::Contrast;
use lab::design::randomization::LatinOrders;
use lab::run::disturbance::outside_cause;
use lab::run::ratios::log_ratios;
use lab::run::{Bench, Taken};
use results::compare::{ProgramSample, RaceEnd};
use stats::{Interval, Look, Spending, median, sign_interval, sorted};

use crate::design::ProgramDesign;

/// The looks of a race. Most of the error allowance is for the early ones: an arm that leaves early
/// leaves its time to the others. `alpha` is the cumulative probability that the best arm has left.
pub(super) const LOOKS: [Look; 10] = [
    Look { blocks: 6, alpha: 0.02 },
    Look { blocks: 8, alpha: 0.02 },
    Look { blocks: 10, alpha: 0.03 },
    Look { blocks: 12, alpha: 0.03 },
    Look { blocks: 16, alpha: 0.035 },
    Look { blocks: 24, alpha: 0.04 },
    Look { blocks: 32, alpha: 0.042_5 },
    Look { blocks: 48, alpha: 0.045 },
    Look { blocks: 64, alpha: 0.047_5 },
    Look { blocks: 96, alpha: 0.05 },
];

/// One block in five at most is dropped.
const KEPT_FOR_EACH_DROPPED: usize = 4;

/// What is fixed before the race.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// A difference below this share does not matter.
    pub(crate) margin: f64,
    /// The seed of the orders.
    pub(crate) seed: u64,
    /// When it ends, by the clock of the bench.
    pub(crate) until: Duration,
}

/// An arm that left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Left {
    /// After so many blocks that count.
    pub(crate) after: usize,
    pub(crate) reason: String,
    /// Whether a run failed.
    pub(crate) failed: bool,
}

/// A race that is over.
#[derive(Debug, Clone, Default)]
pub(crate) struct Raced {
    /// By arm: its runs in the blocks that count, from the first on.
    pub(crate) samples: Vec<Vec<ProgramSample>>,
    /// By arm: whether it left.
    pub(crate) left: Vec<Option<Left>>,
    /// Blocks that count.
    pub(crate) blocks: usize,
    /// Blocks that do not.
    pub(crate) dropped: usize,
    pub(crate) ended: RaceEnd,
}

impl Raced {
    /// The candidate with the smallest median ratio to the baseline, of those that are left, or of
    /// all if none is. `None`: every candidate failed, or there was no block.
    pub(crate) fn winner(&self, design: &ProgramDesign) -> Option<usize> {
        let best = |is_eligible: &dyn Fn(usize) -> bool| {
            (1..self.samples.len())
                .filter(|&arm| is_eligible(arm))
                .filter_map(|arm| Some((arm, self.log_ratio(design, arm)?)))
                .min_by(|(_, one), (_, other)| one.total_cmp(other))
                .map(|(arm, _)| arm)
        };
        let has_failed = |arm: usize| self.left[arm].as_ref().is_some_and(|left| left.failed);
        best(&|arm| self.left[arm].is_none()).or_else(|| best(&|arm| !has_failed(arm)))
    }

    /// The median of the logarithm of an arm's ratio to the baseline, by the first metric.
    pub(crate) fn log_ratio(&self, design: &ProgramDesign, arm: usize) -> Option<f64> {
        median(&log_ratios(design, &self.samples, &Contrast::pair(arm, 0)))
    }
}

/// The progress of a race.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Candidates that are left.
    pub(crate) left: usize,
    /// Blocks that count.
    pub(crate) blocks: usize,
}

/// The ranks of the intervals, look by look, for `arms` arms, the baseline included.
///
/// An arm leaves by the lower bound of its ratio to another. For the best arm each such bound is
/// wrong on one side only, so each look may spend twice its allowance on two-sided intervals. There
/// are as many pairs with the best arm as there are other arms.
pub(crate) fn ranks(arms: usize) -> impl FnMut(Look) -> usize {
    let mut spending = Spending::new(arms - 1);
    move |look| spending.pay(Look { alpha: 2.0 * look.alpha, ..look })
}

/// Races the arms of `design`, the first of which is the baseline and stays. `rank` is that of the
/// intervals at a look ([`ranks`]).
///
/// # Errors
/// Why the baseline failed.
pub(crate) fn race(
    design: &ProgramDesign,
    rules: Rules,
    rank: &mut impl FnMut(Look) -> usize,
    bench: &mut impl Bench<Sample = ProgramSample>,
    mut watch: impl FnMut(Standing),
) -> Result<Raced, String> {
    let mut track = Track::new(design, rules, bench.now());
    let ended = loop {
        if track.is_out_of_time(bench.now()) {
            break RaceEnd::TimeUp;
        }
        watch(Standing { left: track.candidates().count(), blocks: track.raced.blocks });
        let kept = match track.block(bench)? {
            Block::Kept => true,
            Block::Dropped => false,
            Block::Interrupted => break RaceEnd::Interrupted,
        };
        let due = LOOKS.into_iter().find(|look| kept && look.blocks == track.raced.blocks);
        if let Some(look) = due {
            track.look(rank(look));
        }
        match track.candidates().count() {
            0 => break RaceEnd::NoneLeft,
            1 => break RaceEnd::OneLeft,
            _ if track.are_alike => break RaceEnd::Alike,
            _ if track.raced.blocks >= LOOKS[LOOKS.len() - 1].blocks => break RaceEnd::AllBlocks,
            _ => {}
        }
    };
    Ok(Raced { ended, ..track.raced })
}

/// How a block ended.
enum Block {
    Kept,
    Dropped,
    Interrupted,
}

/// A race that goes on.
struct Track<'a> {
    design: &'a ProgramDesign,
    rules: Rules,
    raced: Raced,
    /// The orders of the arms that are left, the blocks that they have been used for, and the arms.
    orders: (LatinOrders, usize, Vec<usize>),
    started: Duration,
    /// Runs so far, and blocks, dropped ones included.
    runs: u32,
    all_blocks: u64,
    /// Whether the candidates that are left are the same within the margin.
    are_alike: bool,
}

impl<'a> Track<'a> {
    fn new(design: &'a ProgramDesign, rules: Rules, started: Duration) -> Self {
        let arms = design.arms.len();
        let raced =
            Raced { samples: vec![Vec::new(); arms], left: vec![None; arms], ..Raced::default() };
        let orders = (LatinOrders::new(arms, rules.seed), 0, (0..arms).collect());
        Track { design, rules, raced, orders, started, runs: 0, all_blocks: 0, are_alike: false }
    }

    /// The candidates that are left.
    fn candidates(&self) -> impl Iterator<Item = usize> + '_ {
        (1..self.raced.left.len()).filter(|&arm| self.raced.left[arm].is_none())
    }

    /// Whether another block would end too late. The first is always run.
    fn is_out_of_time(&self, now: Duration) -> bool {
        let arms = u32::try_from(self.candidates().count() + 1).unwrap_or(u32::MAX);
        self.runs > 0
            && now + now.saturating_sub(self.started) * arms / self.runs > self.rules.until
    }

    /// The order of the next block. Whenever arms have left, a new square begins.
    fn order(&mut self) -> Vec<usize> {
        let running: Vec<usize> = std::iter::once(0).chain(self.candidates()).collect();
        if running != self.orders.2 {
            let seed = self.rules.seed.wrapping_add(self.all_blocks);
            self.orders = (LatinOrders::new(running.len(), seed), 0, running);
        }
        let (orders, used, arms) = &mut self.orders;
        orders.order(*used).iter().map(|&place| arms[place]).collect()
    }

    /// Runs a block.
    fn block(&mut self, bench: &mut impl Bench<Sample = ProgramSample>) -> Result<Block, String> {
        let mut taken: Vec<(usize, ProgramSample)> = Vec::new();
        bench.begin_block();
        for arm in self.order() {
            let (reason, failed) = match bench.sample(arm, self.all_blocks, taken.len() as u64) {
                Taken::Sample(sample) => {
                    taken.push((arm, sample));
                    self.runs += 1;
                    continue;
                }
                Taken::Interrupted => return Ok(Block::Interrupted),
                Taken::Unproved(_, reason) | Taken::Failed(reason) => (reason, true),
            };
            if arm == 0 {
                return Err(reason);
            }
            self.raced.left[arm] = Some(Left { after: self.raced.blocks, reason, failed });
        }
        let activity = bench.end_block(self.all_blocks);
        self.all_blocks += 1;
        let may_drop = (self.raced.dropped + 1) * KEPT_FOR_EACH_DROPPED <= self.raced.blocks;
        if may_drop && outside_cause(&activity).is_some() {
            self.raced.dropped += 1;
            return Ok(Block::Dropped);
        }
        for (arm, sample) in taken {
            self.raced.samples[arm].push(sample);
        }
        self.raced.blocks += 1;
        self.orders.1 += 1;
        Ok(Block::Kept)
    }

    /// The interval of the logarithm of the ratio of two arms, by the first metric.
    fn interval(&self, arm: usize, other: usize, rank: usize) -> Option<Interval> {
        let ratios = log_ratios(self.design, &self.raced.samples, &Contrast::pair(arm, other));
        sign_interval(&sorted(&ratios), rank)
    }

    /// The arms that are certainly worse than another leave, the worst first, so that of some that
    /// beat each other in a circle one stays.
    fn look(&mut self, rank: usize) {
        let mut candidates: Vec<(usize, f64)> = self
            .candidates()
            .map(|arm| (arm, self.raced.log_ratio(self.design, arm).unwrap_or(0.0)))
            .collect();
        candidates.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        for (arm, _) in candidates {
            let mut others: Vec<usize> = std::iter::once(0).chain(self.candidates()).collect();
            others.retain(|&other| other != arm);
            let is_worse = |other: &usize| {
                self.interval(arm, *other, rank).is_some_and(|interval| interval.low > 0.0)
            };
            // The best of those that it is worse than is the most telling.
            let log_ratio = |other: usize| self.raced.log_ratio(self.design, other).unwrap_or(0.0);
            let better = others
                .into_iter()
                .filter(is_worse)
                .min_by(|one, other| log_ratio(*one).total_cmp(&log_ratio(*other)));
            if let Some(better) = better {
                let reason = format!("certainly worse than {}", self.design.name(better));
                let after = self.raced.blocks;
                self.raced.left[arm] = Some(Left { after, reason, failed: false });
            }
        }
        self.are_alike = self.are_alike(rank);
    }

    fn are_alike(&self, rank: usize) -> bool {
        let margin = self.rules.margin.ln_1p();
        let is_within = |interval: Interval| interval.low >= -margin && interval.high <= margin;
        let left: Vec<usize> = self.candidates().collect();
        let pairs = left
            .iter()
            .enumerate()
            .flat_map(|(place, arm)| left[place + 1..].iter().map(move |other| (*arm, *other)));
        let mut pairs = pairs.peekable();
        pairs.peek().is_some()
            && pairs.all(|(arm, other)| self.interval(arm, other, rank).is_some_and(is_within))
    }
}
