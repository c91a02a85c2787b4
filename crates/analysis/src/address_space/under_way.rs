//! Calls under way. Until the kernel performs an mmap(2) or mremap(2), another thread may use and
//! unmap the old memory at the same addresses. So the effect of these calls is applied at the
//! kernel's report, or else when they return: at the time of their end, or at the next event of
//! their thread.

use events::{Call, Syscall};

use super::AddressSpace;

/// A successful call and its times.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UnderWay {
    pub(crate) call: Syscall,
    /// The thread.
    pub(crate) tid: u32,
    /// The call site inside whose call it was made.
    pub(crate) site: Option<u32>,
    /// The result.
    pub(crate) result: u64,
    pub(crate) began_ns: u64,
    /// The time of its return; `u64::MAX` if that is unknown.
    pub(crate) born_ns: u64,
}

impl AddressSpace {
    /// Records that `call` has begun.
    pub(super) fn begin(&mut self, call: UnderWay) {
        self.under_way.push(call);
    }

    /// Applies the calls that returned by `time_ns`, when thread `tid` begins something else.
    pub(super) fn settle_before(&mut self, tid: u32, time_ns: u64) {
        self.apply_those(time_ns, |call| call.tid == tid && call.began_ns < time_ns);
        self.settle(time_ns);
    }

    /// Applies the calls that returned by `time_ns`.
    pub(crate) fn settle(&mut self, time_ns: u64) {
        self.apply_those(time_ns, |call| call.born_ns <= time_ns);
    }

    /// Applies the call of thread `tid`, after the kernel reported from inside it at `time_ns` a
    /// mapping from `start` to `end`.
    pub(super) fn settle_between(&mut self, start: u64, end: u64, tid: u32, time_ns: u64) {
        self.apply_those(time_ns, |call| call.tid == tid && (start..end).contains(&call.result));
    }

    /// Applies the moves under way (mremap) of memory between `start` and `end`: somebody else has
    /// got these addresses, so the kernel has moved it.
    pub(super) fn settle_moves_from(&mut self, start: u64, end: u64) {
        self.apply_those(0, |under_way| {
            let [from, bytes, ..] = under_way.call.arguments;
            let moves = under_way.call.call == Call::Mremap && under_way.result != from;
            moves && from < end && start < from.saturating_add(bytes)
        });
    }

    /// Applies calls at `time_ns`. One whose return is unknown has returned, or is about to.
    fn apply_those(&mut self, time_ns: u64, are: impl Fn(&UnderWay) -> bool) {
        if self.under_way.is_empty() {
            return;
        }
        let mut over: Vec<UnderWay> = self.under_way.extract_if(.., |call| are(call)).collect();
        over.sort_by_key(|call| call.born_ns);
        for mut call in over {
            if call.born_ns == u64::MAX {
                call.born_ns = time_ns;
            }
            self.apply(&call);
        }
    }
}
