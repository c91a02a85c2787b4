//! Facts about malloc: where a block comes from, one allocation per process.

use std::process::Command;

use results::claims::Claim;

use super::Gatherer;
use super::paging::roomy;
use crate::ask::{Trouble, pick};
use crate::facts::Served;
use crate::judge::allocator::{self, Thresholds};
use crate::judge::calls;
use crate::protocol::ProbeTask;

/// Below and above any threshold of an allocator.
const SMALL_BYTES: usize = 1 << 10;
const LARGE_BYTES: u64 = 64 << 20;
/// A block of this size is freed first, to see whether the threshold moves.
const FREED_BYTES: usize = 1 << 20;
/// glibc's threshold at start, which `M_MMAP_THRESHOLD` can pin (`DEFAULT_MMAP_THRESHOLD_MIN`,
/// malloc/malloc.c).
const PINNED_BYTES: i32 = 128 << 10;
/// So many pairs of a traced probe and one under strace at most. An allocator that returns memory
/// after some time (jemalloc) makes a call more in one process than in another now and then: 1 of
/// 160 pairs on a busy machine. A call that `trace` does not show is missing from each pair.
const PAIRS: usize = 4;

/// The smallest value of `low + 1..=high` for which `is` is true. `is` must be monotonic, and true
/// at `high`.
fn first_where(
    mut low: usize,
    mut high: usize,
    mut is: impl FnMut(usize) -> Result<bool, Trouble>,
) -> Result<usize, Trouble> {
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if is(middle)? {
            high = middle;
        } else {
            low = middle;
        }
    }
    Ok(high)
}

impl Gatherer<'_> {
    fn serve(
        &self,
        bytes: usize,
        freed_first_bytes: Option<usize>,
        pinned: Option<i32>,
    ) -> Result<Served, Trouble> {
        self.asker
            .ask(ProbeTask::Serve { bytes, freed_first_bytes, pinned_bytes: pinned }, pick!(Served))
    }

    /// Whether a block comes from a mapping, in a fresh process where a block of `freed_first`
    /// bytes was freed.
    fn is_mapped(&self, bytes: usize, freed_first: Option<usize>) -> Result<bool, Trouble> {
        Ok(self.serve(bytes, freed_first, None)?.in_break == Some(false))
    }

    pub(super) fn brk_or_mmap(&mut self) -> Result<Claim, Trouble> {
        let small = self.serve(SMALL_BYTES, None, None)?;
        let most = roomy(LARGE_BYTES)?;
        let large = self.serve(most, None, None)?;
        let mut found = Thresholds { small, large, ..Thresholds::default() };
        if found.small.in_break == Some(true) && found.large.in_break == Some(false) {
            let first = first_where(SMALL_BYTES, most, |bytes| self.is_mapped(bytes, None))?;
            found.turn = Some((self.serve(first - 1, None, None)?, self.serve(first, None, None)?));
            let freed = FREED_BYTES.max((2 * first).next_power_of_two());
            if self.is_mapped(most, Some(freed))? {
                let after =
                    first_where(SMALL_BYTES, most, |bytes| self.is_mapped(bytes, Some(freed)))?;
                found.after_free = Some((freed, after));
                if after > first && self.is_mapped(most, Some(most))? {
                    let beyond =
                        first_where(first, most, |bytes| self.is_mapped(bytes, Some(bytes)))?;
                    found.limit_bytes = Some(beyond - 1);
                }
            }
            // If mallopt refuses, the claim leaves this out.
            if let Ok(pinned) = self.serve(freed, Some(freed), Some(PINNED_BYTES)) {
                found.pinned = Some((PINNED_BYTES, pinned.in_break == Some(false)));
            }
        }
        Ok(allocator::brk_or_mmap(&found, &self.who))
    }

    pub(super) fn program_break(&mut self) -> Result<Claim, Trouble> {
        Ok(allocator::program_break(
            &self.asker.ask(ProbeTask::FollowBreak, pick!(Break))?,
            &self.who,
        ))
    }

    pub(super) fn thread_arenas(&mut self) -> Result<Claim, Trouble> {
        Ok(allocator::thread_arenas(&self.asker.ask(ProbeTask::Arenas, pick!(Arenas))?, &self.who))
    }

    pub(super) fn syscalls_seen(&mut self) -> Result<Claim, Trouble> {
        for _ in 1..PAIRS {
            let (claim, only_strace) = self.trace_and_strace()?;
            if only_strace == 0 {
                return Ok(claim);
            }
        }
        Ok(self.trace_and_strace()?.0)
    }

    /// Judges one pair of probes. Returns how many calls only strace shows, too.
    fn trace_and_strace(&mut self) -> Result<(Claim, usize), Trouble> {
        // The probe has one thread.
        let (within, trace) =
            self.asker.ask_traced(ProbeTask::Call, self.refusal, pick!(Called))?;
        let mut strace = Command::new("strace");
        strace.args(["-qq", "-e", "trace=memory", "-e", "signal=none"]);
        let beside = match self.asker.ask_under(&mut strace, ProbeTask::Call, pick!(Called)) {
            Ok((_, text)) => Some(calls::calls_of_strace(&text)),
            Err(Trouble::Interrupted) => return Err(Trouble::Interrupted),
            // strace is not installed or may not trace: there is nothing to compare with.
            Err(Trouble::Failed(_)) => None,
        };
        let beside =
            beside.map(|strace| calls::only_strace_shows(&trace, &strace, self.who.page_bytes));
        Ok((calls::syscalls_seen(&within, &trace, beside, &self.who), beside.unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bisection_finds_the_first() {
        for first in [1025, 1026, 131_049, (64 << 20) - 1, 64 << 20] {
            assert_eq!(first_where(1024, 64 << 20, |bytes| Ok(bytes >= first)), Ok(first));
        }
        assert!(first_where(0, 9, |_| Err(Trouble::Interrupted)).is_err());
    }
}
