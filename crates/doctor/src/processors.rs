//! How steadily the processors run, what they share, and how finely time is read.

use results::doctor::Check;
use sys::facts::Facts;

use crate::host::others_are_busy;
use crate::quantity::count;
use crate::{ok, skip, warn};

/// A reading of the clock that takes longer is a system call: in user space it takes some tens of
/// nanoseconds.
const CLOCK_READ_MAX_NS: f64 = 200.0;

/// The frequency governor.
pub(crate) fn governor(facts: &Facts) -> Check {
    const ID: &str = "governor";
    let Some(governors) = &facts.processors.governors else {
        return skip(ID, no_scaling(facts, "processors whose frequency Linux does not set"));
    };
    let found = governors.join(", ");
    if governors.iter().all(|governor| governor == "performance") {
        return ok(ID, found);
    }
    warn(ID, found)
        .effect(
            "bench: a processor speeds up only once it is busy, so a sample depends on what ran before it: wider \
             intervals, and small sizes look slower",
        )
        .fix("sudo cpupower frequency-set -g performance")
        .touching("bench")
}

/// In a guest, a missing switch is the host's.
fn no_scaling(facts: &Facts, otherwise: &str) -> String {
    match facts.host.virtualized {
        Some(true) => "the host's affair: not shown to this guest".to_owned(),
        _ => otherwise.to_owned(),
    }
}

/// Speeds above the rated one.
pub(crate) fn boost(facts: &Facts) -> Check {
    const ID: &str = "boost";
    match &facts.processors.boost {
        None => skip(ID, no_scaling(facts, "no switch for it, or no such speeds")),
        Some(boost) if !boost.on => ok(ID, "off: no speed but the rated one"),
        Some(boost) => warn(
            ID,
            "on: the speed depends on temperature and on how many processors work",
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
        None => skip(ID, "/sys/devices/system/cpu/smt is not there: whether processors share a core cannot be seen"),
        Some(false) if facts.host.virtualized == Some(false) => ok(ID, "off: no two processors share a core"),
        Some(false) => {
            ok(ID, "off, as far as Linux is told; the host of a guest may run two of its processors on one core")
        }
        Some(true) if !others_are_busy(facts) => {
            ok(ID, "on: two processors share a core and its caches; little else runs now")
                .effect("bench: it runs one process at a time, so only what others run on the other half disturbs it")
        }
        Some(true) => warn(ID, "on, and other processes are busy now")
            .effect("bench: writing memory takes longer while the other half of the core works: wider intervals")
            .fix("echo off | sudo tee /sys/devices/system/cpu/smt/control")
            .touching("bench"),
    }
}

/// Memory that is nearer to some processors than to others.
pub(crate) fn numa(facts: &Facts) -> Check {
    const ID: &str = "numa";
    let Some(nodes) = facts.processors.nodes else {
        return skip(ID, "/sys/devices/system/node is not there: memory nodes cannot be seen");
    };
    if nodes <= 1 {
        return ok(ID, "1 node: all memory is equally near");
    }
    match facts.processors.numa_balancing {
        Some(mode) if mode != 0 => warn(ID, format!("{}; kernel.numa_balancing {mode}", count(nodes, "node")))
            .effect(
                "bench: the kernel unmaps pages to see who uses them and may move them: faults and time that no arm \
                 caused",
            )
            .fix("sudo sysctl kernel.numa_balancing=0")
            .touching("bench"),
        _ => ok(
            ID,
            format!(
                "{}, no balancing: memory comes from the node of the processor that touches it",
                count(nodes, "node")
            ),
        )
        .effect("bench: each block runs on one processor, so ratios hold; --cpu N keeps times to one node"),
    }
}

/// How times are read.
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
        .effect("bench: short phases (obtain above all) contain the reading of the clock itself")
        .fix("boot with clocksource=tsc if the processor's tsc is sound (dmesg | grep -i tsc)")
        .touching("bench")
}
