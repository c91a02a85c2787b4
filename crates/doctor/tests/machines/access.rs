//! Access: perf, tracefs, seccomp, ptrace, `/proc`.

use results::doctor::State::{Blocked, Ok as Fine, Skip, Warn};
use sys::Errno;
use sys::facts::{Facts, Own, ProcFiles};

use crate::ideal::{case, check, ideal};

const EACCES: Errno = Errno(13);
const ENOSYS: Errno = Errno(38);

#[test]
fn perf_events() {
    let perf = |machine, change, state, words: &[&str]| {
        case(machine, "perf-refused", change, state, words);
    };
    let refuse = |f: &mut Facts, level: Option<i32>, errno: Errno| {
        f.access.perf_event_paranoid = level;
        (f.access.user_faults, f.access.kernel_faults) = (Some(Err(errno)), Some(Err(errno)));
    };
    let at = |f: &mut Facts, level: i32| f.access.perf_event_paranoid = Some(level);
    for level in [3, 4] {
        let mut facts = ideal();
        refuse(&mut facts, Some(level), EACCES);
        let check = check(&facts, "perf-refused");
        assert_eq!(check.state, Blocked);
        assert!(
            check.found.contains(&format!("level {level} (ordinary users: nothing")),
            "{}",
            check.found
        );
        assert!(
            check.found.contains("EACCES") && check.fix.unwrap().contains("perf_event_paranoid=2")
        );
    }
    for (level, words) in
        [(-1, "everything"), (0, "raw tracepoints"), (1, "their processes"), (2, "in user mode")]
    {
        let mut facts = ideal();
        at(&mut facts, level);
        let check = check(&facts, "perf-refused");
        assert!(check.state == Fine && check.found.contains(words), "{check:?}");
    }
    perf(
        "filter",
        |f| (f.access.perf_event_paranoid, f.access.user_faults) = (Some(2), Some(Err(EACCES))),
        Blocked,
        &["level 2", "EACCES", "--cap-add PERFMON"],
    );
    perf(
        "no perf",
        |f| f.access.user_faults = Some(Err(ENOSYS)),
        Blocked,
        &["ENOSYS", "CONFIG_PERF_EVENTS"],
    );
    perf(
        "ordinary user",
        |f| (f.access.perf_event_paranoid, f.access.kernel_faults) = (Some(2), Some(Err(EACCES))),
        Fine,
        &["user mode yes, kernel mode no", "kernel.perf_event_paranoid=1"],
    );
    perf("level unknown", |f| f.access.perf_event_paranoid = None, Fine, &["not readable"]);
}

#[test]
fn sources_of_system_calls() {
    let tracefs =
        |machine, change, state, words: &[&str]| case(machine, "tracefs", change, state, words);
    tracefs(
        "closed",
        |f| f.access.tracefs.readable = false,
        Warn,
        &["not readable for this user", "remount,mode=755"],
    );
    tracefs(
        "unmounted, for root",
        |f| (f.access.tracefs.mounted, f.own.capabilities) = (None, Some(u64::MAX)),
        Fine,
        &["private instance"],
    );
    tracefs(
        "unmounted, for others",
        |f| (f.access.tracefs.mounted, f.own.capabilities) = (None, Some(0)),
        Warn,
        &["only root may", "sudo firsttouch trace"],
    );
    tracefs(
        "unknown",
        |f| (f.access.tracefs.mounted, f.access.tracefs.known) = (None, Some(false)),
        Skip,
        &["no tracefs"],
    );

    let seccomp =
        |machine, change, state, words: &[&str]| case(machine, "seccomp", change, state, words);
    seccomp("filter", |f| f.own.seccomp = Some(2), Fine, &["allows perf_event_open"]);
    seccomp(
        "filter that refuses",
        |f| {
            (f.own.seccomp, f.access.user_faults) = (Some(2), Some(Err(EACCES)));
            f.host.container = Some("docker".to_owned());
        },
        Warn,
        &["probably in docker", "seccomp=unconfined"],
    );

    let ptrace = |machine, change, state, words: &[&str]| {
        case(machine, "ptrace-scope", change, state, words);
    };
    ptrace("no Yama", |f| f.access.ptrace_scope = None, Fine, &["no Yama"]);
    ptrace(
        "children",
        |f| f.access.ptrace_scope = Some(1),
        Fine,
        &["that they started", "running programs"],
    );
    ptrace("privileged only", |f| f.access.ptrace_scope = Some(2), Warn, &["ptrace_scope=1"]);
    ptrace(
        "and privileged",
        |f| (f.access.ptrace_scope, f.own.capabilities) = (Some(2), Some(1 << Own::PTRACE)),
        Fine,
        &["any process"],
    );
    ptrace("nobody", |f| f.access.ptrace_scope = Some(3), Blocked, &["next boot"]);
}

#[test]
fn files_of_proc() {
    let files = |machine, change, state, words: &[&str]| {
        case(machine, "proc-missing", change, state, words);
    };
    files(
        "no rollup",
        |f| f.access.proc_files.rollup = false,
        Warn,
        &["smaps_rollup", "mmap+hugepage is refused"],
    );
    files(
        "no /proc",
        |f| f.access.proc_files = ProcFiles::default(),
        Blocked,
        &["/proc/stat", "sudo mount -t proc"],
    );
}
