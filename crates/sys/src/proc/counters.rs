//! Counters of the whole machine, read before and after a measurement to see other activity.

use std::fs::read_to_string;
use std::time::Duration;

use super::{TICK_MS, field};

/// One reading of the machine's counters; `None` for what this kernel or container does not show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Processor time of all processes together.
    pub busy: Option<Duration>,
    /// Processor time that the hypervisor gave to other guests.
    pub steal: Option<Duration>,
    /// Time in which some task waited for a processor.
    pub cpu_pressure: Option<Duration>,
    /// Time in which some task waited for memory.
    pub memory_pressure: Option<Duration>,
    /// Huge pages allocated on a fault.
    pub thp_fault_alloc: Option<u64>,
    /// Faults that fell back from a huge page to small ones.
    pub thp_fault_fallback: Option<u64>,
    /// Faults that compacted memory first.
    pub compact_stall: Option<u64>,
    /// Free memory.
    pub free_bytes: Option<u64>,
}

impl Counters {
    /// Reads them all.
    #[must_use]
    pub fn now() -> Self {
        let text = |path| read_to_string(path).unwrap_or_default();
        let (stat, vmstat_text, meminfo) =
            (text("/proc/stat"), text("/proc/vmstat"), text("/proc/meminfo"));
        let (busy, steal) = cpu_ticks(&stat).unzip();
        Counters {
            busy,
            steal,
            cpu_pressure: pressure_total(&text("/proc/pressure/cpu")),
            memory_pressure: pressure_total(&text("/proc/pressure/memory")),
            thp_fault_alloc: vmstat(&vmstat_text, "thp_fault_alloc"),
            thp_fault_fallback: vmstat(&vmstat_text, "thp_fault_fallback"),
            compact_stall: vmstat(&vmstat_text, "compact_stall"),
            free_bytes: meminfo_bytes(&meminfo, "MemFree"),
        }
    }
}

/// Busy and stolen time of all processors together, from the first line of `/proc/stat`.
#[must_use]
pub fn cpu_ticks(stat: &str) -> Option<(Duration, Duration)> {
    let line = stat.lines().find(|line| line.starts_with("cpu "))?;
    let ticks: Vec<u64> =
        line.split_whitespace().skip(1).map_while(|word| word.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal; guest time is part of user.
    let [user, nice, system, _idle, _iowait, irq, softirq, steal, ..] = ticks[..] else {
        return None;
    };
    Some((ticks_to_time(user + nice + system + irq + softirq), ticks_to_time(steal)))
}

fn ticks_to_time(ticks: u64) -> Duration {
    Duration::from_millis(TICK_MS.saturating_mul(ticks))
}

/// The stall time of "some" tasks, from a file of `/proc/pressure`.
#[must_use]
pub fn pressure_total(text: &str) -> Option<Duration> {
    let some = text.lines().find(|line| line.starts_with("some "))?;
    Some(Duration::from_micros(some.split("total=").nth(1)?.trim().parse().ok()?))
}

/// One counter of `/proc/vmstat`.
#[must_use]
pub fn vmstat(text: &str, name: &str) -> Option<u64> {
    field(text, name)
}

/// Processes that the out-of-memory killer has killed so far; `None` before Linux 4.13.
#[must_use]
pub fn oom_kills() -> Option<u64> {
    vmstat(&read_to_string("/proc/vmstat").ok()?, "oom_kill")
}

/// One line of `/proc/meminfo`, in bytes.
#[must_use]
pub fn meminfo_bytes(text: &str, name: &str) -> Option<u64> {
    field(text, &format!("{name}:")).map(|kilobytes| kilobytes * 1024)
}

/// Memory available without swapping, as the kernel estimates it (`MemAvailable`).
#[must_use]
pub fn available_bytes() -> Option<u64> {
    meminfo_bytes(&read_to_string("/proc/meminfo").ok()?, "MemAvailable")
}

/// Memory that can still be committed, where the kernel enforces its limit
/// (`vm.overcommit_memory` 2); `None` where it does not.
#[must_use]
pub fn commit_left_bytes() -> Option<u64> {
    if super::sysctl::overcommit_memory() != Some(2) {
        return None;
    }
    commit_left(&read_to_string("/proc/meminfo").ok()?)
}

/// The commit limit less what is committed.
fn commit_left(meminfo: &str) -> Option<u64> {
    let (limit, committed) =
        (meminfo_bytes(meminfo, "CommitLimit")?, meminfo_bytes(meminfo, "Committed_AS")?);
    Some(limit.saturating_sub(committed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_time_leaves_out_idle_and_steal() {
        let stat = "cpu  531 1 494 72474 85 2 13 5 7 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n";
        assert_eq!(cpu_ticks(stat), Some((ticks_to_time(1041), ticks_to_time(5))));
        assert_eq!(cpu_ticks("cpu  1 2 3\n"), None);
        // A year of 256 idle processors is more ticks than 32 bits hold.
        assert_eq!(
            cpu_ticks("cpu  1 0 0 80000000000 0 0 0 2\n"),
            Some((ticks_to_time(1), ticks_to_time(2)))
        );
        assert_eq!(cpu_ticks(""), None);
    }

    #[test]
    fn pressure_is_in_microseconds() {
        let text = "some avg10=0.00 avg60=0.00 avg300=0.11 total=1616398\n\
                   full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n";
        assert_eq!(pressure_total(text), Some(Duration::from_micros(1_616_398)));
        assert_eq!(pressure_total(""), None);
    }

    #[test]
    fn meminfo_is_in_kilobytes() {
        let text = "MemTotal:       24684000 kB\nMemFree:        24036000 kB\n";
        assert_eq!(meminfo_bytes(text, "MemFree"), Some(24_036_000 * 1024));
        assert_eq!(meminfo_bytes(text, "Mem"), None);
        assert_eq!(commit_left("CommitLimit: 9 kB\nCommitted_AS: 5 kB\n"), Some(4096));
        assert_eq!(commit_left("CommitLimit: 5 kB\nCommitted_AS: 9 kB\n"), Some(0));
    }

    #[test]
    fn the_real_counters_move() {
        let before = Counters::now();
        assert!(before.busy.is_some() && before.free_bytes.is_some());
        assert!(available_bytes().unwrap() > 0);
    }
}
