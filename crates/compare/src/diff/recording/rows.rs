//! The change of a call site: what its counts make, what prices make, and whether chance does that.

use results::recording::{CallerRow, RecordingReport, SiteCosts};
use results::recording_diff::{
    CallerChange, ChangeCause, ChangeVerdict, CostChange, PartChange, PriceKind,
};

use super::matching::Matched;
use super::parts::{self, Known, Part};
use super::prices::{Observation, Prices};
use super::{MARGIN, signed};

/// Half the width of a 95 % interval of a normal distribution, in standard errors.
const HALF_OF_95: f64 = 1.96;

/// A call site with the parts of its cost in both recordings.
pub(super) struct Pair<'a> {
    matched: Matched<'a>,
    /// The same parts in both, or none where it is not there.
    old: Vec<Part>,
    new: Vec<Part>,
    /// The longest call of either.
    longest_ns: u64,
    known: Known,
}

/// The part of a change that is of prices.
#[derive(Default)]
struct OfPrices {
    machine_ns: i64,
    /// The change that is not the machine's, where its scatter is known.
    own_ns: f64,
    /// The squares of what that may be by chance.
    by_chance: f64,
    /// The changes of prices whose scatter is not known.
    unknown_ns: f64,
}

impl<'a> Pair<'a> {
    pub(super) fn of(
        matched: &Matched<'a>,
        old: &RecordingReport,
        new: &RecordingReport,
        known: Known,
    ) -> Self {
        let of = |report: &RecordingReport, caller: Option<&CallerRow>| {
            caller.map_or((Vec::new(), 0), |caller| parts::of(report, caller, known))
        };
        let matched = *matched;
        let (old_row, new_row) = sides(matched);
        let ((old, old_ns), (new, new_ns)) = (of(old, old_row), of(new, new_row));
        Pair { matched, old, new, longest_ns: old_ns.max(new_ns), known }
    }

    /// The prices of its operations in both recordings.
    pub(super) fn observations(&self) -> impl Iterator<Item = (PriceKind, Observation)> {
        self.old.iter().zip(&self.new).filter_map(|(old, new)| {
            let found = Observation::of((old.timed, old.ns), (new.timed, new.ns))?;
            Some((old.kind.price(), found))
        })
    }

    /// The change, where prices changed like this.
    pub(super) fn change(&self, prices: &Prices) -> CallerChange {
        let (old, new) = sides(self.matched);
        let parts = self.parts();
        let cost = CostChange::of(total_ns(&self.old), total_ns(&self.new));
        let by_counts_ns = sum(parts.iter().map(|part| part.by_counts_ns));
        let found = self.of_prices(prices);
        let error_ns = self.error_ns(old, new);
        let noise_ns = found.by_chance.sqrt() + error_ns;
        let (verdict, because) = match (old, new) {
            (Some(_), Some(_)) => judged(cost, by_counts_ns, &found, error_ns),
            _ if self.known.estimated && cost.change_ns.unsigned_abs() as f64 <= error_ns => {
                (ChangeVerdict::Noise, None)
            }
            (None, _) => (ChangeVerdict::Different, Some(ChangeCause::New)),
            (_, None) => (ChangeVerdict::Different, Some(ChangeCause::Gone)),
        };
        let row = new.or(old);
        let moved = old.filter(|old| new.is_some_and(|new| new.at != old.at));
        CallerChange {
            function: row.map(|row| row.function.clone()).unwrap_or_default(),
            at: row.and_then(|row| row.at.clone()),
            maps: row.is_some_and(|row| row.maps),
            moved_from: moved.and_then(|row| row.at.clone()),
            matched_by: self.matched.by(),
            old: old.map(|row| row.costs),
            new: new.map(|row| row.costs),
            cost,
            by_counts_ns,
            by_price_ns: cost.change_ns.saturating_sub(by_counts_ns),
            machine_ns: found.machine_ns,
            noise_ns: (found.unknown_ns == 0.0).then(|| rounded(noise_ns)),
            parts,
            verdict,
            because,
        }
    }

    /// Each part of the cost.
    fn parts(&self) -> Vec<PartChange> {
        let all = self.old.len().max(self.new.len());
        let part = |index: usize| {
            let (old, new) = (self.old.get(index), self.new.get(index));
            let part = old.or(new)?.kind;
            let of = |one: Option<&Part>| one.map_or((0, 0), |one| (one.count, signed(one.ns)));
            let ((old_count, old_ns), (new_count, new_ns)) = (of(old), of(new));
            let cost = CostChange::of(old_ns, new_ns);
            let by_counts_ns = by_counts(cost, old_count, new_count);
            let by_price_ns = cost.change_ns.saturating_sub(by_counts_ns);
            Some(PartChange { part, old_count, new_count, cost, by_counts_ns, by_price_ns })
        };
        (0..all).filter_map(part).collect()
    }

    fn of_prices(&self, prices: &Prices) -> OfPrices {
        let mut found = OfPrices::default();
        let mut knows_calls = false;
        for (old, new) in self.old.iter().zip(&self.new) {
            if old.count == 0 || new.count == 0 {
                // Without a count there is no price that could be judged.
                let has_price = old.count == new.count;
                found.unknown_ns += if has_price { distance(old.ns, new.ns) } else { 0.0 };
                continue;
            }
            let kind = old.kind.price();
            let at_old_price = old.ns as f64 / old.count as f64 * new.count as f64;
            let expected = at_old_price * prices.shift(kind);
            found.machine_ns = found.machine_ns.saturating_add(rounded(expected - at_old_price));
            match prices.limit(kind, old.timed, new.timed) {
                Some(factor) => {
                    found.own_ns += new.ns as f64 - expected;
                    found.by_chance += (expected * (factor - 1.0)).powi(2);
                    knows_calls |= kind == PriceKind::Call;
                }
                None => found.unknown_ns += (new.ns as f64 - at_old_price).abs(),
            }
        }
        // One call that was preempted can be most of a row.
        if knows_calls {
            found.by_chance += (self.longest_ns as f64).powi(2);
        }
        found
    }

    /// How far an estimated change may be off, with 95 %.
    fn error_ns(&self, old: Option<&CallerRow>, new: Option<&CallerRow>) -> f64 {
        let error = |row: Option<&CallerRow>| {
            let error = |costs: &SiteCosts| costs.true_error_ns.or(costs.first_touch_error_ns);
            row.and_then(|row| error(&row.costs)).unwrap_or(0) as f64
        };
        if self.known.estimated { HALF_OF_95 * error(old).hypot(error(new)) } else { 0.0 }
    }
}

/// Counts are what they are; what prices do may be chance.
fn judged(
    cost: CostChange,
    by_counts_ns: i64,
    found: &OfPrices,
    error_ns: f64,
) -> (ChangeVerdict, Option<ChangeCause>) {
    let margin_ns = MARGIN * cost.larger_ns() as f64;
    let change_ns = cost.change_ns.unsigned_abs() as f64;
    let by_counts_ns = by_counts_ns.unsigned_abs() as f64;
    let noise_ns = found.by_chance.sqrt() + error_ns;
    if by_counts_ns > margin_ns && by_counts_ns > error_ns {
        (ChangeVerdict::Different, Some(ChangeCause::Counts))
    } else if found.own_ns.abs() > noise_ns + found.unknown_ns && found.own_ns.abs() > margin_ns {
        (ChangeVerdict::Different, Some(ChangeCause::Price))
    } else if change_ns <= margin_ns {
        (ChangeVerdict::Same, None)
    } else if found.unknown_ns > margin_ns + error_ns {
        (ChangeVerdict::Unclear, None)
    } else {
        (ChangeVerdict::Noise, None)
    }
}

/// The part of a change that other counts make at the old price. What was never paid for before, or
/// is no longer, has no other price.
fn by_counts(cost: CostChange, old: u64, new: u64) -> i64 {
    match (old, new) {
        (old, new) if old == new => 0,
        (0, _) | (_, 0) => cost.change_ns,
        _ => rounded((new as f64 - old as f64) * (cost.old_ns as f64 / old as f64)),
    }
}

fn distance(one: u64, other: u64) -> f64 {
    one.abs_diff(other) as f64
}

fn sides(matched: Matched<'_>) -> (Option<&CallerRow>, Option<&CallerRow>) {
    match matched {
        Matched::Both(old, new, _) => (Some(old), Some(new)),
        Matched::Gone(old) => (Some(old), None),
        Matched::New(new) => (None, Some(new)),
    }
}

fn total_ns(parts: &[Part]) -> i64 {
    sum(parts.iter().map(|part| signed(part.ns)))
}

fn sum(all: impl Iterator<Item = i64>) -> i64 {
    all.fold(0, i64::saturating_add)
}

#[expect(clippy::cast_possible_truncation, reason = "the cast saturates")]
fn rounded(ns: f64) -> i64 {
    ns.round() as i64
}
