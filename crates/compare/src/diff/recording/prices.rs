//! What an operation costs now against what it did, over all sites: the part that all share, and
//! how they scatter around it.

use std::collections::BTreeMap;

use results::recording::RestRow;
use results::recording_diff::{PriceChange, PriceKind};

use super::rest::exact_faults;
use super::rows::Pair;

/// With fewer sites, their scatter is not known.
const SITES_MIN: usize = 6;
/// Sites with fewer operations tell nothing of it.
const OPERATIONS_MIN: f64 = 4.0;
/// The price over n operations scatters sqrt(1 + this / n) times as much as over very many.
const FEW_OPERATIONS: f64 = 30.0;
/// Two runs never agree better, however well the sites that there are happen to.
const SCATTER_MIN: f64 = 0.02;

/// A price of one site in both recordings.
#[derive(Debug, Clone, Copy)]
pub(super) struct Observation {
    /// The logarithm of new / old.
    log_ratio: f64,
    /// The harmonic mean of the numbers of operations.
    operations: f64,
}

impl Observation {
    /// `None` where one side has too few operations, or no time.
    pub(super) fn of(old: (f64, u64), new: (f64, u64)) -> Option<Self> {
        let enough = |(operations, ns): (f64, u64)| operations >= OPERATIONS_MIN && ns > 0;
        let price = |(operations, ns): (f64, u64)| (ns as f64 / operations).ln();
        (enough(old) && enough(new)).then(|| Observation {
            log_ratio: price(new) - price(old),
            operations: harmonic(old.0, new.0),
        })
    }

    /// How much more it scatters than one of very many operations.
    fn spread(self) -> f64 {
        spread(self.operations)
    }
}

fn harmonic(one: f64, other: f64) -> f64 {
    2.0 * one * other / (one + other)
}

fn spread(operations: f64) -> f64 {
    (1.0 + FEW_OPERATIONS / operations.max(1.0)).sqrt()
}

/// The prices of all operations.
#[derive(Debug)]
pub(super) struct Prices {
    changes: BTreeMap<PriceKind, PriceChange>,
}

impl Prices {
    /// Of all sites, and of the faults of none.
    pub(super) fn of(pairs: &[Pair], rest: Option<(&[RestRow], &[RestRow])>) -> Self {
        let mut observed: BTreeMap<PriceKind, Vec<Observation>> = BTreeMap::new();
        for (kind, observation) in pairs.iter().flat_map(Pair::observations) {
            observed.entry(kind).or_default().push(observation);
        }
        if let Some((old, new)) = rest {
            observed.entry(PriceKind::Fault).or_default().extend(of_rest(old, new));
        }
        let change =
            |(kind, all): (PriceKind, Vec<Observation>)| Some((kind, of_observations(kind, &all)?));
        Prices { changes: observed.into_iter().filter_map(change).collect() }
    }

    pub(super) fn changes(&self) -> Vec<PriceChange> {
        self.changes.values().copied().collect()
    }

    /// What all sites share, as a factor; 1 where too few are known.
    pub(super) fn shift(&self, kind: PriceKind) -> f64 {
        let known = self.changes.get(&kind).filter(|change| change.scatter.is_some());
        known.map_or(1.0, |change| change.ratio)
    }

    /// By which factor the price of a site may differ from what all share; `None`: not known.
    pub(super) fn limit(&self, kind: PriceKind, old: f64, new: f64) -> Option<f64> {
        let change = self.changes.get(&kind)?;
        let (scatter, limit) = change.scatter.zip(change.limit)?;
        Some((limit * scatter * spread(harmonic(old, new))).exp())
    }
}

/// Faults of no site have their price as well, and a program with few sites has some of them.
fn of_rest<'a>(old: &'a [RestRow], new: &'a [RestRow]) -> impl Iterator<Item = Observation> + 'a {
    let pair = |row: &RestRow| {
        let other = new.iter().find(|other| other.kind == row.kind)?;
        let faults = |row: &RestRow| Some((exact_faults(row)? as f64, row.fault_ns));
        Observation::of(faults(row)?, faults(other)?)
    };
    old.iter().filter_map(pair)
}

fn of_observations(kind: PriceKind, all: &[Observation]) -> Option<PriceChange> {
    let shift = weighted_median(all)?;
    let deviations: Vec<f64> =
        all.iter().map(|one| (one.log_ratio - shift) / one.spread()).collect();
    // The deviations from the shift, not from their own median.
    let both: Vec<f64> = deviations.iter().flat_map(|one| [*one, -one]).collect();
    let scatter = stats::robust_spread(&both).filter(|_| all.len() >= SITES_MIN);
    let scatter = scatter.map(|scatter| scatter.max(SCATTER_MIN));
    Some(PriceChange {
        of: kind,
        ratio: shift.exp(),
        observations: all.len() as u64,
        scatter,
        limit: scatter.map(|_| limit(all.len())),
    })
}

/// So many times its scatter, a change is beyond the noise. With normal scatter the largest of 6
/// sites is beyond 5.3 times the scatter that is estimated from them in one pair of runs of twenty,
/// of 40 beyond 3.8 times; with tails as heavy as Student's t with 4 degrees of freedom, 6.4 and 8.
fn limit(sites: usize) -> f64 {
    5.0 * (1.0 + 3.0 / sites as f64)
}

/// The median of the logarithms, in which sites of few operations count less.
fn weighted_median(all: &[Observation]) -> Option<f64> {
    let weight = |one: &Observation| 1.0 / (one.spread() * one.spread());
    let mut sorted = all.to_vec();
    sorted.sort_by(|one, other| one.log_ratio.total_cmp(&other.log_ratio));
    let half = sorted.iter().map(weight).sum::<f64>() / 2.0;
    let mut below = 0.0;
    let reaches = |one: &&Observation| {
        below += weight(one);
        below >= half
    };
    let middle = sorted.iter().find(reaches).or(sorted.last())?;
    Some(middle.log_ratio)
}
