//! The limits that control groups and rlimits set for this process.

use results::doctor::Check;
use sys::facts::{Facts, Groups, Own};

use crate::quantity::bytes;
use crate::{DEFAULT_RUN_BYTES, ok, skip, warn};

/// A child's own code, libraries and stack, in address space (`lab::capacity`).
const CHILD_BYTES: u64 = 24 << 20;
/// The smallest useful perf buffer for one processor: 128 KiB and one page for its header.
const PERF_BUFFER_KIB: u64 = 132;

/// What the limits of the control groups come to, part by part.
#[derive(Default)]
struct Findings {
    found: Vec<String>,
    /// What the limits do to figures of bench now.
    effects: Vec<String>,
    fixes: Vec<String>,
    /// Limits that do no harm at the default size.
    remarks: Vec<&'static str>,
}

/// Limits of control groups: memory, swap, processor time.
pub(crate) fn cgroup(facts: &Facts) -> Check {
    const ID: &str = "cgroup";
    let groups = &facts.groups;
    if !groups.visible {
        return skip(ID, "/proc/self/cgroup is not readable, or the kernel has no control groups");
    }
    let mut findings = Findings::default();
    findings.memory(groups);
    if let Some(swap_bytes) = groups.swap_bytes {
        findings.found.push(format!("swap: {} allowed", bytes(swap_bytes)));
    }
    findings.quota(groups);
    let Findings { found, effects, fixes, remarks } = findings;
    if found.is_empty() {
        return ok(ID, "no limit on memory, swap or processor time");
    }
    let found = found.join("; ");
    if effects.is_empty() {
        let check = ok(ID, found);
        return if remarks.is_empty() {
            check
        } else {
            check.effect(format!("bench: {}", remarks.join("; ")))
        };
    }
    warn(ID, found)
        .effect(format!("bench: {}", effects.join("; ")))
        .fix(fixes.join("; "))
        .touching("bench")
}

impl Findings {
    /// `memory.max` and `memory.high`, or their counterparts in version 1.
    fn memory(&mut self, groups: &Groups) {
        if let Some(memory) = &groups.memory {
            let file = memory.file.display();
            self.found.push(format!(
                "memory: {} of {} left ({file})",
                bytes(memory.left_bytes),
                bytes(memory.limit_bytes)
            ));
            if memory.left_bytes < DEFAULT_RUN_BYTES {
                self.effects
                    .push("the default size of 100 MiB does not fit and is refused".to_owned());
                let none = if memory.file.ends_with("memory.max") { "max" } else { "-1" };
                let smaller = smaller_size(memory.left_bytes)
                    .map(|size| format!(", or firsttouch bench --size {size}"));
                self.fixes
                    .push(format!("echo {none} | sudo tee {file}{}", smaller.unwrap_or_default()));
            } else {
                self.remarks.push("refuses sizes that do not fit");
            }
        }
        if let Some(high) = &groups.high {
            let file = high.file.display();
            self.found.push(format!(
                "slowed above memory.high: {} of {} left ({file})",
                bytes(high.left_bytes),
                bytes(high.limit_bytes)
            ));
            if high.left_bytes < DEFAULT_RUN_BYTES {
                self.effects.push("above memory.high the kernel delays every fault".to_owned());
                self.fixes.push(format!("echo max | sudo tee {file}"));
            }
        }
    }

    /// The quota of processor time.
    fn quota(&mut self, groups: &Groups) {
        if let Some(quota) = &groups.quota {
            let throttled = quota
                .throttled
                .map(|n| format!(", stopped {} so far", times(n)))
                .unwrap_or_default();
            self.found.push(format!(
                "quota: {:.2} processors{throttled} ({})",
                quota.cpus,
                quota.file.display()
            ));
            // A run keeps one process busy at a time: a quota under one processor always stops it.
            if quota.cpus < 1.0 || quota.throttled.is_some_and(|n| n > 0) {
                self.effects.push(
                    "when the quota stops a sample, the wait counts as its own time".to_owned(),
                );
                let none = if quota.file.ends_with("cpu.max") { "max" } else { "-1" };
                self.fixes.push(format!("echo {none} | sudo tee {}", quota.file.display()));
            }
        }
    }
}

fn times(number: u64) -> String {
    if number == 1 { "once".to_owned() } else { format!("{number} times") }
}

/// A size that fits: a quarter of what is left, in whole MiB. With less than 96 MiB left no size
/// fits, because bench holds about 32 MiB of small blocks at once and leaves 32 MiB for the kernel.
fn smaller_size(left_bytes: u64) -> Option<String> {
    (left_bytes >= 96 << 20).then(|| format!("{}MiB", (left_bytes / 4) >> 20))
}

/// Resource limits of memory: getrlimit(2).
pub(crate) fn limits(facts: &Facts) -> Check {
    const ID: &str = "limits";
    let own = &facts.own;
    let named = [(own.address_space_bytes, "address space", "-v"), (own.data_bytes, "data", "-d")];
    let finite: Vec<_> = named
        .into_iter()
        .filter_map(|(limit, what, option)| Some((limit?, what, option)))
        .collect();
    let Some(&(tightest, ..)) = finite.iter().min() else {
        return ok(ID, "none on address space and data (ulimit -v, -d)");
    };
    let list = |entry: fn(&(u64, &str, &str)) -> String, between: &str| {
        finite.iter().map(entry).collect::<Vec<_>>().join(between)
    };
    let found =
        list(|(limit, what, option)| format!("{what} {} (ulimit {option})", bytes(*limit)), "; ");
    if tightest.saturating_sub(CHILD_BYTES) >= DEFAULT_RUN_BYTES {
        return ok(ID, found).effect("bench: refuses larger sizes");
    }
    warn(ID, found)
        .effect(
            "bench: the default size of 100 MiB does not fit and is refused; every program started \
             here has the limit: reservations count in full, and mmap and malloc fail with ENOMEM \
             while memory is free",
        )
        .fix(list(|(.., option)| format!("ulimit {option} unlimited"), "; "))
        .touching("bench")
}

/// Memory that may be locked: perf's buffers are charged to it.
pub(crate) fn memlock(facts: &Facts) -> Check {
    const ID: &str = "memlock";
    let limit = facts.own.locked_bytes;
    let word = limit.map_or_else(|| "unlimited".to_owned(), bytes);
    let Some(perf_kib) = facts.access.perf_event_mlock_kib else {
        return skip(ID, format!("{word}; kernel.perf_event_mlock_kb is not readable"));
    };
    let found = format!("{word}; plus {perf_kib} KiB per processor for perf");
    let enough =
        limit.is_none_or(|limit| limit >= PERF_BUFFER_KIB << 10) || perf_kib >= PERF_BUFFER_KIB;
    if enough || facts.own.can(Own::IPC_LOCK) {
        return ok(ID, found);
    }
    warn(ID, found)
        .effect(
            "hides: a program's events through perf; its buffers are too small, or refused with \
            EPERM",
        )
        .fix("sudo sysctl kernel.perf_event_mlock_kb=516")
}
