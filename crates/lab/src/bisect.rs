//! Bisection of crossovers. Between two points of a sweep at which an arm is certainly faster and
//! certainly slower, the point half way is measured and replaces one of them, until the two are
//! close or the arm is certainly neither.

use std::time::Duration;

use results::{ArmSample, Comparison, Crossover, PassCrossover, Step, Stopped};

use crate::design::arrangement;
use crate::design::error::BenchError;
use crate::design::machine_limits::MachineLimits;
use crate::design::schedule::Schedule;
use crate::design::{Contrast, Design, Point, Role};
use crate::event::BenchEvent;
use crate::judge::Judged;
use crate::judge::comparison::comparisons;
use crate::judge::crossover::{passes_one, side};
use crate::measure::measure;
use crate::question::arm::ArmSpec;
use crate::question::experiment::Subject;
use crate::question::request::BenchRequest;
use crate::run::children::Surroundings;

/// Bounds that differ by less than this factor are close enough.
const CLOSE: f64 = 1.1;
/// A step gets at most this fraction of the remaining time, so that others can follow.
const PART: f64 = 0.5;

/// Narrows down the crossovers in `judged` in the remaining time, if the experiment of `request`
/// has `bisect`.
///
/// # Errors
/// If the program cannot start itself.
pub(crate) fn narrow(
    judged: Judged,
    request: &BenchRequest,
    design: &Design,
    limits: &MachineLimits,
    surroundings: &Surroundings,
    watch: &mut impl FnMut(BenchEvent),
) -> Result<Judged, BenchError> {
    let (true, Subject::Arms { baseline, arms, .. }) =
        (request.experiment.bisect, &request.experiment.subject)
    else {
        return Ok(judged);
    };
    let specs = request.others(baseline, arms);
    let bisection = Bisection { design, limits, specs: &specs, surroundings, cap: request.cap() };
    let Judged { comparisons, mut crossovers, mut pass_crossovers, .. } = judged;
    let mut left = crossovers.len() + pass_crossovers.len();
    for crossover in &mut crossovers {
        bisection.sizes(crossover, &comparisons, left, watch)?;
        left -= 1;
    }
    for crossover in &mut pass_crossovers {
        bisection.passes(crossover, left, watch)?;
        left -= 1;
    }
    Ok(Judged { comparisons, crossovers, pass_crossovers, ..judged })
}

struct Bisection<'a> {
    design: &'a Design,
    limits: &'a MachineLimits,
    specs: &'a [ArmSpec],
    surroundings: &'a Surroundings,
    cap: Option<Duration>,
}

/// The range in which a crossover lies.
struct Range<'a> {
    arm: &'a str,
    baseline: &'a str,
    faster_above: bool,
    low: u64,
    high: u64,
}

impl Bisection<'_> {
    fn sizes(
        &self,
        crossover: &mut Crossover,
        sweep: &[Comparison],
        left: usize,
        watch: &mut impl FnMut(BenchEvent),
    ) -> Result<(), BenchError> {
        let threads = crossover.threads.unwrap_or(self.design.points[0].threads);
        let passes = crossover.passes.and_then(|passes| u32::try_from(passes).ok());
        let mut range = Range {
            arm: &crossover.arm,
            baseline: &crossover.baseline,
            faster_above: crossover.faster_above,
            low: crossover.low_bytes,
            high: crossover.high_bytes,
        };
        let at = |size_bytes| Some(Point { size_bytes, threads, passes });
        crossover.steps = self.walk(&mut range, self.limits.page_bytes, at, left, watch)?;
        (crossover.low_bytes, crossover.high_bytes) = (range.low, range.high);
        let of = |c: &&Comparison| {
            c.arm == crossover.arm && c.threads == crossover.threads && c.passes == crossover.passes
        };
        let all =
            sweep.iter().filter(of).chain(crossover.steps.iter().map(|step| &step.comparison));
        let mut near: Vec<&Comparison> = all
            .filter(|c| (crossover.low_bytes..=crossover.high_bytes).contains(&c.size_bytes))
            .collect();
        near.sort_by_key(|c| c.size_bytes);
        if near.len() > 1 {
            crossover.size_bytes = passes_one(&near);
        }
        Ok(())
    }

    fn passes(
        &self,
        crossover: &mut PassCrossover,
        left: usize,
        watch: &mut impl FnMut(BenchEvent),
    ) -> Result<(), BenchError> {
        let threads = crossover.threads.unwrap_or(self.design.points[0].threads);
        let size_bytes = crossover.size_bytes;
        let mut range = Range {
            arm: &crossover.arm,
            baseline: &crossover.baseline,
            faster_above: crossover.faster_above,
            low: crossover.low_passes,
            high: crossover.high_passes,
        };
        let at =
            |passes| Some(Point { size_bytes, threads, passes: Some(u32::try_from(passes).ok()?) });
        crossover.steps = self.walk(&mut range, 1, at, left, watch)?;
        (crossover.low_passes, crossover.high_passes) = (range.low, range.high);
        Ok(())
    }

    /// Halves `range`, in whole `unit`s, while there is time and the arm is certainly faster or
    /// slower.
    fn walk(
        &self,
        range: &mut Range,
        unit: u64,
        at: impl Fn(u64) -> Option<Point>,
        left: usize,
        watch: &mut impl FnMut(BenchEvent),
    ) -> Result<Vec<Step>, BenchError> {
        let until = self.until(left);
        let mut steps = Vec::new();
        while let Some(middle) = half_way(range.low, range.high, unit) {
            let Some(point) = at(middle) else { break };
            let Some(step) = self.step((range.arm, range.baseline), point, until, watch)? else {
                break;
            };
            let faster = side(step.comparison.low, step.comparison.high);
            steps.push(step);
            match faster {
                Some(faster) if faster == range.faster_above => range.high = middle,
                Some(_) => range.low = middle,
                None => break,
            }
        }
        Ok(steps)
    }

    /// The deadline of the next of `left` bisections.
    fn until(&self, left: usize) -> Option<Duration> {
        let (cap, now) = (self.cap?, self.surroundings.started.elapsed());
        Some(now + cap.saturating_sub(now).div_f64(left.max(1) as f64))
    }

    /// Measures two arms, given by name, at `point`; `None` if there is no time for it, or no
    /// result.
    fn step(
        &self,
        pair: (&str, &str),
        point: Point,
        until: Option<Duration>,
        watch: &mut impl FnMut(BenchEvent),
    ) -> Result<Option<Step>, BenchError> {
        let now = self.surroundings.started.elapsed();
        let cap = until.map(|until| now + until.saturating_sub(now).mul_f64(PART));
        if cap.is_some_and(|cap| cap <= now) || self.surroundings.interrupt.received().is_some() {
            return Ok(None);
        }
        let Some(design) = self.design_of(pair, point, cap) else { return Ok(None) };
        watch(BenchEvent::Bisecting(design.label(1)));
        let (run, _) = measure(&design, self.surroundings.clone(), |_| {})?;
        if run.stopped == Some(Stopped::Interrupted) {
            return Ok(None);
        }
        let Some(comparison) =
            comparisons(&design, &run).pop().filter(|comparison| comparison.low.is_some())
        else {
            return Ok(None);
        };
        let name = |arm: usize| design.arms[arm].name.clone();
        let samples = run.samples.iter().enumerate();
        let samples = samples
            .flat_map(|(arm, samples)| samples.iter().map(move |sample| (arm, sample.clone())))
            .map(|(arm, sample)| ArmSample { arm: name(arm), sample });
        Ok(Some(Step { comparison, samples: samples.collect() }))
    }

    /// The design of an arm and its counterpart at `point` alone. It records what the run sweeps
    /// over, so that samples and comparisons name their point.
    fn design_of(
        &self,
        (arm, other): (&str, &str),
        point: Point,
        cap: Option<Duration>,
    ) -> Option<Design> {
        let Subject::Arms { baseline, defaults, .. } = &self.design.experiment.subject else {
            return None;
        };
        let named = |name: &str| self.specs.iter().chain([baseline]).find(|spec| spec.name == name);
        // With only two arms, the counterpart is the baseline.
        let spec = ArmSpec { against: None, ..named(arm)?.clone() };
        let plan = arrangement::arms(self.limits, named(other)?, &[spec], *defaults, &[point]);
        let arms: Vec<_> = plan.arms.into_iter().filter(|arm| arm.role != Role::Placebo).collect();
        let schedule = match (self.design.blocks, cap) {
            (Some(blocks), cap) => Schedule::fixed(usize::try_from(blocks).ok()?, cap),
            (None, Some(cap)) => Schedule::sequential(cap),
            (None, None) => return None,
        };
        (arms.len() == 2).then(|| Design {
            points: vec![point],
            arms,
            contrasts: vec![Contrast::pair(1, 0)],
            placebo: Contrast::default(),
            schedule,
            seed: self.design.seed ^ point.size_bytes ^ u64::from(point.passes.unwrap_or(0)),
            swept: Some(self.design.sweeps()),
            ..self.design.clone()
        })
    }
}

/// Half way between two bounds on a logarithmic scale, in whole units; `None` if they are close.
fn half_way(low: u64, high: u64, unit: u64) -> Option<u64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between two whole numbers"
    )]
    let middle = (low as f64 * high as f64).sqrt().round() as u64;
    // Sizes below a page are not rounded.
    let middle = if middle > unit { middle.div_ceil(unit) * unit } else { middle };
    (low < middle && middle < high && high as f64 > low as f64 * CLOSE).then_some(middle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_way_is_a_whole_number_of_units_between() {
        assert_eq!(half_way(4096, 65_536, 4096), Some(16_384));
        assert_eq!(half_way(4096, 8192, 4096), None, "no page between them");
        assert_eq!(half_way(100, 400, 4096), Some(200));
        assert_eq!(half_way(1 << 20, (1 << 20) + 65_536, 4096), None, "close");
        assert_eq!(
            [half_way(1, 2, 1), half_way(1, 4, 1), half_way(8, 32, 1)],
            [None, Some(2), Some(16)]
        );
    }
}
