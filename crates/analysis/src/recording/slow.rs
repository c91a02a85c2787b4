//! The slowest calls, and why each was slow.

use std::cmp::Reverse;
use std::collections::HashMap;

use results::recording::{CallerRow, Seen, SiteRow, SlowCallRow, SlowPartRow};

use super::timeline::RowsBySite;
use crate::allocations::{AllocationAccount, Site, SlowCall, SlowPart, SlowWork};

/// So many slow calls are told.
const KEPT: usize = 32;

/// Makes rows of slow calls.
pub(super) struct SlowRows<'a> {
    account: &'a AllocationAccount,
    seen: Seen,
    rows: RowsBySite<'a>,
    /// Whether the report is of some calls only.
    is_filtered: bool,
    /// If the file was cut: until when it has times off the processor, on the stream's clock.
    known_until_ns: u64,
}

impl<'a> SlowRows<'a> {
    pub(super) fn new(
        account: &'a AllocationAccount,
        seen: Seen,
        sites: &[(&Site, SiteRow)],
        (is_cut, is_filtered): (bool, bool),
    ) -> SlowRows<'a> {
        let rows = RowsBySite::new(account, sites);
        // They are written later than everything else.
        let until_ns = account.slow.absences_until_ns.unwrap_or(0);
        let known_until_ns = if is_cut { until_ns } else { u64::MAX };
        SlowRows { account, seen, rows, is_filtered, known_until_ns }
    }

    /// The slowest calls of those that the report is of. Where it is of some only, these are the
    /// chosen ones among the slowest of all, and the slowest of each site.
    pub(super) fn slowest(&self) -> Vec<SlowCallRow> {
        let slow = &self.account.slow;
        if !self.is_filtered {
            return slow.calls.iter().map(|call| self.row(call)).collect();
        }
        let is_chosen = |call: &&SlowCall| call.site.and_then(|site| self.row_of(site)).is_some();
        let all = slow.calls.iter().chain(slow.of_sites.values());
        let mut chosen: Vec<&SlowCall> = all.filter(is_chosen).collect();
        chosen.sort_by_key(|call| (Reverse(call.latency_ns), call.time_ns, call.thread));
        chosen.dedup_by_key(|call| (call.time_ns, call.thread));
        chosen.truncate(KEPT);
        chosen.into_iter().map(|call| self.row(call)).collect()
    }

    /// Gives each caller its slowest call.
    pub(super) fn of_callers(&self, callers: &mut [CallerRow]) {
        let of_sites = &self.account.slow.of_sites;
        let slowest = of_sites.values().filter_map(|call| Some((self.row_of(call.site?)?, call)));
        let slowest: HashMap<usize, &SlowCall> = slowest.collect();
        for caller in callers {
            let calls = caller.sites.iter().filter_map(|site| slowest.get(site));
            let slowest = calls.max_by_key(|call| (call.latency_ns, Reverse(call.time_ns)));
            caller.slowest = slowest.map(|call| self.row(call));
        }
    }

    fn row_of(&self, site: usize) -> Option<usize> {
        self.rows.row(site)
    }

    fn row(&self, call: &SlowCall) -> SlowCallRow {
        let parts = self.parts(call);
        SlowCallRow {
            time_ns: call.time_ns.saturating_sub(self.account.header.began_ns),
            pid: call.thread.pid,
            tid: call.thread.tid,
            function: call.function.name().to_owned(),
            size_bytes: call.size_bytes,
            site: call.site.and_then(|site| self.row_of(site)),
            latency_ns: call.latency_ns,
            cause: parts.first().map(|part| part.what.clone()).unwrap_or_default(),
            parts,
        }
    }

    fn parts(&self, call: &SlowCall) -> Vec<SlowPartRow> {
        let Seen { syscalls, faults, absences, .. } = self.seen;
        let end_ns = call.time_ns.saturating_add(call.latency_ns);
        let sees_all = syscalls && faults && absences;
        let knows_all = sees_all && call.is_whole && end_ns <= self.known_until_ns;
        let part = |part: &SlowPart| SlowPartRow {
            what: word(part.work).to_owned(),
            ns: part.ns,
            waited_ns: absences.then_some(part.waited_ns),
            times: Some(part.times),
        };
        let mut parts: Vec<SlowPartRow> = call.parts.iter().map(part).collect();
        let rest_ns = call.rest_ns();
        if rest_ns > 0 {
            let what = if knows_all { SlowPartRow::USER_SPACE } else { SlowPartRow::UNKNOWN };
            let waited_ns = knows_all.then_some(0);
            parts.push(SlowPartRow { what: what.to_owned(), ns: rest_ns, waited_ns, times: None });
        }
        parts.sort_by_key(|part| Reverse(part.ns));
        parts
    }
}

fn word(work: SlowWork) -> &'static str {
    match work {
        SlowWork::Syscall(call) => call.name(),
        SlowWork::OwnFaults => SlowPartRow::OWN_FAULTS,
        SlowWork::OtherFaults => SlowPartRow::OTHER_FAULTS,
        SlowWork::Preempted => SlowPartRow::PREEMPTED,
        SlowWork::Waited => SlowPartRow::WAITED,
        SlowWork::Stopped => SlowPartRow::STOPPED,
        SlowWork::OffCpu => SlowPartRow::OFF_CPU,
        SlowWork::Nested => SlowPartRow::NESTED,
    }
}
