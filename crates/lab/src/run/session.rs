//! The session: runs block after block, until every comparison is decided or the time is up.

use std::time::Duration;

use results::Stopped;
use stats::{Estimate, Look};

use crate::design::Contrast;
use crate::design::schedule::ALPHA;
use crate::design::trial::Trial;
use crate::run::disturbance::{may_drop, outside_cause};
use crate::run::ratios::{log_ratios, lost};
use crate::run::{Bench, DroppedBlock, Judge, Progress, Removal, Run, Taken};

/// The number of blocks after which the time of a block is known well enough to choose the last
/// look.
const PILOT_BLOCKS: usize = 2;

/// Runs `trial`. `order` returns the sequence of arms for the next block that counts. After a
/// dropped block it is called again with the same number, so that positions stay balanced.
pub fn run<T: Trial<Sample: Default + Clone>>(
    trial: &T,
    mut order: impl FnMut(usize) -> Vec<usize>,
    judge: &mut impl Judge,
    bench: &mut impl Bench<Sample = T::Sample>,
    mut watch: impl FnMut(&Progress),
) -> Run<T::Sample> {
    let mut session = Session::new(trial, bench.now());
    loop {
        let now = bench.now();
        if session.out_of_time(now) {
            session.run.stopped = Some(Stopped::TimeCap);
            break;
        }
        let order = order(session.kept);
        if let Some(stopped) = session.block(&order, bench, &mut watch) {
            session.run.stopped = Some(stopped);
            break;
        }
        if session.look_if_due(judge, bench.now()) {
            break;
        }
    }
    if session.run.stopped.is_some() {
        session.return_blocks();
    }
    session.last_look(judge);
    session.run
}

struct Session<'a, T: Trial> {
    trial: &'a T,
    run: Run<T::Sample>,
    /// Blocks that count.
    kept: usize,
    started: Duration,
    last: Option<Look>,
}

impl<'a, T: Trial<Sample: Default + Clone>> Session<'a, T> {
    fn new(trial: &'a T, started: Duration) -> Self {
        let arms = trial.arms();
        let run = Run {
            samples: vec![Vec::new(); arms],
            removals: vec![None; arms],
            estimates: vec![None; trial.contrasts().len()],
            ..Run::default()
        };
        Session { trial, run, kept: 0, started, last: None }
    }

    /// Whether another block would exceed the cap. The first block is always run, since a result
    /// without an interval is better than none. If it was dropped, it is restored at the end.
    fn out_of_time(&self, now: Duration) -> bool {
        !self.run.blocks.is_empty()
            && self.trial.schedule().cap.is_some_and(|cap| now + self.run.block_time > cap)
    }

    /// Runs one block. Returns the reason to stop, if there is one.
    fn block(
        &mut self,
        order: &[usize],
        bench: &mut impl Bench<Sample = T::Sample>,
        watch: &mut impl FnMut(&Progress),
    ) -> Option<Stopped> {
        let number = self.run.blocks.len() as u64;
        let mut taken: Vec<(usize, T::Sample)> = Vec::with_capacity(order.len());
        let mut stopped = None;
        bench.begin_block();
        for &arm in order {
            if self.run.removals[arm].is_some() || self.lost(self.trial.point_of(arm)) {
                continue;
            }
            watch(&self.progress(bench.now()));
            match bench.sample(arm, number, taken.len() as u64) {
                Taken::Sample(sample) => taken.push((arm, sample)),
                Taken::Unproved(sample, reason) => {
                    self.remove(arm, Removal { reason, failed: false });
                    self.run.samples[arm].push(sample);
                }
                Taken::Failed(reason) => self.remove(arm, Removal { reason, failed: true }),
                Taken::Interrupted => stopped = Some(Stopped::Interrupted),
            }
            if self.all_lost() {
                stopped = Some(Stopped::BaselineFailed);
            }
            if stopped.is_some() {
                break;
            }
        }
        let block = bench.end_block(number);
        let cause = match stopped {
            Some(Stopped::Interrupted) => Some("interrupted before it was complete".to_owned()),
            Some(_) => Some("the baseline failed".to_owned()),
            None => outside_cause(&block).filter(|_| may_drop(self.run.dropped.len(), self.goal())),
        };
        self.run.blocks.push(block);
        self.file(number, taken, cause, stopped.is_none());
        self.run.block_time = bench.now().saturating_sub(self.started)
            / u32::try_from(self.run.blocks.len()).unwrap_or(u32::MAX);
        stopped
    }

    /// Files the samples of a block as kept or dropped.
    fn file(
        &mut self,
        block: u64,
        taken: Vec<(usize, T::Sample)>,
        cause: Option<String>,
        complete: bool,
    ) {
        if let Some(reason) = cause {
            self.run.dropped.push(DroppedBlock { block, reason, complete, samples: taken });
            return;
        }
        for (arm, sample) in taken {
            self.run.samples[arm].push(sample);
        }
        self.kept += 1;
    }

    /// Restores dropped blocks after a run that ended early, in the order in which they were run,
    /// until at most a fifth of its blocks is dropped.
    fn return_blocks(&mut self) {
        while let Some(index) = self.next_to_return() {
            let returned = self.run.dropped.remove(index);
            for (arm, sample) in returned.samples {
                self.run.samples[arm].push(sample);
                self.run.samples[arm].sort_by_key(T::block_of);
            }
            self.kept += 1;
        }
    }

    /// The next dropped block to restore. Incomplete blocks never count.
    fn next_to_return(&self) -> Option<usize> {
        let complete = |dropped: &DroppedBlock<T::Sample>| dropped.complete;
        let disturbed = self.run.dropped.iter().filter(|dropped| complete(dropped)).count();
        (disturbed * 4 > self.kept).then(|| self.run.dropped.iter().position(complete)).flatten()
    }

    fn remove(&mut self, arm: usize, removal: Removal) {
        self.run.removals[arm] = Some(removal);
    }

    fn lost(&self, point: usize) -> bool {
        lost(self.trial, &self.run, point)
    }

    fn all_lost(&self) -> bool {
        (0..self.trial.points()).all(|point| self.lost(point))
    }

    /// The number of blocks at the next look.
    fn goal(&self) -> usize {
        let next = self.trial.schedule().looks.iter().find(|look| look.blocks > self.kept);
        next.map_or(self.kept, |look| look.blocks)
    }

    /// Chooses the last look that there is time for: after the pilot, and again at each look, when
    /// the time of a block is known better.
    fn choose_last_look(&mut self, now: Duration) {
        self.last = self.trial.schedule().last_that_fits(self.kept, now, self.run.block_time);
    }

    /// Takes a look if one is due. Returns whether the run is over: all is decided, or it was the
    /// last look.
    fn look_if_due(&mut self, judge: &mut impl Judge, now: Duration) -> bool {
        let due = self.trial.schedule().looks.iter().find(|look| look.blocks == self.kept).copied();
        if due.is_some() || self.kept == PILOT_BLOCKS {
            self.choose_last_look(now);
        }
        let Some(look) = due else { return false };
        if self.run.looks.last().is_some_and(|done| done.blocks == look.blocks) {
            return false; // taken already; a dropped block followed
        }
        self.look(look, judge);
        let undecided = |estimate: &Estimate| estimate.verdict == stats::Verdict::Inconclusive;
        let decided = !self.run.estimates.iter().flatten().any(undecided)
            && look.blocks >= self.trial.least_blocks();
        let is_last =
            self.trial.schedule().looks.last().is_some_and(|last| last.blocks <= look.blocks);
        // With many comparisons the first looks have no intervals. Then the run goes on for one
        // look at the end of its time.
        let says_something =
            self.run.estimates.iter().flatten().any(|estimate| estimate.interval.is_some());
        let is_last_that_fits = self.last.is_none_or(|last| last.blocks <= look.blocks);
        decided || is_last || (is_last_that_fits && says_something)
    }

    /// After a run that ended early: one look at its blocks, with the remaining error probability.
    fn last_look(&mut self, judge: &mut impl Judge) {
        let seen = self.run.looks.last().map_or(0, |look| look.blocks);
        if self.kept > seen {
            self.look(Look { blocks: self.kept, alpha: ALPHA }, judge);
        }
    }

    fn look(&mut self, look: Look, judge: &mut impl Judge) {
        let whole = |contrast: &Contrast| {
            contrast
                .arms()
                .all(|arm| self.run.removals[arm].is_none() && !self.lost(self.trial.point_of(arm)))
        };
        let live: Vec<usize> = (0..self.trial.contrasts().len())
            .filter(|&index| whole(&self.trial.contrasts()[index]))
            .collect();
        let ratios: Vec<Vec<f64>> = live
            .iter()
            .map(|&index| log_ratios(self.trial, &self.run.samples, &self.trial.contrasts()[index]))
            .collect();
        self.run.estimates.fill(None);
        for (&index, estimate) in live.iter().zip(judge.look(look, &ratios)) {
            self.run.estimates[index] = estimate;
        }
        self.run.looks.push(look);
    }

    fn progress(&self, now: Duration) -> Progress {
        let bounds = self.run.estimates.iter().flatten().filter_map(|e| e.interval);
        let widest = bounds.max_by(|a, b| (a.high / a.low).total_cmp(&(b.high / b.low)));
        Progress {
            kept: self.kept,
            last: self.last.map(|look| look.blocks),
            now,
            widest: widest.map(|i| (i.low, i.high)),
        }
    }
}
