//! Calls under way. Until the kernel performs an mmap(2) or mremap(2), another thread may use and
//! unmap the old memory at the same addresses. So the effect of these calls is applied at the
//! kernel's report, or else when they return.

use std::sync::Arc;

use events::Syscall;

use super::AddressSpace;

/// The most calls under way at a time: few threads of a process map at once.
const UNDER_WAY_MAX: usize = 64;

/// A successful call and its times.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UnderWay {
    pub(crate) call: Syscall,
    /// The thread.
    pub(crate) tid: u32,
    /// The result.
    pub(crate) result: u64,
    pub(crate) began_ns: u64,
    /// The time of its return.
    pub(crate) born_ns: u64,
}

impl AddressSpace {
    /// Records that `call` has begun.
    pub(super) fn begin(&mut self, call: UnderWay) {
        if self.under_way.len() == UNDER_WAY_MAX {
            let oldest = self.under_way.remove(0);
            self.apply(&oldest);
        }
        self.under_way.push(call);
    }

    /// Applies the calls that returned by `time_ns`, and joins their mappings with neighbours.
    pub(crate) fn settle(&mut self, time_ns: u64) {
        self.apply_those(|call| call.born_ns <= time_ns);
        if !self.regions.is_settled() {
            Arc::make_mut(&mut self.regions).settle(time_ns);
        }
    }

    /// Applies the call of thread `tid`, after the kernel reported from inside it a mapping from
    /// `start` to `end`.
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
