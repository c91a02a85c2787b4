//! Processes and threads, and what was paid in them.

use serde::{Deserialize, Serialize};

/// What was paid in a process or thread, whichever site had asked for the memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TalliedCosts {
    /// Calls that ask for memory; `null` if not all of them are in the recording.
    pub calls: Option<u64>,
    /// The sizes that they were given.
    pub allocated_bytes: Option<u64>,
    /// The time inside them, less faults on blocks and returns of memory.
    pub apparent_ns: Option<u64>,
    /// Calls that only give back.
    pub release_calls: Option<u64>,
    /// The time inside them, likewise.
    pub release_ns: Option<u64>,
    /// The bytes of blocks that other threads of its process had asked for, on pages that it
    /// faulted on; `null` if not all of that was seen.
    pub touched_for_others_bytes: Option<u64>,
    /// Page faults; `null` if they were not seen.
    pub faults: Option<u64>,
    /// Their time.
    pub fault_ns: Option<u64>,
    /// Memory syscalls; `null` if they were not seen.
    pub syscalls: Option<u64>,
    /// Their time.
    pub syscall_ns: Option<u64>,
    /// The time of its calls, of its faults and of its syscalls, each part once, as far as they
    /// are known.
    pub cost_ns: u64,
}

/// A process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessRow {
    /// Its number.
    pub pid: u32,
    /// The number of the process that forked it; `null` if that was not seen.
    pub parent: Option<u32>,
    /// The name of the last program that it executed, as `ps -e` shows it; of a fork that executed
    /// none, that of its parent. `null` if unknown.
    pub comm: Option<String>,
    /// Its start, or its first event, since the start of the recording.
    pub started_ns: u64,
    /// How long it lived since then, or until the end of the recording, without pauses.
    pub lived_ns: u64,
    /// Its threads.
    pub thread_count: u64,
    /// The most live bytes that it had asked for itself.
    pub peak_live_bytes: u64,
    /// Its most resident bytes of private memory: an estimate, as in the timeline. `null` if it
    /// cannot be made.
    pub peak_resident_bytes: Option<u64>,
    /// What was paid in it.
    #[serde(flatten)]
    pub costs: TalliedCosts,
}

/// A thread.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadRow {
    /// The number of its process.
    pub pid: u32,
    /// Its number.
    pub tid: u32,
    /// The name of the process; `null` if unknown.
    pub comm: Option<String>,
    /// Its start, or its first event, since the start of the recording.
    pub started_ns: u64,
    /// How long it lived since then, or until the end of the recording, without pauses.
    pub lived_ns: u64,
    /// What was paid in it.
    #[serde(flatten)]
    pub costs: TalliedCosts,
}

/// Processes or threads that have no row of their own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OthersRow {
    /// How many.
    pub count: u64,
    /// What was paid in them.
    #[serde(flatten)]
    pub costs: TalliedCosts,
}

impl TalliedCosts {
    /// Adds those of another one.
    fn add(&mut self, other: &TalliedCosts) {
        let sum = |own: &mut Option<u64>, other: Option<u64>| {
            *own = own.zip(other).map(|(own, other)| own.saturating_add(other));
        };
        sum(&mut self.calls, other.calls);
        sum(&mut self.allocated_bytes, other.allocated_bytes);
        sum(&mut self.apparent_ns, other.apparent_ns);
        sum(&mut self.release_calls, other.release_calls);
        sum(&mut self.release_ns, other.release_ns);
        sum(&mut self.touched_for_others_bytes, other.touched_for_others_bytes);
        sum(&mut self.faults, other.faults);
        sum(&mut self.fault_ns, other.fault_ns);
        sum(&mut self.syscalls, other.syscalls);
        sum(&mut self.syscall_ns, other.syscall_ns);
        self.cost_ns = self.cost_ns.saturating_add(other.cost_ns);
    }
}

impl OthersRow {
    /// `rows` and `others` as one; `None`: there are none.
    pub fn of<'a>(
        rows: impl Iterator<Item = &'a TalliedCosts>,
        others: Option<OthersRow>,
    ) -> Option<OthersRow> {
        let row = |costs: &TalliedCosts| OthersRow { count: 1, costs: *costs };
        rows.map(row).chain(others).reduce(|mut all, next| {
            all.count = all.count.saturating_add(next.count);
            all.costs.add(&next.costs);
            all
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_all_without_a_row() {
        let costs = |calls, cost_ns| TalliedCosts { calls, cost_ns, ..TalliedCosts::default() };
        let rows = [costs(Some(2), 5), costs(Some(1), 7)];
        let rest = OthersRow { count: 10, costs: costs(Some(100), 1000) };
        let all = OthersRow::of(rows.iter(), Some(rest)).expect("some");
        assert_eq!((all.count, all.costs.calls, all.costs.cost_ns), (12, Some(103), 1012));
        assert_eq!(OthersRow::of([].iter(), None), None);
        let unknown = OthersRow::of([costs(None, 1), costs(Some(1), 1)].iter(), None);
        assert_eq!(unknown.and_then(|all| all.costs.calls), None);
    }
}
