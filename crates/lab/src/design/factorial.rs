//! Turns a factorial experiment into its cells, and the pairs of cold and warm samples that follow
//! them.

use results::{Factor, Refused};
use sample::protocol::Earlier;
use sample::source::Source;

use crate::design::arrangement::Arrangement;
use crate::design::impossible::impossible;
use crate::design::machine_limits::MachineLimits;
use crate::design::work::Work;
use crate::design::{ArmPlan, Contrast, Point, Role};
use crate::question::arm::PLACEBO;
use crate::question::experiment::{Factors, Position, Subject};
use crate::question::memory::MemoryState;
use crate::question::request::BenchRequest;

/// The cells of a factorial experiment, the effect of each factor, and one comparison: the cell of
/// all first levels against that of all second levels, which a naive program would compare.
#[must_use]
pub fn cells(limits: &MachineLimits, factors: &Factors, size_bytes: u64) -> Arrangement {
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
        let before = (position == Position::Second).then(|| Earlier {
            source: factors.api[1 - level(0)],
            fill: factors.fill[1 - level(1)],
        });
        let role = if cell == 7 { Role::Baseline } else { Role::Compared };
        let work = Work { before, ..limits.work(api, point, fill) };
        arrangement.arms.push(ArmPlan {
            name: cell_name(api, fill, position),
            role,
            point: 0,
            work,
        });
    }
    for factor in 0..3 {
        let at = |level: usize| (0..8).filter(|cell| cell >> (2 - factor) & 1 == level).collect();
        arrangement.contrasts.push(Contrast {
            factor: Some(factor),
            metric: 0,
            plus: at(0),
            minus: at(1),
        });
    }
    arrangement.contrasts.push(Contrast::pair(0, 7));
    let again =
        ArmPlan { name: PLACEBO.to_owned(), role: Role::Placebo, ..arrangement.arms[7].clone() };
    arrangement.arms.push(again);
    arrangement.placebo = Contrast::pair(8, 7);
    for source in factors.api {
        if let Some(reason) = impossible(&limits.work(source, point, 0), limits) {
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

/// The name of a cell.
fn cell_name(api: Source, fill: u8, position: Position) -> String {
    format!("{}/{fill}/{}", api.name(), position.name())
}

/// Pairs of a cold and a warm sample of the cell of all first levels: the effect of the memory's
/// state.
#[must_use]
pub fn cold_pairs(
    limits: &MachineLimits,
    factors: &Factors,
    levels: [MemoryState; 2],
    size_bytes: u64,
) -> Arrangement {
    let point = Point::new(size_bytes, 1);
    let (api, fill) = (factors.api[0], factors.fill[0]);
    let arm = |level: MemoryState, role: Role| {
        let warm = limits.work(api, point, fill);
        let work = match level {
            MemoryState::Warm => warm,
            MemoryState::Cold => Work { memory: MemoryState::Cold, warm_bytes: 0, ..warm },
        };
        ArmPlan { name: format!("{}/{fill}/{}", api.name(), level.name()), role, point: 0, work }
    };
    Arrangement {
        points: vec![point],
        arms: vec![arm(levels[0], Role::Compared), arm(levels[1], Role::Baseline)],
        contrasts: vec![Contrast { factor: Some(0), metric: 0, plus: vec![0], minus: vec![1] }],
        factors: vec![Factor {
            name: "memory".to_owned(),
            levels: levels.map(|level| level.name().to_owned()),
        }],
        ..Arrangement::default()
    }
}

/// The arrangement of the pairs, if the experiment has them and the machine has a cold state.
#[must_use]
pub fn cold_pairs_wanted(request: &BenchRequest, limits: &MachineLimits) -> Option<Arrangement> {
    let Subject::Factors(factors) = &request.experiment.subject else { return None };
    let possible =
        sys::machine::free_page_reporting() == Some(true) && request.memory == MemoryState::Warm;
    let levels = factors.memory.filter(|_| possible)?;
    Some(cold_pairs(limits, factors, levels, request.sizes_bytes()[0]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design::machine_limits::tests::limits;
    use crate::question::experiment::by_name;

    #[test]
    fn each_factor_splits_the_cells_into_halves_that_differ_only_in_it() {
        let experiment = by_name("position").unwrap();
        let Subject::Factors(factors) = experiment.subject else {
            panic!("a factorial experiment")
        };
        let plan = cells(&limits(MemoryState::Warm), &factors, 100 << 20);
        assert_eq!(plan.arms[0].name, "malloc/0/first");
        assert_eq!(plan.arms[7].name, "mmap/1/second");
        let post_second = Some(Earlier { source: Source::Malloc, fill: 0 });
        assert_eq!(
            plan.arms[7].work.before, post_second,
            "the post's program did this before its mmap"
        );
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
    fn a_cold_pair_differs_only_in_memory() {
        let experiment = by_name("position").unwrap();
        let Subject::Factors(factors) = experiment.subject else {
            panic!("a factorial experiment")
        };
        let plan =
            cold_pairs(&limits(MemoryState::Warm), &factors, factors.memory.unwrap(), 100 << 20);
        let [cold, warm] = [&plan.arms[0], &plan.arms[1]];
        assert_eq!(
            (cold.work.memory, cold.work.warm_bytes, warm.work.memory),
            (MemoryState::Cold, 0, MemoryState::Warm)
        );
        assert_eq!(
            Work {
                memory: MemoryState::Warm,
                warm_bytes: warm.work.warm_bytes,
                ..cold.work.clone()
            },
            warm.work
        );
    }
}
