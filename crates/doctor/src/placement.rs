//! Which processors this process runs on, and how its address space is laid out.

use results::doctor::Check;
use sys::facts::{Facts, Own};

use crate::quantity::{count, cpu_list};
use crate::{ok, skip, warn};

/// Address space layout randomisation.
pub(crate) fn aslr(facts: &Facts) -> Check {
    const ID: &str = "aslr";
    const FIXED: &str = "bench: all samples have the same layout, so the layout biases all of them \
        alike: intervals are too narrow, and results may differ on another machine or build";
    let Some(randomize) = facts.own.randomize else {
        return skip(ID, "/proc/sys/kernel/randomize_va_space is not readable");
    };
    if facts.own.personality.is_some_and(|personality| personality & Own::NO_RANDOMIZE != 0) {
        return warn(
            ID,
            format!("{randomize}, but off for this process (personality ADDR_NO_RANDOMIZE)"),
        )
        .effect(FIXED)
        .fix("start firsttouch without setarch -R and outside a debugger")
        .touching("bench");
    }
    match randomize {
        2 => ok(ID, "2: every process gets a random layout"),
        1 => warn(ID, "1: the heap start is not random")
            .effect(
                "bench: small sizes of malloc and calloc have the same heap layout in every sample",
            )
            .fix("sudo sysctl kernel.randomize_va_space=2")
            .touching("bench"),
        other => warn(ID, format!("{other}: layouts are not random"))
            .effect(FIXED)
            .fix("sudo sysctl kernel.randomize_va_space=2")
            .touching("bench"),
    }
}

/// The processors that this process may use.
pub(crate) fn affinity(facts: &Facts) -> Check {
    const ID: &str = "affinity";
    let allowed = &facts.own.allowed_cpus;
    let Some(online) = &facts.processors.online else {
        let known = if allowed.is_empty() { "none".to_owned() } else { cpu_list(allowed) };
        return skip(ID, format!("allowed: {known}; the number of processors is not shown"));
    };
    let found = format!(
        "{} of {} ({})",
        allowed.len(),
        count(online.len(), "processor"),
        cpu_list(allowed)
    );
    match (allowed.len(), online.len()) {
        (1, _) => warn(ID, format!("{found}: only one"))
            .effect("bench: other processes interrupt its samples: wider intervals")
            .fix(if online.len() > 1 {
                format!(
                    "taskset -c {} firsttouch bench, or a container with more processors",
                    cpu_list(online)
                )
            } else {
                "use a machine with two processors, or stop other processes and pass --max-time 5m"
                    .to_owned()
            })
            .touching("bench"),
        (allowed, online) if allowed < online => {
            ok(ID, found).effect("bench: uses only these processors")
        }
        _ => ok(ID, found),
    }
}

/// Processors that the scheduler's load balancing leaves out.
pub(crate) fn isolation(facts: &Facts) -> Check {
    const ID: &str = "isolation";
    let Some(isolated) = &facts.processors.isolated else {
        return skip(ID, "/sys/devices/system/cpu/isolated is not readable");
    };
    let quiet = facts.processors.nohz_full.as_deref().unwrap_or_default();
    let tick = if quiet.is_empty() {
        String::new()
    } else {
        format!("; no tick on {} (nohz_full)", cpu_list(quiet))
    };
    let Some(first) = isolated.first() else {
        return ok(ID, format!("none: the scheduler uses every processor{tick}"));
    };
    let found = format!("{} (isolcpus){tick}", cpu_list(isolated));
    if facts.own.allowed_cpus.iter().any(|cpu| isolated.contains(cpu)) {
        return ok(ID, format!("{found}; this process may use them"));
    }
    ok(ID, format!("{found}; this process may not use them"))
        .effect("bench: runs on the other processors, where more interrupts it")
        .fix(format!("taskset -c {first} firsttouch bench"))
}
