//! Finds the size at which an allocator switches from the program break to mmap: first from the
//! observed runs of a sweep over sizes, then to the byte by bisection with further runs.

use results::{Observed, TurningPoint};
use sample::access_pattern::AccessPattern;

use crate::design::Design;
use crate::design::work::Work;
use crate::run::children::Children;
use crate::run::observe::ObservedArm;

/// Blocks of a run between the points: enough that memory already in the heap does not matter.
const BLOCKS: u64 = 8;

/// How a batch was served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Served {
    Break,
    Mapping,
}

/// The turning points of the heap arms in `design`, by their `observations`.
#[must_use]
pub(crate) fn find(
    design: &Design,
    observations: &[ObservedArm],
    children: &mut Children,
) -> Vec<TurningPoint> {
    let mut found = Vec::new();
    if !design.sweeps_sizes() {
        return found;
    }
    let mut names: Vec<&str> = Vec::new();
    for (index, arm) in design.arms.iter().enumerate() {
        let of_blocks = arm.work.source.is_of_the_heap() && !arm.work.source.counts_pairs();
        let plain = of_blocks && arm.work.threads == 1 && !design.is_placebo(index);
        if plain && !names.contains(&arm.name.as_str()) {
            names.push(&arm.name);
        }
    }
    for name in names {
        let line = design
            .arms
            .iter()
            .zip(observations)
            .filter(|(arm, _)| arm.name == name && arm.work.threads == 1);
        let mut line: Vec<(&Work, Served)> = line
            .filter_map(|(arm, seen)| {
                Some((&arm.work, served(seen.observed.as_ref()?, &arm.work)?))
            })
            .collect();
        line.sort_by_key(|(work, _)| work.size_bytes);
        let turn =
            line.windows(2).find(|pair| (pair[0].1, pair[1].1) == (Served::Break, Served::Mapping));
        if let Some([(low, _), (high, _)]) = turn {
            found.extend(between(name, low, high.size_bytes, children));
        }
    }
    found
}

/// Bisection, to the byte. `None` if the user interrupted the run, or if a run was inconclusive.
fn between(
    name: &str,
    low: &Work,
    high_bytes: u64,
    children: &mut Children,
) -> Option<TurningPoint> {
    let (mut break_bytes, mut mapping_bytes, mut runs, mut allocator) =
        (low.size_bytes, high_bytes, 0, None);
    while mapping_bytes - break_bytes > 1 {
        let size_bytes = break_bytes + (mapping_bytes - break_bytes) / 2;
        let pattern = AccessPattern { passes: 1, ..AccessPattern::default() };
        let work = Work { size_bytes, operations: BLOCKS, pattern, warm_bytes: 0, ..low.clone() };
        let (measurement, _) = children.observe(&work).ok()??;
        let seen = measurement.observation?;
        allocator = measurement.allocator;
        runs += 1;
        match by_growth(seen.break_growth_bytes, seen.mapped_growth_bytes, &work)? {
            Served::Break => break_bytes = size_bytes,
            Served::Mapping => mapping_bytes = size_bytes,
        }
    }
    Some(TurningPoint { arm: name.to_owned(), allocator, break_bytes, mapping_bytes, runs })
}

fn served(observed: &Observed, work: &Work) -> Option<Served> {
    by_growth(observed.break_growth_bytes, observed.mapped_growth_bytes, work)
}

/// `None` if neither grew by half of the requested bytes.
fn by_growth(break_growth_bytes: u64, mapped_growth_bytes: u64, work: &Work) -> Option<Served> {
    let half = work.size_bytes.saturating_mul(work.operations) / 2;
    match (break_growth_bytes >= half, mapped_growth_bytes >= half) {
        (true, false) => Some(Served::Break),
        (false, true) => Some(Served::Mapping),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design::Point;
    use crate::design::machine_limits::tests::limits;
    use crate::question::memory::MemoryState;
    use sample::source::Source;

    #[test]
    fn growth_shows_how_a_batch_was_served() {
        let work = limits(MemoryState::Warm).work(Source::Malloc, Point::new(1 << 20, 1), 1);
        let batch = work.size_bytes * work.operations;
        assert_eq!(by_growth(batch + 4096, 0, &work), Some(Served::Break));
        assert_eq!(by_growth(0, batch, &work), Some(Served::Mapping));
        assert_eq!(by_growth(4096, 4096, &work), None, "the memory existed already");
        assert_eq!(by_growth(batch, batch, &work), None);
    }
}
