//! Calls that are not over. What mmap(2) and mremap(2) give is nobody's before they return, and
//! until the kernel comes to it another thread may use, and unmap, what is at the same addresses:
//! they wait for the kernel's report, or for their end.

use std::sync::Arc;

use events::Syscall;

use super::AddressSpace;

/// More calls are not under way at a time: a process has few threads that map.
const UNDER_WAY_MAX: usize = 64;

/// A call that succeeded, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UnderWay {
    pub(crate) call: Syscall,
    /// Whose it is.
    pub(crate) tid: u32,
    /// What it returned.
    pub(crate) result: u64,
    pub(crate) began_ns: u64,
    /// When it returned.
    pub(crate) born_ns: u64,
}

impl AddressSpace {
    /// `call` has begun.
    pub(super) fn begin(&mut self, call: UnderWay) {
        if self.under_way.len() == UNDER_WAY_MAX {
            let oldest = self.under_way.remove(0);
            self.apply(&oldest);
        }
        self.under_way.push(call);
    }

    /// It is `time_ns`: calls that have returned are applied, and what they mapped is one with its
    /// neighbours.
    pub(crate) fn settle(&mut self, time_ns: u64) {
        self.apply_those(|call| call.born_ns <= time_ns);
        if !self.regions.is_settled() {
            Arc::make_mut(&mut self.regions).settle(time_ns);
        }
    }

    /// The kernel has reported a mapping from `start` to `end`, from inside a call of the thread
    /// `tid`: what that was to map there is mapped.
    pub(super) fn settle_between(&mut self, start: u64, end: u64, tid: u32) {
        self.apply_those(|call| call.tid == tid && (start..end).contains(&call.result));
    }

    fn apply_those(&mut self, are: impl Fn(&UnderWay) -> bool) {
        if self.under_way.is_empty() {
            return;
        }
        let mut over: Vec<UnderWay> = self.under_way.extract_if(.., |call| are(call)).collect();
        over.sort_by_key(|call| call.born_ns);
        for call in &over {
            self.apply(call);
        }
    }
}
