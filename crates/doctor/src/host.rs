//! What is below and beside this machine's processes: a hypervisor, its other guests, other
//! processes.

use std::time::Duration;

use results::doctor::Check;
use sys::facts::Facts;

use crate::quantity::{count, percent};
use crate::{ok, skip, warn};

/// The rule by which bench drops a block (`lab::disturbance`): shares of the time, and three ticks
/// of 10 ms at least.
const STEAL_SHARE: f64 = 0.05;
const OTHERS_SHARE: f64 = 0.25;
const LEAST: Duration = Duration::from_millis(30);
/// Stolen since boot: one part in a hundred of what this machine wanted to run.
const STEAL_SINCE_BOOT: f64 = 0.01;

/// Whether a hypervisor is below.
pub(crate) fn virtualization(facts: &Facts) -> Check {
    const ID: &str = "virtualization";
    let name = facts.host.hypervisor.as_deref().unwrap_or("an unnamed hypervisor");
    match facts.host.virtualized {
        None => skip(ID, "this processor, or a missing /proc, does not say whether a hypervisor is below"),
        Some(false) => ok(ID, "none: this is the machine itself"),
        Some(true) => warn(ID, format!("a guest of {name}"))
            .effect(
                "bench: the times of a first touch contain the host's own work on the page, which no count here shows",
            )
            .fix("none from within: bench warms memory first; compare figures of one guest and host only")
            .touching("bench"),
    }
}

/// Whether freed memory goes back to the host.
pub(crate) fn memory_cold(facts: &Facts) -> Check {
    const ID: &str = "memory-cold";
    match facts.host.free_page_reporting {
        None => skip(ID, "the virtio devices cannot be listed"),
        Some(false) => ok(ID, "freed memory stays here: no balloon reports it to a host"),
        Some(true) => warn(ID, "a virtio balloon reports freed memory to the host, which takes it back within seconds")
            .effect(
                "bench: the next touch of it waits for the hypervisor, and huge pages wait longest; bench warms memory \
                 before every sample, and warns by this id if some was cold all the same",
            )
            .fix(
                "only the host's owner can (free page reporting off); in the guest: firsttouch bench --memory cold \
                 measures that state itself",
            )
            .touching("bench"),
    }
}

/// Time that the hypervisor gave to others.
pub(crate) fn steal(facts: &Facts) -> Check {
    const ID: &str = "steal";
    let activity = &facts.activity;
    let (Some(since_boot), Some(stolen)) = (activity.stolen_share_since_boot, activity.stolen)
    else {
        return skip(ID, "/proc/stat is not readable");
    };
    let found = format!(
        "{} of busy time since boot; {} of {} ms now",
        percent(since_boot),
        stolen.as_millis(),
        activity.window.as_millis()
    );
    if !exceeds(stolen, activity.window, STEAL_SHARE) && since_boot < STEAL_SINCE_BOOT {
        return ok(ID, found);
    }
    warn(ID, found)
        .effect("bench: samples stand still while the host runs others; blocks that lost 5 % are dropped, and runs take longer")
        .fix("only the host's owner can; in the guest: firsttouch bench --max-time 5m, at a quieter hour")
        .touching("bench")
}

/// What other processes do.
pub(crate) fn busy_machine(facts: &Facts) -> Check {
    const ID: &str = "busy-machine";
    let activity = &facts.activity;
    let Some(others) = activity.others_cpu else { return skip(ID, "/proc/stat is not readable") };
    let cpus =
        facts.processors.online.as_ref().map_or(facts.own.allowed_cpus.len(), Vec::len).max(1);
    // Whole ticks can add up to a little more than there was.
    let used = (others.as_secs_f64() / activity.window.as_secs_f64().max(f64::MIN_POSITIVE))
        .min(cpus as f64);
    let load = activity.load.map(|load| format!("; load {load:.2}")).unwrap_or_default();
    let found = format!(
        "others: {used:.1} of {} over {} ms{load}",
        count(cpus, "processor"),
        activity.window.as_millis()
    );
    if !others_are_busy(facts) {
        return ok(ID, found);
    }
    warn(ID, found)
        .effect(
            "bench: others take processor, cache and memory bandwidth; blocks are dropped, at most one in five, and \
             beyond that intervals are wider",
        )
        .fix("stop what else runs (top shows it), or firsttouch bench --max-time 5m")
        .touching("bench")
}

/// Whether a block of bench would be dropped for what others do now.
pub(crate) fn others_are_busy(facts: &Facts) -> bool {
    facts
        .activity
        .others_cpu
        .is_some_and(|others| exceeds(others, facts.activity.window, OTHERS_SHARE))
}

fn exceeds(time: Duration, window: Duration, share: f64) -> bool {
    time >= LEAST && time.as_nanos() as f64 / window.as_nanos().max(1) as f64 >= share
}
