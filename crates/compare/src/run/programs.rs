//! The bench of a comparison: a fresh run of the program for each sample.

use std::time::{Duration, Instant};

use lab::run::activity::BlockActivity;
use lab::run::children::PADDING_BYTES_MAX;
use lab::run::{Bench, Taken};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use results::Block;
use results::compare::ProgramSample;
use sys::launch::Capture;

use crate::design::ProgramDesign;
use crate::result::LeftBehind;
use crate::run::once::{Launcher, Ran};
use crate::run::output::differs;

/// Runs the arms of a design, and records the activity of the machine around them.
#[derive(Debug)]
pub(crate) struct Programs<'a> {
    design: &'a ProgramDesign,
    launcher: &'a Launcher<'a>,
    random: Xoshiro256PlusPlus,
    started: Instant,
    activity: Option<BlockActivity>,
    /// Processor time of the runs since the start of the block.
    block_cpu: Duration,
    /// What every arm must print, if that is compared.
    expected: Option<Capture>,
    left: Vec<LeftBehind>,
}

impl<'a> Programs<'a> {
    pub(crate) fn new(
        design: &'a ProgramDesign,
        launcher: &'a Launcher<'a>,
        seed: u64,
        started: Instant,
        expected: Option<Capture>,
    ) -> Self {
        Programs {
            design,
            launcher,
            // A different random stream than that of the orders: the seed with its bits inverted.
            random: Xoshiro256PlusPlus::seed_from_u64(!seed),
            started,
            activity: None,
            block_cpu: Duration::ZERO,
            expected,
            left: Vec::new(),
        }
    }

    pub(crate) fn launcher(&self) -> &'a Launcher<'a> {
        self.launcher
    }

    /// The start of the whole run.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// The processes that were left behind, with those that were left `before`.
    pub(crate) fn into_left(self, mut before: Vec<LeftBehind>) -> Vec<LeftBehind> {
        for left in self.left {
            LeftBehind::add(&mut before, left);
        }
        before
    }

    fn padding(&mut self) -> String {
        let bytes = self.random.next_u64() % PADDING_BYTES_MAX;
        "x".repeat(usize::try_from(bytes).unwrap_or(0))
    }

    fn take(&mut self, arm: usize, ran: Ran, place: (u64, u64)) -> Taken<ProgramSample> {
        self.block_cpu += ran.cpu;
        for orphan in ran.left {
            let arms = vec![self.design.arm(arm).name.clone()];
            let left = LeftBehind { name: orphan.name, arms, count: 1 };
            LeftBehind::add(&mut self.left, left);
        }
        let (block, position) = place;
        let sample = ProgramSample { block, position, ..ran.sample };
        match differs(self.expected.as_ref(), ran.output.as_ref()) {
            Some(how) => Taken::Unproved(sample, format!("{how} (block {block})")),
            None => Taken::Sample(sample),
        }
    }
}

impl Bench for Programs<'_> {
    type Sample = ProgramSample;

    fn now(&mut self) -> Duration {
        self.started.elapsed()
    }

    fn sample(&mut self, arm: usize, block: u64, position: u64) -> Taken<ProgramSample> {
        if self.launcher.interrupt.received().is_some() {
            return Taken::Interrupted;
        }
        let padding = self.padding();
        let ran = loop {
            let before = sys::interrupt::continues();
            let ran = self.launcher.run(self.design.arm(arm), &padding);
            // The time of a run in which this process was stopped (Ctrl-Z) includes the stop.
            if sys::interrupt::continues() == before || self.launcher.interrupt.received().is_some()
            {
                break ran;
            }
        };
        match ran {
            Ok(Some(ran)) => self.take(arm, ran, (block, position)),
            Ok(None) => Taken::Interrupted,
            Err(reason) => Taken::Failed(format!("{reason} (block {block})")),
        }
    }

    fn begin_block(&mut self) {
        self.block_cpu = Duration::ZERO;
        self.activity = Some(BlockActivity::begin());
    }

    fn end_block(&mut self, block: u64) -> Block {
        let Some(activity) = self.activity.take() else { return Block::default() };
        activity.end(block, self.started, self.block_cpu, None)
    }
}
