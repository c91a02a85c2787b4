//! The details of several sites together.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::{CallLatency, CallParts, LatencyStep, ServedCalls, SiteDetail, Toucher};

impl SiteDetail {
    /// The details of all of `several`; those of one site as they are.
    pub fn sum<'a>(several: impl IntoIterator<Item = &'a SiteDetail>) -> SiteDetail {
        let several: Vec<&SiteDetail> = several.into_iter().collect();
        if let [one] = several[..] {
            return one.clone();
        }
        let never = (!several.is_empty()).then_some(0);
        let mut all = SiteDetail { never_touched_bytes: never, ..SiteDetail::default() };
        for one in &several {
            all.add_counts(one);
        }
        all.latency = latency_of(&several, &all.latencies);
        all.touchers = touchers_of(&several);
        all
    }

    /// Adds what is a count or a sum.
    fn add_counts(&mut self, other: &SiteDetail) {
        add_steps(&mut self.sizes, &other.sizes, |step| (step.from_bytes, &mut step.calls));
        add_steps(&mut self.lifetimes, &other.lifetimes, |step| (step.from_ns, &mut step.blocks));
        add_steps(&mut self.latencies, &other.latencies, |step| (step.upto_ns, &mut step.calls));
        add_parts(&mut self.parts, &other.parts);
        add_served(&mut self.served, &other.served);
        for (own, other) in [
            (&mut self.other_thread_faults, other.other_thread_faults),
            (&mut self.other_process_faults, other.other_process_faults),
            (&mut self.copied_faults, other.copied_faults),
            (&mut self.copied_ns, other.copied_ns),
            (&mut self.reused_faults, other.reused_faults),
            (&mut self.reused_ns, other.reused_ns),
            (&mut self.returned_faults, other.returned_faults),
            (&mut self.watched_bytes, other.watched_bytes),
            (&mut self.returned_ns, other.returned_ns),
            (&mut self.returned_bytes, other.returned_bytes),
        ] {
            *own = own.saturating_add(other);
        }
        let never = self.never_touched_bytes.zip(other.never_touched_bytes);
        self.never_touched_bytes = never.map(|(own, other)| own.saturating_add(other));
    }

    /// The function from which the faults on its blocks took longest, and its part of their time;
    /// `None`: no function is known.
    #[must_use]
    pub fn costliest_toucher(&self) -> Option<(&Toucher, f64)> {
        let toucher = self.touchers.iter().rev().max_by_key(|toucher| toucher.fault_ns)?;
        Some((toucher, toucher.fault_ns as f64 / self.touchers_ns().max(1) as f64))
    }

    /// When its blocks were touched, by the time of the faults on them; `None` if no fault is
    /// known.
    #[must_use]
    pub fn touched_when(&self) -> Option<TouchedWhen> {
        let (all_ns, inside_ns) = (self.touchers_ns(), self.parts.touch_ns);
        (all_ns > 0).then_some(match inside_ns {
            ns if ns < all_ns / 100 || ns == 0 => TouchedWhen::Later,
            ns if ns >= all_ns - all_ns / 100 => TouchedWhen::InsideCalls,
            ns if ns > all_ns / 2 => TouchedWhen::MostlyInsideCalls,
            _ => TouchedWhen::MostlyLater,
        })
    }

    /// The time of the faults on its blocks whose function is known.
    fn touchers_ns(&self) -> u64 {
        self.touchers.iter().fold(0, |sum, toucher| sum.saturating_add(toucher.fault_ns))
    }
}

/// When memory was touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TouchedWhen {
    /// All of it, or nearly (99 %), inside the calls that asked for it.
    InsideCalls,
    /// Most of it.
    MostlyInsideCalls,
    /// Most of it after them.
    MostlyLater,
    /// All of it, or nearly.
    Later,
}

/// Adds the counts of `others` to those of the steps at the same place. Steps are in ascending
/// order.
fn add_steps<T: Copy>(own: &mut Vec<T>, others: &[T], parts: fn(&mut T) -> (u64, &mut u64)) {
    for mut other in others.iter().copied() {
        let (at, &mut count) = parts(&mut other);
        match own.binary_search_by_key(&at, |step| parts(&mut step.clone()).0) {
            Ok(place) => {
                let (_, own) = parts(&mut own[place]);
                *own = own.saturating_add(count);
            }
            Err(place) => own.insert(place, other),
        }
    }
}

/// The latencies of several sites, from all their `steps`. Of quantiles alone those of all calls do
/// not follow, so they are not known if the steps of a site are not.
fn latency_of(several: &[&SiteDetail], steps: &[LatencyStep]) -> Option<CallLatency> {
    let timed: Vec<(&CallLatency, &SiteDetail)> =
        several.iter().filter_map(|one| Some((one.latency.as_ref()?, *one))).collect();
    if let [(latency, _)] = timed[..] {
        return Some(*latency);
    }
    let has_steps = timed.iter().all(|(_, one)| !one.latencies.is_empty());
    let max_ns = timed.iter().map(|(latency, _)| latency.max_ns).max().filter(|_| has_steps)?;
    Some(CallLatency {
        timed: timed.iter().fold(0, |sum: u64, (latency, _)| sum.saturating_add(latency.timed)),
        p50_ns: quantile(steps, 50).min(max_ns),
        p99_ns: quantile(steps, 99).min(max_ns),
        max_ns,
    })
}

/// So many percent of the calls took at most this long.
fn quantile(steps: &[LatencyStep], percent: u64) -> u64 {
    let calls = || steps.iter().map(|step| u128::from(step.calls));
    let wanted = (calls().sum::<u128>() * u128::from(percent)).div_ceil(100);
    let mut below = 0;
    let reaches = |step: &&LatencyStep| {
        below += u128::from(step.calls);
        below >= wanted
    };
    steps.iter().find(reaches).map_or(0, |step| step.upto_ns)
}

fn add_parts(own: &mut CallParts, other: &CallParts) {
    let CallParts { user_ns, syscall_ns, fault_ns, touch_ns } = own;
    *user_ns = user_ns.saturating_add(other.user_ns);
    *syscall_ns = syscall_ns.saturating_add(other.syscall_ns);
    *fault_ns = fault_ns.saturating_add(other.fault_ns);
    *touch_ns = touch_ns.saturating_add(other.touch_ns);
}

fn add_served(own: &mut ServedCalls, other: &ServedCalls) {
    let ServedCalls { without_syscall, brk, mmap, mprotect, returned, other: rest } = own;
    *without_syscall = without_syscall.saturating_add(other.without_syscall);
    *brk = brk.saturating_add(other.brk);
    *mmap = mmap.saturating_add(other.mmap);
    *mprotect = mprotect.saturating_add(other.mprotect);
    *returned = returned.saturating_add(other.returned);
    *rest = rest.saturating_add(other.other);
}

/// The functions that touched blocks of any of them, the costliest first.
fn touchers_of(several: &[&SiteDetail]) -> Vec<Toucher> {
    let mut sums: BTreeMap<(&str, Option<&str>), (u64, u64)> = BTreeMap::new();
    for toucher in several.iter().flat_map(|one| &one.touchers) {
        let (faults, ns) = sums.entry((&toucher.function, toucher.at.as_deref())).or_default();
        *faults = faults.saturating_add(toucher.faults);
        *ns = ns.saturating_add(toucher.fault_ns);
    }
    let row = |((function, at), (faults, fault_ns)): ((&str, Option<&str>), (u64, u64))| Toucher {
        function: function.to_owned(),
        at: at.map(str::to_owned),
        faults,
        fault_ns,
    };
    let mut rows: Vec<Toucher> = sums.into_iter().map(row).collect();
    rows.sort_by_key(|toucher| Reverse((toucher.fault_ns, toucher.faults)));
    rows
}

#[cfg(test)]
mod tests {
    use super::super::{SizeStep, TimeStep};
    use super::*;

    fn timed(steps: &[(u64, u64)], max_ns: u64) -> SiteDetail {
        let step = |&(upto_ns, calls): &(u64, u64)| LatencyStep { upto_ns, calls };
        let latencies: Vec<LatencyStep> = steps.iter().map(step).collect();
        let latency = CallLatency {
            timed: steps.iter().map(|(_, calls)| calls).sum(),
            p50_ns: quantile(&latencies, 50).min(max_ns),
            p99_ns: quantile(&latencies, 99).min(max_ns),
            max_ns,
        };
        SiteDetail { latency: Some(latency), latencies, ..SiteDetail::default() }
    }

    #[test]
    fn quantiles_are_those_of_all_calls() {
        let (fast, slow) = (timed(&[(10, 90)], 9), timed(&[(10, 9), (5000, 901)], 4800));
        let both = SiteDetail::sum([&fast, &slow]);
        assert_eq!(
            both.latency,
            Some(CallLatency { timed: 1000, p50_ns: 4800, p99_ns: 4800, max_ns: 4800 })
        );
        let steps: Vec<(u64, u64)> =
            both.latencies.iter().map(|step| (step.upto_ns, step.calls)).collect();
        assert_eq!(steps, [(10, 99), (5000, 901)]);
        let mostly_fast = SiteDetail::sum([&timed(&[(10, 990)], 9), &timed(&[(5000, 10)], 4800)]);
        let latency = mostly_fast.latency.expect("both are known");
        assert_eq!((latency.p50_ns, latency.p99_ns, latency.max_ns), (10, 10, 4800));
        // One that was never timed adds nothing, and quantiles alone do not make others.
        let none = SiteDetail::default();
        assert_eq!(SiteDetail::sum([&none, &fast]).latency, fast.latency);
        let bare = SiteDetail { latencies: Vec::new(), ..slow.clone() };
        assert_eq!(SiteDetail::sum([&bare, &fast]).latency, None);
        assert_eq!(SiteDetail::sum([&bare]), bare);
    }

    #[test]
    fn steps_and_functions_are_added_at_their_place() {
        let toucher = |function: &str, faults, fault_ns| Toucher {
            function: function.to_owned(),
            at: None,
            faults,
            fault_ns,
        };
        let size = |from_bytes, calls| SizeStep { from_bytes, calls };
        let one = SiteDetail {
            sizes: vec![size(16, 1), size(64, 2)],
            touchers: vec![toucher("a", 5, 50), toucher("b", 1, 10)],
            lifetimes: vec![TimeStep { from_ns: 4, blocks: 1 }],
            watched_bytes: 8,
            never_touched_bytes: Some(3),
            ..SiteDetail::default()
        };
        let other = SiteDetail {
            sizes: vec![size(0, 7), size(64, 3)],
            touchers: vec![toucher("b", 9, 90)],
            ..one.clone()
        };
        let both = SiteDetail::sum([&one, &other]);
        assert_eq!(both.sizes, [size(0, 7), size(16, 1), size(64, 5)]);
        assert_eq!(both.touchers, [toucher("b", 10, 100), toucher("a", 5, 50)]);
        assert_eq!(both.lifetimes, [TimeStep { from_ns: 4, blocks: 2 }]);
        assert_eq!((both.watched_bytes, both.never_touched_bytes), (16, Some(6)));
        let (costliest, part) = both.costliest_toucher().expect("two");
        assert_eq!((costliest.function.as_str(), part), ("b", 100.0 / 150.0));
        let unknown = SiteDetail { never_touched_bytes: None, ..one.clone() };
        assert_eq!(SiteDetail::sum([&one, &unknown]).never_touched_bytes, None);
        assert_eq!(SiteDetail::sum([]), SiteDetail::default());
    }

    #[test]
    fn it_is_known_when_memory_was_touched_if_a_fault_is() {
        let of = |touch_ns, fault_ns| {
            let touchers = vec![Toucher { fault_ns, ..Toucher::default() }];
            let parts = CallParts { touch_ns, ..CallParts::default() };
            SiteDetail { parts, touchers, ..SiteDetail::default() }.touched_when()
        };
        let when = [of(995, 1000), of(60, 100), of(40, 100), of(9, 1000), of(0, 0)];
        let (inside, mostly) = (TouchedWhen::InsideCalls, TouchedWhen::MostlyInsideCalls);
        let later = [TouchedWhen::MostlyLater, TouchedWhen::Later].map(Some);
        assert_eq!(when, [Some(inside), Some(mostly), later[0], later[1], None]);
    }
}
