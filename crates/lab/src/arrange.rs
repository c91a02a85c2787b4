//! From an experiment to the arms, points and contrasts of a design.

use results::{Factor, Refused};
use sys::facts::{PageSize, Pool};

use crate::arm::ArmSpec;
use crate::capacity::{self, HEADROOM_BYTES};
use crate::design::{ArmPlan, Contrast, Earlier, Environment, Memory, PLACEBO, Point, Role, Work, operations_for};
use crate::experiment::{Factors, MemoryLevel, Position};
use crate::handling::{Common, Handling};
use crate::proof::impossible;
use crate::small;
use crate::source::Source;

/// The warm-up touches this many times the memory of a sample (docs/method.md, hygiene).
const WARM_UP: f64 = 1.2;

/// What the machine allows, as far as it decides what an arm does.
#[derive(Debug, Clone)]
pub struct Ground {
    /// Size of a base page.
    pub page_bytes: u64,
    /// The policy for transparent huge pages.
    pub thp: Option<String>,
    /// The policy that sizes of pages may inherit.
    pub thp_common: Option<String>,
    /// Sizes of transparent huge pages, with their own switches.
    pub page_sizes: Vec<PageSize>,
    /// Pools of hugetlb pages.
    pub pools: Vec<Pool>,
    /// What can be touched at once without reclaim.
    pub left_bytes: u64,
    /// The state of free memory to measure in.
    pub memory: Memory,
}

impl Ground {
    /// What a sample of `spec` does at `point`, where it says nothing of its own by `base` and `common`.
    fn work_of(&self, spec: &ArmSpec, base: Source, point: Point, common: Common) -> Work {
        let mut handling = spec.handling.over(common.handling);
        handling.passes = point.passes.unwrap_or(handling.passes);
        let work = Work {
            handling,
            one_mapping: spec.one_mapping,
            environment: spec.environment.clone(),
            ..self.work(spec.source.unwrap_or(base), point, spec.fill.unwrap_or(common.fill))
        };
        Work { extra_bytes: self.extra_bytes(&work, spec.extra), ..work }
    }

    /// What a sample of `source` does at `point`.
    pub(crate) fn work(&self, source: Source, point: Point, fill: u8) -> Work {
        let batch = if source.counts_pairs() {
            small::pairs_for(point.size_bytes)
        } else {
            operations_for(point.size_bytes, self.page_bytes)
        };
        let operations = batch.div_ceil(point.threads) * point.threads;
        let mut work = Work {
            source,
            size_bytes: point.size_bytes,
            operations,
            fill,
            threads: point.threads,
            extra_bytes: 0,
            handling: Handling::default(),
            one_mapping: false,
            environment: Environment::default(),
            before: None,
            memory: self.memory,
            warm_bytes: 0,
        };
        work.warm_bytes = self.warm_bytes(&work);
        work
    }

    /// What a sample needs to touch, page tables and some air for the kernel included.
    #[must_use]
    pub fn needed_bytes(&self, work: &Work) -> u64 {
        if let Source::Small(workload) = work.source {
            // Twice: what an allocator needs beside, and what it keeps for later.
            let live = workload.live_bytes(work.size_bytes, work.threads).saturating_mul(2);
            return capacity::needed_bytes(live, 1, self.page_bytes);
        }
        capacity::needed_bytes(work.size_bytes, work.operations, self.page_bytes).saturating_add(work.extra_bytes)
    }

    fn warm_bytes(&self, work: &Work) -> u64 {
        if self.memory == Memory::Cold {
            return 0;
        }
        let wanted = (self.needed_bytes(work) as f64 - HEADROOM_BYTES as f64) * WARM_UP + HEADROOM_BYTES as f64;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a size, rounded")]
        let wanted = wanted as u64;
        wanted.min(self.left_bytes / 10 * 9)
    }

    /// `share` of the work of `work`, in whole pages, or in whole blocks where those are smaller.
    fn extra_bytes(&self, work: &Work, share: f64) -> u64 {
        let unit = self.page_bytes.min(work.size_bytes);
        let units = (work.size_bytes as f64 / unit as f64 * work.operations as f64 * share).round();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of pages, rounded")]
        let units = units as u64;
        units * unit
    }
}

/// What is run, and what is made of it.
#[derive(Debug, Clone, Default)]
pub struct Arrangement {
    /// Sizes and numbers of threads.
    pub points: Vec<Point>,
    /// Arms, point by point.
    pub arms: Vec<ArmPlan>,
    /// What is to be decided.
    pub contrasts: Vec<Contrast>,
    /// The placebos against their baselines.
    pub placebo: Contrast,
    /// The factors that are crossed.
    pub factors: Vec<Factor>,
    /// Arms that cannot be had, with their reasons.
    pub refused: Vec<Refused>,
}

/// Every arm at every point, each against the baseline of its point.
#[must_use]
pub fn arms(ground: &Ground, baseline: &ArmSpec, others: &[ArmSpec], common: Common, points: &[Point]) -> Arrangement {
    let mut arrangement = Arrangement { points: points.to_vec(), ..Arrangement::default() };
    let base = baseline.source.unwrap_or(Source::Mmap);
    let mut missing: Vec<(String, Point, String)> = Vec::new();
    for (index, &point) in points.iter().enumerate() {
        let mut add = |name: &str, role: Role, work: Work| {
            arrangement.arms.push(ArmPlan { name: name.to_owned(), role, point: index, work });
            arrangement.arms.len() - 1
        };
        let work = |spec: &ArmSpec| ground.work_of(spec, base, point, common);
        let first = add(&baseline.name, Role::Baseline, work(baseline));
        let mut compared = Vec::new();
        for spec in others {
            let work = work(spec);
            match incomparable(work.source, base).or_else(|| impossible(&work, ground)) {
                Some(reason) => missing.push((spec.name.clone(), point, reason)),
                None => compared.push(add(&spec.name, Role::Compared, work)),
            }
        }
        let placebo = add(PLACEBO, Role::Placebo, work(baseline));
        arrangement.placebo.plus.push(placebo);
        arrangement.placebo.minus.push(first);
        for arm in compared {
            let same = without_allocator(&arrangement.arms, arm, index);
            arrangement.contrasts.push(Contrast::pair(arm, same.unwrap_or(first)));
        }
    }
    arrangement.refused = refusals(&missing, points.len());
    arrangement
}

/// Of an arm with an allocator: the arm of the same point that does just the same without one.
fn without_allocator(arms: &[ArmPlan], arm: usize, point: usize) -> Option<usize> {
    let work = &arms[arm].work;
    work.environment.allocator.as_ref()?;
    let plain = Environment { allocator: None, ..work.environment.clone() };
    let same = Work { environment: plain, ..work.clone() };
    arms.iter().position(|other| other.point == point && other.role != Role::Placebo && other.work == same)
}

/// Pairs of malloc and free, and blocks of memory, are different amounts of work.
fn incomparable(source: Source, base: Source) -> Option<String> {
    let counts = |source: Source| {
        let what = if source.counts_pairs() { "pairs of malloc and free" } else { "blocks of memory" };
        format!("{} counts {what}", source.name())
    };
    (source.counts_pairs() != base.counts_pairs())
        .then(|| format!("{}, and the baseline {}: they cannot be compared", counts(source), counts(base)))
}

/// One refusal for each arm and reason; an arm that is impossible at some points only says at which.
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
        let sizes: Vec<String> = sizes.into_iter().map(crate::quantity::bytes_text).collect();
        let arm = if everywhere { name.to_owned() } else { format!("{name} at {}", sizes.join(", ")) };
        Refused { arm, reason: reason.to_owned(), failed: false, samples: Vec::new() }
    };
    groups.into_iter().map(refusal).collect()
}

/// The cells of a factorial experiment, the effect of each factor, and one comparison: the cell of all first levels
/// against that of all second ones, as a naive program would compare them.
#[must_use]
pub fn cells(ground: &Ground, factors: &Factors, size_bytes: u64) -> Arrangement {
    let point = Point::new(size_bytes, 1);
    let mut arrangement = Arrangement { points: vec![point], ..Arrangement::default() };
    arrangement.factors = [
        ("api", factors.api.map(|source| source.name().to_owned())),
        ("fill", factors.fill.map(|fill| fill.to_string())),
        ("position", factors.position.map(|position| position.name().to_owned())),
    ]
    .map(|(name, levels)| Factor { name: name.to_owned(), levels })
    .to_vec();

    for cell in 0..8_usize {
        let level = |factor: usize| cell >> (2 - factor) & 1;
        let (api, fill) = (factors.api[level(0)], factors.fill[level(1)]);
        let position = factors.position[level(2)];
        let before = (position == Position::Second)
            .then(|| Earlier { source: factors.api[1 - level(0)], fill: factors.fill[1 - level(1)] });
        let role = if cell == 7 { Role::Baseline } else { Role::Compared };
        let work = Work { before, ..ground.work(api, point, fill) };
        arrangement.arms.push(ArmPlan { name: cell_name(api, fill, position), role, point: 0, work });
    }
    for factor in 0..3 {
        let at = |level: usize| (0..8).filter(|cell| cell >> (2 - factor) & 1 == level).collect();
        arrangement.contrasts.push(Contrast { factor: Some(factor), plus: at(0), minus: at(1) });
    }
    arrangement.contrasts.push(Contrast::pair(0, 7));
    let again = ArmPlan { name: PLACEBO.to_owned(), role: Role::Placebo, ..arrangement.arms[7].clone() };
    arrangement.arms.push(again);
    arrangement.placebo = Contrast::pair(8, 7);
    for source in factors.api {
        if let Some(reason) = impossible(&ground.work(source, point, 0), ground) {
            arrangement.refused.push(Refused {
                arm: source.name().to_owned(),
                reason,
                failed: false,
                samples: Vec::new(),
            });
        }
    }
    arrangement
}

/// What a cell is called.
fn cell_name(api: Source, fill: u8, position: Position) -> String {
    format!("{}/{fill}/{}", api.name(), position.name())
}

/// Pairs of a cold and a warm sample of the cell of all first levels: what the memory's state does.
#[must_use]
pub fn cold_pairs(ground: &Ground, factors: &Factors, levels: [MemoryLevel; 2], size_bytes: u64) -> Arrangement {
    let point = Point::new(size_bytes, 1);
    let (api, fill) = (factors.api[0], factors.fill[0]);
    let arm = |level: MemoryLevel, role: Role| {
        let warm = ground.work(api, point, fill);
        let (state, work) = match level {
            MemoryLevel::Warm => (Memory::Warm, warm),
            MemoryLevel::Cold => (Memory::Cold, Work { memory: Memory::Cold, warm_bytes: 0, ..warm }),
        };
        ArmPlan { name: format!("{}/{fill}/{}", api.name(), state.name()), role, point: 0, work }
    };
    let level_name = |level: MemoryLevel| match level {
        MemoryLevel::Cold => "cold".to_owned(),
        MemoryLevel::Warm => "warm".to_owned(),
    };
    Arrangement {
        points: vec![point],
        arms: vec![arm(levels[0], Role::Compared), arm(levels[1], Role::Baseline)],
        contrasts: vec![Contrast { factor: Some(0), plus: vec![0], minus: vec![1] }],
        factors: vec![Factor { name: "memory".to_owned(), levels: levels.map(level_name) }],
        ..Arrangement::default()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::experiment::{Subject, by_name};

    /// A machine that has everything but huge page pools.
    pub(crate) fn ground(memory: Memory) -> Ground {
        Ground {
            page_bytes: 4096,
            thp: Some("madvise".to_owned()),
            thp_common: None,
            page_sizes: Vec::new(),
            pools: Vec::new(),
            left_bytes: 8 << 30,
            memory,
        }
    }

    fn spec(name: &str) -> ArmSpec {
        ArmSpec::named(name).unwrap()
    }

    #[test]
    fn every_point_has_its_baseline_and_its_placebo() {
        let point = |size_bytes, threads| Point::new(size_bytes, threads);
        let points = [point(65_536, 1), point(4 << 20, 1), point(4 << 20, 3)];
        let others = [spec("malloc"), spec("mmap+hugepage")];
        let plan = arms(&ground(Memory::Warm), &spec("mmap"), &others, Common::of_fill(1), &points);
        let names: Vec<(&str, usize)> = plan.arms.iter().map(|arm| (arm.name.as_str(), arm.point)).collect();
        assert_eq!(names[..3], [("mmap", 0), ("malloc", 0), ("placebo", 0)]);
        assert_eq!(names[3..7], [("mmap", 1), ("malloc", 1), ("mmap+hugepage", 1), ("placebo", 1)]);
        assert_eq!(plan.contrasts.len(), 5, "M counts every point");
        assert_eq!((plan.placebo.plus, plan.placebo.minus), (vec![2, 6, 10], vec![0, 3, 7]));
        assert_eq!(plan.refused.len(), 1);
        assert_eq!(plan.refused[0].arm, "mmap+hugepage at 64KiB");
        assert_eq!(plan.arms[7].work.operations, 9, "8 blocks are not to be shared by three threads");
    }

    #[test]
    fn an_injected_arm_does_more_of_the_same() {
        let point = Point::new(1 << 20, 1);
        let plan = arms(&ground(Memory::Warm), &spec("malloc"), &[spec("injected:+5%")], Common::of_fill(1), &[point]);
        let work = &plan.arms[1].work;
        assert_eq!((work.source, work.operations), (Source::Malloc, 32));
        assert_eq!(work.extra_bytes, 410 * 4096, "5 % of 8,192 pages");
        assert_eq!(plan.arms[0].work.extra_bytes, 0);
    }

    #[test]
    fn each_factor_splits_the_cells_in_halves_that_differ_in_nothing_else() {
        let experiment = by_name("position").unwrap();
        let Subject::Factors(factors) = experiment.subject else { panic!("a factorial experiment") };
        let plan = cells(&ground(Memory::Warm), &factors, 100 << 20);
        assert_eq!(plan.arms[0].name, "malloc/0/first");
        assert_eq!(plan.arms[7].name, "mmap/1/second");
        let post_second = Some(Earlier { source: Source::Malloc, fill: 0 });
        assert_eq!(plan.arms[7].work.before, post_second, "what the post's program did before its mmap");
        for contrast in plan.contrasts.iter().take(3) {
            assert_eq!((contrast.plus.len(), contrast.minus.len()), (4, 4));
            let describe = |arms: &[usize], skip: usize| {
                let name = |&arm: &usize| {
                    plan.arms[arm]
                        .name
                        .split('/')
                        .enumerate()
                        .filter(|(i, _)| *i != skip)
                        .map(|(_, l)| l.to_owned())
                        .collect()
                };
                let mut names: Vec<Vec<String>> = arms.iter().map(name).collect();
                names.sort();
                names
            };
            let factor = contrast.factor.unwrap();
            assert_eq!(describe(&contrast.plus, factor), describe(&contrast.minus, factor));
        }
        assert_eq!(plan.arms.iter().filter(|arm| arm.role == Role::Baseline).count(), 1);
    }

    #[test]
    fn a_cold_pair_differs_in_nothing_but_memory() {
        let experiment = by_name("position").unwrap();
        let Subject::Factors(factors) = experiment.subject else { panic!("a factorial experiment") };
        let plan = cold_pairs(&ground(Memory::Warm), &factors, factors.memory.unwrap(), 100 << 20);
        let [cold, warm] = [&plan.arms[0], &plan.arms[1]];
        assert_eq!((cold.work.memory, cold.work.warm_bytes, warm.work.memory), (Memory::Cold, 0, Memory::Warm));
        assert_eq!(Work { memory: Memory::Warm, warm_bytes: warm.work.warm_bytes, ..cold.work.clone() }, warm.work);
    }
}
