//! The order of the callers in a report.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use super::{CallerRow, RecordingReport, SiteCosts, SiteDetail};

/// What callers are sorted by: the most first, but names by the alphabet. A figure that is not
/// known comes last, and callers with the same figure are in the order of their true cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallerOrder {
    /// The true cost; without faults, the time in calls that is known.
    #[default]
    True,
    /// The time in calls that ask for memory.
    Apparent,
    /// The time of faults on blocks.
    FirstTouch,
    /// The time of giving back.
    Release,
    /// The bytes that were given out.
    Bytes,
    /// The calls that ask for memory.
    Calls,
    /// The faults on blocks and inside calls.
    Faults,
    /// The bytes that were live when all sites together had most.
    Peak,
    /// The bytes that were never given back.
    Unreleased,
    /// The bytes on whole pages that were never touched.
    Untouched,
    /// The name.
    Name,
}

impl RecordingReport {
    /// Brings the callers into this order.
    pub fn sort(&mut self, order: CallerOrder) {
        self.sorted_by = order;
        let mut callers = std::mem::take(&mut self.callers);
        callers.sort_by_cached_key(|caller| by_true_cost(&caller.costs));
        match order {
            CallerOrder::True => {}
            CallerOrder::Name => {
                callers.sort_by(|one, other| name(one).cmp(&name(other)));
            }
            CallerOrder::Untouched => {
                callers.sort_by_cached_key(|caller| {
                    Reverse(self.touched_of(caller).map(|touched| touched.never_touched_bytes))
                });
            }
            _ => callers.sort_by_key(|caller| Reverse(figure(&caller.costs, order))),
        }
        self.callers = callers;
    }

    /// What is known of a caller beyond its costs: the details of all its sites.
    #[must_use]
    pub fn detail_of(&self, caller: &CallerRow) -> SiteDetail {
        let sites = caller.sites.iter().filter_map(|&site| self.sites.get(site));
        SiteDetail::sum(sites.map(|site| &site.detail))
    }
}

/// The place of costs in a table: the most first. Without faults, by the time in the calls.
#[must_use]
pub fn by_true_cost(costs: &SiteCosts) -> impl Ord + use<> {
    let known_ns = costs.apparent_ns.saturating_add(costs.release_ns);
    Reverse((costs.true_ns.unwrap_or(known_ns), costs.bytes, costs.calls))
}

fn name(caller: &CallerRow) -> (&str, Option<&str>) {
    (&caller.function, caller.at.as_deref())
}

/// The figure that an order goes by, where the costs have it.
fn figure(costs: &SiteCosts, order: CallerOrder) -> Option<u64> {
    match order {
        CallerOrder::Apparent => Some(costs.apparent_ns),
        CallerOrder::FirstTouch => costs.first_touch_ns,
        CallerOrder::Release => Some(costs.release_ns),
        CallerOrder::Bytes => Some(costs.bytes),
        CallerOrder::Calls => Some(costs.calls),
        CallerOrder::Faults => costs.faults(),
        CallerOrder::Peak => Some(costs.at_peak_bytes),
        CallerOrder::Unreleased => Some(costs.unreleased_bytes),
        CallerOrder::True | CallerOrder::Untouched | CallerOrder::Name => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Seen, SiteRow};
    use super::*;

    /// Callers of a site each, named by their figures: true cost, bytes, and never touched bytes.
    fn report(figures: &[(u64, u64, Option<u64>)]) -> RecordingReport {
        let seen = Seen { allocations: true, faults: true, ..Seen::default() };
        let mut report = RecordingReport { seen, ..RecordingReport::default() };
        for (site, &(true_ns, bytes, never_touched_bytes)) in figures.iter().enumerate() {
            let costs = SiteCosts { true_ns: Some(true_ns), bytes, ..SiteCosts::none(seen) };
            let detail =
                SiteDetail { watched_bytes: 9, never_touched_bytes, ..SiteDetail::default() };
            report.sites.push(SiteRow { costs, detail, ..SiteRow::default() });
            let function = format!("f{true_ns}");
            let sites = vec![site];
            report.callers.push(CallerRow { function, sites, costs, ..CallerRow::default() });
        }
        report
    }

    fn order(report: &mut RecordingReport, order: CallerOrder) -> Vec<String> {
        report.sort(order);
        assert_eq!(report.sorted_by, order);
        report.callers.iter().map(|caller| caller.function.clone()).collect()
    }

    #[test]
    fn callers_are_sorted_by_what_was_asked_for() {
        let mut report = report(&[(3, 10, Some(1)), (9, 10, None), (5, 70, Some(7))]);
        for (by, expect) in [
            (CallerOrder::Bytes, ["f5", "f9", "f3"]),
            (CallerOrder::Name, ["f3", "f5", "f9"]),
            (CallerOrder::Untouched, ["f5", "f3", "f9"]),
            (CallerOrder::Calls, ["f9", "f5", "f3"]),
            (CallerOrder::True, ["f9", "f5", "f3"]),
        ] {
            assert_eq!(order(&mut report, by), expect, "{by:?}");
        }
    }

    #[test]
    fn each_order_has_its_own_figure() {
        let base = report(&[(100, 1, Some(0)), (2, 1, Some(0))]);
        let raised = |by: CallerOrder| {
            let mut report = base.clone();
            let costs = &mut report.callers[1].costs;
            match by {
                CallerOrder::Apparent => costs.apparent_ns = 1,
                CallerOrder::FirstTouch => costs.first_touch_ns = Some(1),
                CallerOrder::Release => costs.release_ns = 1,
                CallerOrder::Bytes => costs.bytes = 2,
                CallerOrder::Calls => costs.calls = 1,
                CallerOrder::Faults => costs.major_faults = Some(1),
                CallerOrder::Peak => costs.at_peak_bytes = 1,
                CallerOrder::Unreleased => costs.unreleased_bytes = 1,
                CallerOrder::True => costs.true_ns = Some(101),
                CallerOrder::Untouched => report.sites[1].detail.never_touched_bytes = Some(1),
                CallerOrder::Name => report.callers[1].function = "a".to_owned(),
            }
            order(&mut report, by)
        };
        for by in [
            CallerOrder::Apparent,
            CallerOrder::FirstTouch,
            CallerOrder::Release,
            CallerOrder::Bytes,
            CallerOrder::Calls,
            CallerOrder::Faults,
            CallerOrder::Peak,
            CallerOrder::Unreleased,
            CallerOrder::True,
            CallerOrder::Untouched,
        ] {
            assert_eq!(raised(by), ["f2", "f100"], "{by:?}");
        }
        assert_eq!(raised(CallerOrder::Name), ["a", "f100"]);
    }
}
