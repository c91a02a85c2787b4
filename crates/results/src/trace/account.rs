//! The kernel's account of a program's faults (rusage of wait4(2)), compared with the trace.

use super::TraceSummary;

/// The account, and the faults that were seen of the same processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// Faults in the compared part of the account.
    pub counted: u64,
    /// Faults that were traced of the same processes, those whose records were lost included.
    pub seen: u64,
    /// The processes that are compared.
    pub covered: Covered,
    /// Of the difference: faults before the program's exec, at least.
    pub before_exec: u64,
    /// Whether processes that outlived their parents are left out: the account is too small to have
    /// their faults. Otherwise another process may have waited for them (a subreaper), and they are
    /// compared with the others.
    pub leaves_out: bool,
}

/// The processes whose faults are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Covered {
    /// The program alone: it started no other process, or it is not known how many of them were
    /// waited for.
    Program,
    /// The program and the processes that ended before their parents, which the account includes
    /// if they were waited for.
    WaitedFor,
    /// The account has fewer faults than were seen: some processes were not waited for, and which
    /// is not known.
    Unknown,
}

impl Account {
    /// Faults in the account that were not seen.
    #[must_use]
    pub fn unshown(&self) -> u64 {
        self.counted.saturating_sub(self.seen)
    }
}

impl TraceSummary {
    /// The account of the kernel, compared with what was seen of the same processes; `None` if
    /// there is no account (of a process that was attached to), or no fault was traced.
    #[must_use]
    pub fn account(&self) -> Option<Account> {
        let all = self.rusage_minor_faults?.saturating_add(self.rusage_major_faults?);
        // The kernel does not account a fault that came to nothing.
        let seen = self.faults_seen - self.refused_faults.min(self.faults_seen);
        let faults = self.faults_counted?.saturating_sub(self.refused_faults).max(seen);
        let before_exec = self.before_exec_faults.unwrap_or(0);
        // Of lost records it is not known whose they were.
        let (own, own_seen) = match (self.processes, faults - seen) {
            (0 | 1, _) => (Some(all), faults),
            (_, 0) => (self.own_faults, self.own_faults_seen),
            _ => (None, 0),
        };
        let leaves_out = self.left_faults_seen > 0 && all < faults;
        let left = if leaves_out { self.left_faults_seen } else { 0 };
        let seen = faults.saturating_sub(left);
        let (counted, seen, covered) = match own {
            // A process that was waited for has no fewer faults than were seen of it.
            Some(own) if seen <= own_seen || all.saturating_sub(own) < seen - own_seen => {
                (own, own_seen, Covered::Program)
            }
            _ if all < seen => (all, seen, Covered::Unknown),
            _ => (all, seen, Covered::WaitedFor),
        };
        Some(Account { counted, seen, covered, before_exec, leaves_out })
    }

    /// Whether the kernel counted many more faults for the program than the trace shows: at least
    /// a tenth more, and 128. Every program has some from before its exec.
    #[must_use]
    pub fn has_many_unshown(&self) -> bool {
        self.account().is_some_and(|account| account.unshown() >= 128.max(account.seen / 10))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_is_compared_with_like() {
        let of = |minor, own, processes, own_seen, left_seen| {
            let summary = TraceSummary {
                rusage_minor_faults: Some(minor),
                rusage_major_faults: Some(0),
                own_faults: own,
                faults_seen: 300,
                faults_counted: Some(300),
                own_faults_seen: own_seen,
                left_faults_seen: left_seen,
                processes,
                ..TraceSummary::default()
            };
            summary.account().map(|account| (account.counted, account.seen, account.covered))
        };
        let (program, waited_for) = (Covered::Program, Covered::WaitedFor);
        assert_eq!(of(312, None, 1, 300, 0), Some((312, 300, program)), "no other process");
        assert_eq!(of(330, Some(110), 3, 100, 0), Some((330, 300, waited_for)));
        assert_eq!(of(330, None, 3, 100, 0), Some((330, 300, waited_for)), "own is not known");
        assert_eq!(of(230, Some(110), 3, 100, 100), Some((230, 200, waited_for)), "a daemon");
        assert_eq!(of(110, Some(110), 3, 100, 200), Some((110, 100, program)), "only a daemon");
        assert_eq!(of(110, Some(110), 3, 100, 0), Some((110, 100, program)), "never waited for");
        assert_eq!(of(110, None, 3, 100, 0), Some((110, 300, Covered::Unknown)));
        assert_eq!(of(330, None, 3, 100, 100), Some((330, 300, waited_for)), "a subreaper");
        let refused = TraceSummary {
            rusage_minor_faults: Some(105),
            rusage_major_faults: Some(0),
            faults_seen: 300,
            refused_faults: 200,
            faults_counted: Some(300),
            processes: 1,
            ..TraceSummary::default()
        };
        assert_eq!(refused.account().map(|account| account.unshown()), Some(5));
    }
}
