//! What control groups and resource limits allow this process.

use results::doctor::Check;
use sys::facts::{Facts, Own};

use crate::quantity::bytes;
use crate::{DEFAULT_RUN_BYTES, ok, skip, warn};

/// A child's own code, libraries and stack, in address space (`lab::capacity`).
const CHILD_BYTES: u64 = 24 << 20;
/// What perf's smallest useful buffer for one processor needs: 128 KiB and a page for its head.
const PERF_BUFFER_KIB: u64 = 132;

/// Limits of control groups: memory, swap, processor time.
pub(crate) fn cgroup(facts: &Facts) -> Check {
    const ID: &str = "cgroup";
    let groups = &facts.groups;
    if !groups.visible {
        return skip(ID, "/proc/self/cgroup is not readable, or this kernel has no control groups");
    }
    let (mut found, mut effects, mut fixes) = (Vec::new(), Vec::new(), Vec::new());
    let mut remarks = Vec::new();
    if let Some(memory) = &groups.memory {
        let file = memory.file.display();
        found.push(format!(
            "memory: {} of {} left ({file})",
            bytes(memory.left_bytes),
            bytes(memory.limit_bytes)
        ));
        if memory.left_bytes < DEFAULT_RUN_BYTES {
            effects.push("its default of 100 MiB does not fit and is refused".to_owned());
            let none = if memory.file.ends_with("memory.max") { "max" } else { "-1" };
            let smaller = smaller_size(memory.left_bytes)
                .map(|size| format!(", or firsttouch bench --size {size}"));
            fixes.push(format!("echo {none} | sudo tee {file}{}", smaller.unwrap_or_default()));
        } else {
            remarks.push("sizes that do not fit are refused".to_owned());
        }
    }
    if let Some(high) = &groups.high {
        let file = high.file.display();
        found.push(format!(
            "slowed down: {} below {} ({file})",
            bytes(high.left_bytes),
            bytes(high.limit_bytes)
        ));
        if high.left_bytes < DEFAULT_RUN_BYTES {
            effects.push("above memory.high the kernel slows every fault down".to_owned());
            fixes.push(format!("echo max | sudo tee {file}"));
        }
    }
    if let Some(swap_bytes) = groups.swap_bytes {
        found.push(format!("swap: {} allowed", bytes(swap_bytes)));
    }
    if let Some(quota) = &groups.quota {
        let throttled =
            quota.throttled.map(|n| format!(", stopped {} so far", times(n))).unwrap_or_default();
        found.push(format!(
            "quota: {:.2} processors{throttled} ({})",
            quota.cpus,
            quota.file.display()
        ));
        // A run is one busy process at a time: below one processor it is stopped for sure.
        if quota.cpus < 1.0 || quota.throttled.is_some_and(|n| n > 0) {
            effects.push(
                "a sample that is stopped by the quota shows the waiting as its own time"
                    .to_owned(),
            );
            let none = if quota.file.ends_with("cpu.max") { "max" } else { "-1" };
            fixes.push(format!("echo {none} | sudo tee {}", quota.file.display()));
        }
    }
    if found.is_empty() {
        return ok(ID, "no limit of memory, swap or processor time");
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

fn times(number: u64) -> String {
    if number == 1 { "once".to_owned() } else { format!("{number} times") }
}

/// A size that would fit: a quarter of what is left, in whole MiB. Where less than 96 MiB is left,
/// no size does, since bench holds some 32 MiB of small blocks at once and leaves 32 MiB to the
/// kernel.
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
        return ok(ID, found).effect("bench: sizes beyond it are refused");
    }
    warn(ID, found)
        .effect("bench: its default of 100 MiB does not fit and is refused")
        .fix(list(|(.., option)| format!("ulimit {option} unlimited"), "; "))
        .touching("bench")
}

/// Memory that may be locked: what perf's buffers live on.
pub(crate) fn memlock(facts: &Facts) -> Check {
    const ID: &str = "memlock";
    let limit = facts.own.locked_bytes;
    let word = limit.map_or_else(|| "unlimited".to_owned(), bytes);
    let Some(perf_kib) = facts.access.perf_event_mlock_kib else {
        return skip(ID, format!("{word}; kernel.perf_event_mlock_kb is not readable"));
    };
    let found = format!("{word}; for perf {perf_kib} KiB a processor besides");
    let enough =
        limit.is_none_or(|limit| limit >= PERF_BUFFER_KIB << 10) || perf_kib >= PERF_BUFFER_KIB;
    if enough || facts.own.can(Own::IPC_LOCK) {
        return ok(ID, found);
    }
    warn(ID, found)
        .effect("watching the events of a program through perf's buffers: they are too small, or refused with EPERM")
        .fix("sudo sysctl kernel.perf_event_mlock_kb=516")
}
