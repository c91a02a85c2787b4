//! Turns an experiment into the arms, points and contrasts of a design.

use results::{Factor, Refused};
use sample::source::Source;

use crate::design::impossible::impossible;
use crate::design::machine_limits::MachineLimits;
use crate::design::work::Work;
use crate::design::{ArmPlan, Contrast, Point, Role};
use crate::question::arm::{ArmSpec, PLACEBO};
use crate::question::defaults::Defaults;
use crate::question::preload::Environment;
use crate::question::quantity::bytes_text;

/// The arms, points and contrasts of an experiment.
#[derive(Debug, Clone, Default)]
pub struct Arrangement {
    /// Sizes and numbers of threads.
    pub points: Vec<Point>,
    /// Arms, point by point.
    pub arms: Vec<ArmPlan>,
    /// The contrasts to decide.
    pub contrasts: Vec<Contrast>,
    /// The placebos against their baselines.
    pub placebo: Contrast,
    /// The factors that are crossed.
    pub factors: Vec<Factor>,
    /// The arms that are not available here, with the reasons.
    pub refused: Vec<Refused>,
}

/// Every arm at every point, each compared with the baseline of its point or with the arm that it
/// names.
#[must_use]
pub fn arms(
    limits: &MachineLimits,
    baseline: &ArmSpec,
    others: &[ArmSpec],
    defaults: Defaults,
    points: &[Point],
) -> Arrangement {
    let mut arrangement = Arrangement { points: points.to_vec(), ..Arrangement::default() };
    let base = baseline.source.unwrap_or(Source::Mmap);
    let mut missing: Vec<(String, Point, String)> = Vec::new();
    for (index, &point) in points.iter().enumerate() {
        let mut add = |name: &str, role: Role, work: Work| {
            arrangement.arms.push(ArmPlan { name: name.to_owned(), role, point: index, work });
            arrangement.arms.len() - 1
        };
        let work = |spec: &ArmSpec| limits.work_of(spec, base, point, defaults);
        let first = add(&baseline.name, Role::Baseline, work(baseline));
        let why_not = |spec: &ArmSpec| {
            let work = work(spec);
            incomparable(work.source, base).or_else(|| impossible(&work, limits))
        };
        let mut compared = Vec::new();
        for spec in others {
            match why_not(spec).or_else(|| missed(spec, others, why_not)) {
                Some(reason) => missing.push((spec.name.clone(), point, reason)),
                None => compared.push((spec, add(&spec.name, Role::Compared, work(spec)))),
            }
        }
        let placebo = add(PLACEBO, Role::Placebo, work(baseline));
        arrangement.placebo.plus.push(placebo);
        arrangement.placebo.minus.push(first);
        for (spec, arm) in compared {
            let named = |name: &String| {
                arrangement
                    .arms
                    .iter()
                    .position(|other| other.point == index && other.name == *name)
            };
            let other = spec.against.as_ref().and_then(named);
            let other = other.or_else(|| without_allocator(&arrangement.arms, arm, index));
            arrangement.contrasts.push(Contrast::pair(arm, other.unwrap_or(first)));
        }
    }
    arrangement.refused = refusals(&missing, points.len());
    arrangement
}

/// Why the arm that `spec` is compared with is not available here.
fn missed(
    spec: &ArmSpec,
    others: &[ArmSpec],
    why_not: impl Fn(&ArmSpec) -> Option<String>,
) -> Option<String> {
    let chain = spec.chain(|name| others.iter().find(|other| other.name == name));
    chain.take(others.len()).find_map(|other| {
        Some(format!(
            "it is compared with {}, which is not available: {}",
            other.name,
            why_not(other)?
        ))
    })
}

/// For an arm with an allocator: the arm of the same point that does the same without one.
fn without_allocator(arms: &[ArmPlan], arm: usize, point: usize) -> Option<usize> {
    let work = &arms[arm].work;
    work.environment.allocator.as_ref()?;
    let plain = Environment { allocator: None, ..work.environment.clone() };
    let same = Work { environment: plain, ..work.clone() };
    arms.iter()
        .position(|other| other.point == point && other.role != Role::Placebo && other.work == same)
}

/// Pairs of malloc and free cannot be compared with blocks of memory.
fn incomparable(source: Source, base: Source) -> Option<String> {
    let counts = |source: Source| {
        let what =
            if source.counts_pairs() { "pairs of malloc and free" } else { "blocks of memory" };
        format!("{} counts {what}", source.name())
    };
    (source.counts_pairs() != base.counts_pairs()).then(|| {
        format!("{}, but the baseline {}: they cannot be compared", counts(source), counts(base))
    })
}

/// One refusal for each arm and reason. If an arm is impossible only at some points, its refusal
/// names them.
fn refusals(missing: &[(String, Point, String)], points: usize) -> Vec<Refused> {
    let mut groups: Vec<(&str, &str, Vec<u64>)> = Vec::new();
    for (name, point, reason) in missing {
        match groups.iter_mut().find(|(other, because, _)| other == name && because == reason) {
            Some((_, _, sizes)) => sizes.push(point.size_bytes),
            None => groups.push((name, reason, vec![point.size_bytes])),
        }
    }
    let refusal = |(name, reason, mut sizes): (&str, &str, Vec<u64>)| {
        let everywhere = sizes.len() == points;
        sizes.sort_unstable();
        sizes.dedup();
        let sizes: Vec<String> = sizes.into_iter().map(bytes_text).collect();
        let arm =
            if everywhere { name.to_owned() } else { format!("{name} at {}", sizes.join(", ")) };
        Refused { arm, reason: reason.to_owned(), failed: false, samples: Vec::new() }
    };
    groups.into_iter().map(refusal).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design::machine_limits::tests::limits;
    use crate::question::memory::MemoryState;

    fn spec(name: &str) -> ArmSpec {
        ArmSpec::named(name).unwrap()
    }

    #[test]
    fn every_point_has_a_baseline_and_a_placebo() {
        let point = |size_bytes, threads| Point::new(size_bytes, threads);
        let points = [point(65_536, 1), point(4 << 20, 1), point(4 << 20, 3)];
        let others = [spec("malloc"), spec("mmap+hugepage")];
        let plan =
            arms(&limits(MemoryState::Warm), &spec("mmap"), &others, Defaults::of_fill(1), &points);
        let names: Vec<(&str, usize)> =
            plan.arms.iter().map(|arm| (arm.name.as_str(), arm.point)).collect();
        assert_eq!(names[..3], [("mmap", 0), ("malloc", 0), ("placebo", 0)]);
        assert_eq!(names[3..7], [("mmap", 1), ("malloc", 1), ("mmap+hugepage", 1), ("placebo", 1)]);
        assert_eq!(plan.contrasts.len(), 5, "M counts every point");
        assert_eq!((plan.placebo.plus, plan.placebo.minus), (vec![2, 6, 10], vec![0, 3, 7]));
        assert_eq!(plan.refused.len(), 1);
        assert_eq!(plan.refused[0].arm, "mmap+hugepage at 64KiB");
        assert_eq!(plan.arms[7].work.operations, 9, "three threads cannot share 8 blocks evenly");
    }

    #[test]
    fn an_injected_arm_does_more_of_the_same() {
        let point = Point::new(1 << 20, 1);
        let plan = arms(
            &limits(MemoryState::Warm),
            &spec("malloc"),
            &[spec("injected:+5%")],
            Defaults::of_fill(1),
            &[point],
        );
        let work = &plan.arms[1].work;
        assert_eq!((work.source, work.operations), (Source::Malloc, 32));
        assert_eq!(work.extra_bytes, 410 * 4096, "5 % of 8,192 pages");
        assert_eq!(plan.arms[0].work.extra_bytes, 0);
    }

    #[test]
    fn an_arm_is_compared_with_the_arm_that_it_names() {
        let against =
            |name: &str, other: &str| ArmSpec { against: Some(other.to_owned()), ..spec(name) };
        let point = Point::new(64 << 10, 1);
        let plan = |others: &[ArmSpec]| {
            arms(&limits(MemoryState::Warm), &spec("mmap"), others, Defaults::of_fill(1), &[point])
        };
        let both = plan(&[against("calloc", "malloc"), spec("malloc")]);
        assert_eq!(both.contrasts, [Contrast::pair(1, 2), Contrast::pair(2, 0)]);
        let refused = plan(&[against("calloc", "mmap+hugepage"), spec("mmap+hugepage")]).refused;
        assert_eq!(refused.len(), 2);
        assert!(
            refused[0]
                .reason
                .starts_with("it is compared with mmap+hugepage, which is not available: "),
            "{refused:?}"
        );
        assert_eq!(plan(&[against("calloc", "mmap")]).contrasts, [Contrast::pair(1, 0)]);
    }
}
