//! What a report says first of its costs: where they are not what they seem.

use super::{CallerRow, RecordingReport, SiteDetail};

/// A caller whose calls cost so many times what they say is worth a sentence.
const TIMES_SAID: f64 = 2.0;
/// As a part of the time of the run: what costs less is not worth one.
const SHARE_SAID: f64 = 0.02;
/// The same of bytes that were never touched, as a part of those that can be known.
const UNTOUCHED_SAID: f64 = 0.1;
/// And in bytes.
const UNTOUCHED_BYTES_SAID: u64 = 1 << 20;
/// Threads live so many times as long as the run together, from where on their share of it is told
/// as well.
const THREADS_SAID: f64 = 1.5;

/// How much of the memory of blocks was touched, of the bytes on whole pages of their own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TouchedPart {
    /// The bytes whose touches can be known.
    pub watched_bytes: u64,
    /// Those of them that were never touched.
    pub never_touched_bytes: u64,
    /// The callers of which nothing was touched at all.
    pub untouched_callers: u64,
}

impl TouchedPart {
    /// The bytes that were touched, as a part of those that can be known.
    #[must_use]
    pub fn share(&self) -> f64 {
        1.0 - self.never_touched_bytes as f64 / self.watched_bytes.max(1) as f64
    }

    /// Whether nothing was touched of what can be known.
    fn is_untouched(&self) -> bool {
        self.watched_bytes > 0 && self.never_touched_bytes >= self.watched_bytes
    }

    fn of<'a>(details: impl Iterator<Item = &'a SiteDetail>) -> Option<TouchedPart> {
        let mut all = TouchedPart::default();
        for detail in details.filter(|detail| detail.watched_bytes > 0) {
            all.watched_bytes = all.watched_bytes.saturating_add(detail.watched_bytes);
            all.never_touched_bytes =
                all.never_touched_bytes.saturating_add(detail.never_touched_bytes?);
        }
        (all.watched_bytes > 0).then_some(all)
    }
}

impl RecordingReport {
    /// The first caller, if its true cost is a good part of the run's time and much more than its
    /// calls say.
    #[must_use]
    pub fn deferred(&self) -> Option<&CallerRow> {
        let first = self.callers.first()?;
        let is_long = first.costs.true_ns? as f64 >= SHARE_SAID * self.ran_ns() as f64;
        let is_later = first.true_per_apparent.is_none_or(|times| times >= TIMES_SAID);
        (is_long && is_later && first.costs.paid_later_ns() > 0).then_some(first)
    }

    /// How much of the memory of all sites was touched; `None` if that is not known of any.
    #[must_use]
    pub fn touched(&self) -> Option<TouchedPart> {
        let all = TouchedPart::of(self.sites.iter().map(|site| &site.detail))?;
        let is_untouched = |caller: &&CallerRow| {
            self.touched_of(caller).is_some_and(|touched| touched.is_untouched())
        };
        let untouched_callers = self.callers.iter().filter(is_untouched).count() as u64;
        Some(TouchedPart { untouched_callers, ..all })
    }

    /// The same of one caller.
    #[must_use]
    pub fn touched_of(&self, caller: &CallerRow) -> Option<TouchedPart> {
        self.touched_of_all(std::slice::from_ref(caller))
    }

    /// The same of several callers.
    #[must_use]
    pub fn touched_of_all(&self, callers: &[CallerRow]) -> Option<TouchedPart> {
        let sites = callers.iter().flat_map(|caller| &caller.sites);
        TouchedPart::of(sites.filter_map(|&site| Some(&self.sites.get(site)?.detail)))
    }

    /// How much of the memory was touched, if a good part of it was not.
    #[must_use]
    pub fn untouched(&self) -> Option<TouchedPart> {
        let touched = self.touched()?;
        let never = touched.never_touched_bytes;
        let is_much = never >= UNTOUCHED_BYTES_SAID && 1.0 - touched.share() >= UNTOUCHED_SAID;
        is_much.then_some(touched)
    }

    /// The cost as a part of the time of the run, where threads together lived so much longer that
    /// the part of theirs says something else.
    #[must_use]
    pub fn share_of_run(&self) -> Option<f64> {
        let is_diluted = self.totals.threads_ns as f64 >= THREADS_SAID * self.ran_ns() as f64;
        self.elapsed_share.filter(|_| is_diluted)
    }

    /// The most bytes that the sites of a caller had live, and whether that is exact: of several
    /// sites it is the sum of their own peaks, which may have been at different times.
    #[must_use]
    pub fn peak_of(&self, caller: &CallerRow) -> (u64, bool) {
        let sites = || caller.sites.iter().filter_map(|&site| self.sites.get(site));
        let sum = sites().fold(0, |sum: u64, site| sum.saturating_add(site.peak_bytes));
        (sum, caller.sites.len() < 2)
    }

    /// The time of the recording without its pauses.
    fn ran_ns(&self) -> u64 {
        self.elapsed_ns.saturating_sub(self.totals.paused_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Seen, SiteCosts, SiteRow};
    use super::*;

    fn report(details: &[(u64, Option<u64>)]) -> RecordingReport {
        let mut report = RecordingReport { elapsed_ns: 1000, ..RecordingReport::default() };
        for (site, &(watched_bytes, never_touched_bytes)) in details.iter().enumerate() {
            let detail = SiteDetail { watched_bytes, never_touched_bytes, ..SiteDetail::default() };
            report.sites.push(SiteRow { detail, peak_bytes: 4, ..SiteRow::default() });
            report.callers.push(CallerRow { sites: vec![site], ..CallerRow::default() });
        }
        report
    }

    #[test]
    fn untouched_memory_is_said_where_it_is_much() {
        const MIB: u64 = 1 << 20;
        let all = |details: &[_]| report(details).untouched();
        let half = TouchedPart {
            watched_bytes: 4 * MIB,
            never_touched_bytes: 2 * MIB,
            untouched_callers: 1,
        };
        assert_eq!(all(&[(2 * MIB, Some(2 * MIB)), (2 * MIB, Some(0)), (0, None)]), Some(half));
        assert!((half.share() - 0.5).abs() < 1e-9);
        assert_eq!(all(&[(100 * MIB, Some(2 * MIB))]), None, "a small part");
        assert_eq!(all(&[(4096, Some(4096))]), None, "little");
        assert_eq!(all(&[(4 * MIB, Some(4 * MIB)), (9, None)]), None, "not known");
        assert_eq!(all(&[(0, Some(0))]), None, "no block has a page");
    }

    #[test]
    fn the_first_row_has_a_story_if_it_costs_more_than_it_says() {
        let seen = Seen { allocations: true, faults: true, ..Seen::default() };
        let deferred = |apparent_ns, first_touch_ns: u64| {
            let true_ns = Some(apparent_ns + first_touch_ns);
            let first_touch_ns = Some(first_touch_ns);
            let costs = SiteCosts { apparent_ns, first_touch_ns, true_ns, ..SiteCosts::none(seen) };
            let mut report = report(&[(0, None)]);
            report.callers[0].costs = costs;
            report.callers[0].true_per_apparent = costs.true_per_apparent();
            report.deferred().is_some()
        };
        for (apparent_ns, first_touch_ns, expect) in
            [(10, 10, true), (11, 10, false), (5, 10, false), (0, 20, true), (0, 0, false)]
        {
            let found = deferred(apparent_ns, first_touch_ns);
            assert_eq!(found, expect, "{apparent_ns} and {first_touch_ns} of 1000");
        }
        assert!(report(&[]).deferred().is_none());
    }

    #[test]
    fn the_peak_of_several_sites_is_a_bound() {
        let mut report = report(&[(0, None), (0, None)]);
        assert_eq!(report.peak_of(&report.callers[0]), (4, true));
        report.callers[0].sites.push(1);
        assert_eq!(report.peak_of(&report.callers[0]), (8, false));
    }

    #[test]
    fn both_shares_are_told_where_threads_wait() {
        let mut report = report(&[]);
        report.elapsed_share = Some(0.3);
        for (threads_ns, paused_ns, expect) in
            [(1000, 0, None), (1499, 0, None), (1500, 0, Some(0.3)), (800, 500, Some(0.3))]
        {
            (report.totals.threads_ns, report.totals.paused_ns) = (threads_ns, paused_ns);
            assert_eq!(report.share_of_run(), expect, "{threads_ns} without {paused_ns}");
        }
    }
}
