//! What this user may look at. A measurement that is refused is hidden, not wrong.

use results::doctor::Check;
use sys::facts::{Facts, Own, ProcFiles};

use crate::{blocked, ok, skip, warn};

/// perf events: what the level says, and what really happens.
pub(crate) fn perf(facts: &Facts) -> Check {
    const ID: &str = "perf-refused";
    let access = &facts.access;
    let Some(user) = access.user_faults else { return skip(ID, "counting faults was not tried") };
    let level = match access.perf_event_paranoid {
        None => "perf_event_paranoid is not readable".to_owned(),
        Some(level) => format!("level {level} ({})", meaning(level)),
    };
    if let Err(errno) = user {
        let fix = match access.perf_event_paranoid {
            _ if errno.to_string().starts_with("ENOSYS") => {
                "a kernel with CONFIG_PERF_EVENTS, or a container whose seccomp filter allows perf_event_open"
            }
            Some(level) if level > 2 => "sudo sysctl kernel.perf_event_paranoid=2",
            _ => {
                "docker run --cap-add PERFMON, or whatever else lets perf_event_open through a seccomp filter"
            }
        };
        return blocked(ID, format!("{level}; tried: {errno}"))
            .effect(
                "bench: traps are not counted; the kernel's count of minor faults stands in their place, in brackets. \
                 Counting any program's faults, in user or kernel mode, is refused",
            )
            .fix(fix)
            .touching("bench");
    }
    if access.kernel_faults.is_some_and(|tried| tried.is_ok()) {
        return ok(ID, format!("{level}; tried: user mode yes, kernel mode yes"));
    }
    ok(ID, format!("{level}; tried: user mode yes, kernel mode no"))
        .effect("counting faults in kernel mode (read(2) into fresh memory) is refused; bench needs user mode only")
        .fix("sudo sysctl kernel.perf_event_paranoid=1")
}

/// Documentation/admin-guide/sysctl/kernel.rst; 3 and 4 are Debian's and Ubuntu's.
fn meaning(level: i32) -> &'static str {
    match level {
        ..=-1 => "ordinary users: everything",
        0 => "ordinary users: all but raw tracepoints",
        1 => "ordinary users: their processes",
        2 => "ordinary users: their processes in user mode",
        _ => "ordinary users: nothing, where the kernel knows this level",
    }
}

/// The kernel's tracepoints as files.
pub(crate) fn tracefs(facts: &Facts) -> Check {
    const ID: &str = "tracefs";
    const HIDDEN: &str = "seeing a program's memory syscalls without stopping it; trace then stops it at each, and bench needs neither";
    let tracefs = &facts.access.tracefs;
    match (&tracefs.mounted, tracefs.known) {
        (Some(folder), _) if tracefs.readable => ok(ID, format!("{}: readable", folder.display())),
        (Some(folder), _) => warn(ID, format!("{}: not readable for this user", folder.display()))
            .effect(format!("hides: {HIDDEN}"))
            .fix(format!("sudo mount -o remount,mode=755 {}", folder.display())),
        (None, Some(true)) if facts.own.can(Own::ADMIN) => {
            ok(ID, "not mounted; trace opens one of its own, which nobody else sees")
        }
        (None, Some(true)) => warn(ID, "not mounted, and only root may")
            .effect(format!("hides: {HIDDEN}"))
            .fix("sudo firsttouch trace ..."),
        (None, Some(false)) => {
            skip(ID, "this kernel has no tracefs").effect(format!("hides: {HIDDEN}"))
        }
        (None, None) => {
            skip(ID, "/proc/filesystems is not readable, so whether there is one cannot be seen")
        }
    }
}

/// Filters of system calls.
pub(crate) fn seccomp(facts: &Facts) -> Check {
    const ID: &str = "seccomp";
    let container = facts.host.container.as_deref();
    let place = container.map(|name| format!("; a file hints at {name}")).unwrap_or_default();
    let perf_works = facts.access.user_faults.is_some_and(|tried| tried.is_ok());
    match facts.own.seccomp {
        None => skip(ID, format!("/proc/self/status does not say{place}")),
        Some(0) => ok(ID, format!("no filter{place}")),
        Some(_) if perf_works => ok(ID, format!("a filter is on{place}; it lets perf_event_open through"))
            .effect("watching system calls of another program (ptrace) may be refused"),
        Some(_) => warn(ID, format!("a filter is on{place}; perf_event_open is refused, perhaps by it"))
            .effect("bench: traps are not counted (see perf-refused); watching another program may be refused, too")
            .fix("docker run --security-opt seccomp=unconfined (or a profile with perf_event_open and ptrace)")
            .touching("bench"),
    }
}

/// Yama: who may watch whom.
pub(crate) fn ptrace_scope(facts: &Facts) -> Check {
    const ID: &str = "ptrace-scope";
    const FIX: &str = "sudo sysctl kernel.yama.ptrace_scope=1";
    let may = facts.own.can(Own::PTRACE);
    match facts.access.ptrace_scope {
        None if facts.own.seccomp.is_none() => {
            skip(ID, "/proc is not readable: whether Yama restricts ptrace cannot be seen")
        }
        None => ok(ID, "no Yama here: a user may watch their own processes"),
        Some(0) => ok(ID, "0: a user may watch their own processes"),
        Some(1) if may => ok(ID, "1, and this user may watch any process (CAP_SYS_PTRACE)"),
        Some(1) => ok(ID, "1: a user may watch the processes that they started").effect(
            "watching system calls of a program that runs already is refused; of one started for it, it is not",
        ),
        Some(2) if may => ok(ID, "2, and this user may watch any process (CAP_SYS_PTRACE)"),
        Some(2) => warn(ID, "2: only CAP_SYS_PTRACE may watch a process")
            .effect("hides: watching system calls of another program")
            .fix(FIX),
        Some(scope) => blocked(ID, format!("{scope}: nobody may watch a process, until the machine boots again"))
            .effect("watching system calls of another program is impossible")
            .fix("boot with kernel.yama.ptrace_scope=1 in /etc/sysctl.d"),
    }
}

/// The files of `/proc` that figures come from.
pub(crate) fn proc_missing(facts: &Facts) -> Check {
    const ID: &str = "proc-missing";
    let ProcFiles { rollup, schedstat, stat } = facts.access.proc_files;
    let files = [
        (
            rollup,
            "/proc/self/smaps_rollup",
            "resident and huge page memory is unknown, so mmap+hugepage is refused",
        ),
        (schedstat, "/proc/self/schedstat", "time waited for a processor is unknown"),
        (stat, "/proc/stat", "what others do is unknown, so no disturbed block is dropped"),
    ];
    let missing: Vec<_> = files.iter().filter(|(readable, ..)| !readable).collect();
    if missing.is_empty() {
        return ok(ID, "smaps_rollup, schedstat and stat are readable");
    }
    let names: Vec<&str> = missing.iter().map(|(_, name, _)| *name).collect();
    let effects: Vec<&str> = missing.iter().map(|(.., effect)| *effect).collect();
    let judge = if missing.len() == files.len() { blocked } else { warn };
    judge(ID, format!("not readable: {}", names.join(", ")))
        .effect(format!("bench: {}", effects.join("; ")))
        .fix(if missing.len() == files.len() {
            "sudo mount -t proc proc /proc"
        } else {
            "a kernel with CONFIG_PROC_PAGE_MONITOR and CONFIG_SCHED_INFO (4.14 or later), and a /proc without masks"
        })
        .touching("bench")
}
