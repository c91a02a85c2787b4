//! The processors: frequency, shared cores, memory nodes, and the clock.

use results::doctor::Check;
use sys::facts::Facts;

use crate::host::others_are_busy;
use crate::quantity::count;
use crate::{ok, skip, warn};

/// A clock reading that takes longer is a system call: in user space it takes some tens of
/// nanoseconds.
const CLOCK_READ_MAX_NS: f64 = 200.0;

/// The frequency governor.
pub(crate) fn governor(facts: &Facts) -> Check {
    const ID: &str = "governor";
    let Some(governors) = &facts.processors.governors else {
        return skip(ID, no_scaling(facts, "Linux does not set the frequency of these processors"));
    };
    let found = governors.join(", ");
    if governors.iter().all(|governor| governor == "performance") {
        return ok(ID, found);
    }
    warn(ID, found)
        .effect(
            "bench: a processor speeds up only under load, so a sample depends on what ran before \
            it: wider intervals, and small sizes look slower",
        )
        .fix("sudo cpupower frequency-set -g performance")
        .touching("bench")
}

/// In a guest the host controls the frequency, so the switch is missing.
fn no_scaling(facts: &Facts, otherwise: &str) -> String {
    match facts.host.virtualized {
        Some(true) => "controlled by the host and not visible in this guest".to_owned(),
        _ => otherwise.to_owned(),
    }
}

/// Speeds above the base frequency.
pub(crate) fn boost(facts: &Facts) -> Check {
    const ID: &str = "boost";
    match &facts.processors.boost {
        None => skip(ID, no_scaling(facts, "no switch, or no boost speeds")),
        Some(boost) if !boost.on => ok(ID, "off: the base frequency is the maximum"),
        Some(boost) => warn(
            ID,
            "on: the frequency depends on temperature and on how many processors are busy",
        )
        .effect("bench: times drift over a run and differ between runs; ratios within a block hold")
        .fix(boost.off_command)
        .touching("bench"),
    }
}

/// Processors that share a core.
pub(crate) fn smt(facts: &Facts) -> Check {
    const ID: &str = "smt";
    match facts.processors.smt_active {
        None => skip(ID, "unknown: /sys/devices/system/cpu/smt does not exist"),
        Some(false) if facts.host.virtualized == Some(false) => {
            ok(ID, "off: every processor has its own core")
        }
        Some(false) => {
            ok(ID, "off in this guest; the host may still run two of its processors on one core")
        }
        Some(true) if !others_are_busy(facts) => {
            ok(ID, "on: two processors share a core and its caches; other processes are quiet now")
                .effect("bench: runs one process at a time, so only other processes disturb it")
        }
        Some(true) => warn(ID, "on, and other processes are busy now")
            .effect(
                "bench: writes take longer while the other half of the core is busy: wider \
                intervals",
            )
            .fix("echo off | sudo tee /sys/devices/system/cpu/smt/control")
            .touching("bench"),
    }
}

/// NUMA nodes and balancing.
pub(crate) fn numa(facts: &Facts) -> Check {
    const ID: &str = "numa";
    let Some(nodes) = facts.processors.nodes else {
        return skip(ID, "unknown: /sys/devices/system/node does not exist");
    };
    if nodes <= 1 {
        return ok(ID, "1 node: all memory is local");
    }
    match facts.processors.numa_balancing {
        Some(mode) if mode != 0 => warn(
            ID,
            format!("{}; kernel.numa_balancing {mode}", count(nodes, "node")),
        )
        .effect(
            "bench: the kernel unmaps pages to sample their use and may move them: extra faults \
            and time that no arm caused",
        )
        .fix("sudo sysctl kernel.numa_balancing=0")
        .touching("bench"),
        _ => ok(
            ID,
            format!(
                "{}, no balancing: a page comes from the node of the processor that first touches \
                it",
                count(nodes, "node")
            ),
        )
        .effect(
            "bench: each block runs on one processor, so ratios hold; --cpu N keeps all times on \
            one node",
        ),
    }
}

/// The clock source and the cost of a reading.
pub(crate) fn clock(facts: &Facts) -> Check {
    const ID: &str = "clock";
    let Some(read_ns) = facts.processors.clock_read_ns else {
        return skip(ID, "the clock was not timed");
    };
    let source = facts.processors.clocksource.as_deref().unwrap_or("unknown source");
    let found = format!("{source}: a reading takes {read_ns:.0} ns");
    if read_ns <= CLOCK_READ_MAX_NS {
        return ok(ID, found);
    }
    warn(ID, format!("{found}, so it is a system call"))
        .effect("bench: short phases, above all obtain, include the time of the clock reading")
        .fix("boot with clocksource=tsc if the kernel trusts the TSC (dmesg | grep -i tsc)")
        .touching("bench")
}
