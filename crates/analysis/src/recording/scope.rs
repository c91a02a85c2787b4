//! What a report is of, where that is not everything.

use results::recording::{ReportFilter, Seen, SiteCosts, SiteRow};

use super::rows::counted;
use crate::allocations::{AllocationAccount, CallFilter, FrameId, Site};

/// What was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReportScope {
    /// The calls that the report is of: what the ledger chose, too.
    pub filter: CallFilter,
    /// Functions that allocate for their callers, and so are none themselves.
    pub skip: Vec<String>,
}

impl ReportScope {
    /// The filter with what the other calls cost; `None`: the report is of all calls. It takes
    /// these calls out of `sites`.
    pub(super) fn take_left_out(
        &self,
        account: &AllocationAccount,
        seen: Seen,
        sites: &mut Vec<(&Site, SiteRow)>,
    ) -> Option<ReportFilter> {
        let mut left_out = SiteCosts::none(seen);
        let is_left_out = |(site, _): &mut (&Site, SiteRow)| site.stack == FrameId::LEFT_OUT;
        for (_, row) in sites.extract_if(.., is_left_out) {
            left_out.add(&counted(&row));
        }
        let since_start = |ns: u64| ns.saturating_sub(account.header.began_ns);
        let CallFilter { times_ns, tid, pid, sizes_bytes } = &self.filter;
        let times = times_ns.as_ref();
        let bytes = sizes_bytes.as_ref();
        let filter = ReportFilter {
            from_ns: times.map(|times| since_start(times.start)).filter(|&ns| ns > 0),
            until_ns: times.map(|times| times.end).filter(|&ns| ns < u64::MAX).map(since_start),
            tid: *tid,
            pid: *pid,
            min_bytes: bytes.map(|bytes| *bytes.start()).filter(|&bytes| bytes > 0),
            max_bytes: bytes.map(|bytes| *bytes.end()).filter(|&bytes| bytes < u64::MAX),
            left_out,
        };
        (!self.filter.is_none()).then_some(filter)
    }
}
