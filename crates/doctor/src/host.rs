//! What competes for this machine: a hypervisor, its other guests, other processes.

use std::time::Duration;

use results::doctor::Check;
use sys::facts::Facts;

use crate::quantity::{count, percent};
use crate::{ok, skip, warn};

/// The thresholds at which bench drops a block (`lab::disturbance`): a share of the time, and at
/// least three ticks of 10 ms.
const STEAL_SHARE: f64 = 0.05;
const OTHERS_SHARE: f64 = 0.25;
const LEAST: Duration = Duration::from_millis(30);
/// Stolen since boot, as a share of the time that this machine wanted to run: 1 %.
const STEAL_SINCE_BOOT: f64 = 0.01;

/// Whether this machine is a guest.
pub(crate) fn virtualization(facts: &Facts) -> Check {
    const ID: &str = "virtualization";
    let name = facts.host.hypervisor.as_deref().unwrap_or("an unnamed hypervisor");
    match facts.host.virtualized {
        None => {
            skip(ID, "unknown: neither the processor nor /proc shows whether there is a hypervisor")
        }
        Some(false) => ok(ID, "none: this is a physical machine"),
        Some(true) => warn(ID, format!("a guest of {name}"))
            .effect(
                "bench: first-touch times include the host's work on the page, which no counter \
                here shows",
            )
            .fix(
                "none in the guest (bench warms memory first); compare only figures of one guest \
                on one host",
            )
            .touching("bench"),
    }
}

/// Whether freed memory is returned to the host.
pub(crate) fn memory_cold(facts: &Facts) -> Check {
    const ID: &str = "memory-cold";
    match facts.host.free_page_reporting {
        None => skip(ID, "the virtio devices cannot be listed"),
        Some(false) => ok(ID, "freed memory stays in the guest: no balloon reports it"),
        Some(true) => warn(
            ID,
            "a virtio balloon returns freed memory to the host within seconds",
        )
        .effect(
            "bench: the next touch waits for the hypervisor, longest for huge pages; bench warms \
            memory before every sample, and warns if some was still cold",
        )
        .fix(
            "on the host: disable free page reporting; in the guest: firsttouch bench --memory \
            cold measures this state",
        )
        .touching("bench"),
    }
}

/// Processor time that the hypervisor gave to other guests.
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
        .effect(
            "bench: samples stop while the host runs other guests; blocks that lost 5 % are \
            dropped, and runs take longer",
        )
        .fix(
            "on the host: reduce the load; in the guest: firsttouch bench --max-time 5m when the \
            host is quieter",
        )
        .touching("bench")
}

/// Processor time of other processes.
pub(crate) fn busy_machine(facts: &Facts) -> Check {
    const ID: &str = "busy-machine";
    let activity = &facts.activity;
    let Some(others) = activity.others_cpu else { return skip(ID, "/proc/stat is not readable") };
    let cpus =
        facts.processors.online.as_ref().map_or(facts.own.allowed_cpus.len(), Vec::len).max(1);
    // Rounding to whole ticks can add up to slightly more than the window.
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
            "bench: others take processor time, cache and memory bandwidth; up to a fifth of its \
            blocks are dropped, beyond that intervals are wider",
        )
        .fix("stop other processes (top lists them), or firsttouch bench --max-time 5m")
        .touching("bench")
}

/// Whether bench would drop a block for the load of other processes now.
pub(crate) fn others_are_busy(facts: &Facts) -> bool {
    facts
        .activity
        .others_cpu
        .is_some_and(|others| exceeds(others, facts.activity.window, OTHERS_SHARE))
}

fn exceeds(time: Duration, window: Duration, share: f64) -> bool {
    time >= LEAST && time.as_nanos() as f64 / window.as_nanos().max(1) as f64 >= share
}
