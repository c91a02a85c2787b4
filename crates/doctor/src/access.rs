//! What this user may observe. A refused measurement is missing, not wrong.

use results::doctor::Check;
use sys::facts::{Facts, Own, ProcFiles};

use crate::{blocked, ok, skip, warn};

/// perf events: the configured level, and the result of trying.
pub(crate) fn perf(facts: &Facts) -> Check {
    const ID: &str = "perf-refused";
    let access = &facts.access;
    let Some(user) = access.user_faults else { return skip(ID, "not tried") };
    let level = match access.perf_event_paranoid {
        None => "perf_event_paranoid is not readable".to_owned(),
        Some(level) => format!("level {level} ({})", meaning(level)),
    };
    if let Err(errno) = user {
        let fix = match access.perf_event_paranoid {
            _ if errno.to_string().starts_with("ENOSYS") => {
                "use a kernel with CONFIG_PERF_EVENTS, or a seccomp filter that allows \
                perf_event_open"
            }
            Some(level) if level > 2 => "sudo sysctl kernel.perf_event_paranoid=2",
            _ => {
                "docker run --cap-add PERFMON, or another way to allow perf_event_open in the \
                seccomp filter"
            }
        };
        return blocked(ID, format!("{level}; tried: {errno}"))
            .effect(
                "bench: page faults taken are not counted; the kernel's count of minor faults is \
                shown instead, in brackets. Counting another program's faults is refused too",
            )
            .fix(fix)
            .touching("bench");
    }
    if access.kernel_faults.is_some_and(|tried| tried.is_ok()) {
        return ok(ID, format!("{level}; tried: user mode yes, kernel mode yes"));
    }
    ok(ID, format!("{level}; tried: user mode yes, kernel mode no"))
        .effect(
            "hides: faults in kernel mode (read(2) into fresh memory); bench needs user mode only",
        )
        .fix("sudo sysctl kernel.perf_event_paranoid=1")
}

/// Documentation/admin-guide/sysctl/kernel.rst; levels 3 and 4 exist on Debian and Ubuntu.
fn meaning(level: i32) -> &'static str {
    match level {
        ..=-1 => "ordinary users: everything",
        0 => "ordinary users: everything except raw tracepoints",
        1 => "ordinary users: their processes",
        2 => "ordinary users: their processes in user mode",
        _ => "ordinary users: nothing, if the kernel knows this level",
    }
}

/// tracefs: the kernel's tracepoints as files.
pub(crate) fn tracefs(facts: &Facts) -> Check {
    const ID: &str = "tracefs";
    const HIDDEN: &str = "memory syscalls without stopping the program; trace then stops it at \
        each one; bench needs neither";
    let tracefs = &facts.access.tracefs;
    match (&tracefs.mounted, tracefs.known) {
        (Some(folder), _) if tracefs.readable => ok(ID, format!("{}: readable", folder.display())),
        (Some(folder), _) => warn(ID, format!("{}: not readable for this user", folder.display()))
            .effect(format!("hides: {HIDDEN}"))
            .fix(format!("sudo mount -o remount,mode=755 {}", folder.display())),
        (None, Some(true)) if facts.own.can(Own::ADMIN) => {
            ok(ID, "not mounted; trace opens a private instance")
        }
        (None, Some(true)) => warn(ID, "not mounted, and only root may mount it")
            .effect(format!("hides: {HIDDEN}"))
            .fix("sudo firsttouch trace ..."),
        (None, Some(false)) => {
            skip(ID, "the kernel has no tracefs").effect(format!("hides: {HIDDEN}"))
        }
        (None, None) => skip(ID, "unknown: /proc/filesystems is not readable"),
    }
}

/// seccomp filters.
pub(crate) fn seccomp(facts: &Facts) -> Check {
    const ID: &str = "seccomp";
    let container = facts.host.container.as_deref();
    let place = container.map(|name| format!("; probably in {name}")).unwrap_or_default();
    let perf_works = facts.access.user_faults.is_some_and(|tried| tried.is_ok());
    match facts.own.seccomp {
        None => skip(ID, format!("unknown: not shown by /proc/self/status{place}")),
        Some(0) => ok(ID, format!("no filter{place}")),
        Some(_) if perf_works => {
            ok(ID, format!("a filter is on{place}; it allows perf_event_open"))
                .effect("ptrace, and so tracing another program, may be refused")
        }
        Some(_) => warn(
            ID,
            format!("a filter is on{place}; perf_event_open is refused, perhaps by it"),
        )
        .effect(
            "bench: page faults taken are not counted (see perf-refused); tracing another program \
            may be refused too",
        )
        .fix(
            "docker run --security-opt seccomp=unconfined (or a profile with perf_event_open and \
            ptrace)",
        )
        .touching("bench"),
    }
}

/// Yama: which processes may trace which.
pub(crate) fn ptrace_scope(facts: &Facts) -> Check {
    const ID: &str = "ptrace-scope";
    const FIX: &str = "sudo sysctl kernel.yama.ptrace_scope=1";
    let may = facts.own.can(Own::PTRACE);
    match facts.access.ptrace_scope {
        None if facts.own.seccomp.is_none() => skip(ID, "unknown: /proc is not readable"),
        None => ok(ID, "no Yama: users may trace their own processes"),
        Some(0) => ok(ID, "0: users may trace their own processes"),
        Some(1) if may => ok(ID, "1, but this user may trace any process (CAP_SYS_PTRACE)"),
        Some(1) => ok(ID, "1: users may trace only processes that they started").effect(
            "hides: system calls of running programs; a program that firsttouch starts can be \
            traced",
        ),
        Some(2) if may => ok(ID, "2, but this user may trace any process (CAP_SYS_PTRACE)"),
        Some(2) => warn(ID, "2: tracing needs CAP_SYS_PTRACE")
            .effect("hides: system calls of other programs")
            .fix(FIX),
        Some(scope) => blocked(ID, format!("{scope}: tracing is off until the next boot"))
            .effect("hides: system calls of other programs")
            .fix("boot with kernel.yama.ptrace_scope=1 in /etc/sysctl.d"),
    }
}

/// The files in `/proc` that figures come from.
pub(crate) fn proc_missing(facts: &Facts) -> Check {
    const ID: &str = "proc-missing";
    let ProcFiles { rollup, schedstat, stat } = facts.access.proc_files;
    let files = [
        (
            rollup,
            "/proc/self/smaps_rollup",
            "resident memory and huge pages are unknown, so mmap+hugepage is refused",
        ),
        (schedstat, "/proc/self/schedstat", "the wait for a processor is unknown"),
        (
            stat,
            "/proc/stat",
            "the load of other processes is unknown, so no disturbed block is dropped",
        ),
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
            "use Linux 4.14 or later with CONFIG_PROC_PAGE_MONITOR and CONFIG_SCHED_INFO, and an \
            unmasked /proc"
        })
        .touching("bench")
}
