//! Notes and refusals of a trace: the cause, and the remedy.

use collect::{Error, Notice};
use report::whole;
use sys::Errno;

use crate::not_executed;

/// A notice in words.
pub(crate) fn sentence(notice: Notice, attached: bool) -> String {
    match notice {
        Notice::UserModeOnly => {
            "page faults in the kernel (read() into fresh memory) are not shown to this user; \
             root, CAP_PERFMON or kernel.perf_event_paranoid 1 would show them"
                .to_owned()
        }
        Notice::Ptrace(errno) => {
            let who = if attached {
                "the process stops at every syscall"
            } else {
                "the program stops at each memory syscall"
            };
            let remedy = if errno == Errno::TOO_MANY_FILES {
                FILES_REMEDY
            } else {
                "As root it does not stop"
            };
            format!(
                "tracepoints are refused, {errno}: {who}, whose time then includes some \
                 microseconds of firsttouch. {remedy}"
            )
        }
        Notice::NoPerf(Errno::TOO_MANY_FILES) => {
            format!(
                "no page faults and no latencies: perf events need more open files than are \
                 allowed. {FILES_REMEDY}"
            )
        }
        Notice::NoPerf(errno) => {
            format!(
                "no page faults and no latencies: perf events are refused, {errno}. {PERF_REMEDY}"
            )
        }
        Notice::NoCalls(errno) => {
            format!(
                "no memory syscalls: tracepoints need root, and ptrace is refused, {errno}. \
                 {PTRACE_REMEDY}"
            )
        }
        Notice::Unprivileged => {
            "the program has a set-user-ID or set-group-ID bit, which the kernel ignores while \
             this user traces it: it runs without its privileges, and may fail; trace it as root"
                .to_owned()
        }
        Notice::Compat32 => {
            "this is a 32-bit program: its syscalls have other numbers and are not shown; its page \
             faults are"
                .to_owned()
        }
        Notice::Unseen => {
            "the program has a set-user-ID or set-group-ID bit: once it has its privileges, this \
             user sees nothing of it; trace it as root"
                .to_owned()
        }
    }
}

const PERF_REMEDY: &str = "Is kernel.perf_event_paranoid above 2, or is this a container? sysctl \
     kernel.perf_event_paranoid=2, or docker run --cap-add PERFMON, would allow them";
const FILES_REMEDY: &str = "Five are needed for each processor and thread: ulimit -Hn shows the \
     limit, and root may raise it";
const PTRACE_REMEDY: &str = "A container forbids it (docker run --cap-add SYS_PTRACE), or Yama \
     (sysctl kernel.yama.ptrace_scope), or another tracer is attached already";

/// The syscalls in 32-bit mode that are not shown.
pub(crate) fn compat32_calls(calls: u64) -> String {
    format!(
        "memory syscalls in 32-bit mode, which are not shown: {} or more. Causes of faults \
         that depend on them are unknown. --syscalls ptrace shows them, and so does a trace of the \
         32-bit program itself",
        whole(calls)
    )
}

/// The program wanted to trace one of its processes, which has a tracer already, or its tracer.
pub(crate) fn refused_tracing(times: u64) -> String {
    format!(
        "ptrace(2) was refused to the program ({times} {}): firsttouch traces its processes, each \
         may have one tracer, and none may trace firsttouch. A debugger or sandbox may fail \
         because of that; as root, by tracepoints, nothing is refused",
        if times == 1 { "time" } else { "times" }
    )
}

/// A signal that asks for the end, after the program has ended and while descendants need the
/// tracer. The second one kills them.
pub(crate) fn passed_on(signal: i32, warned: &mut bool) -> String {
    if std::mem::replace(warned, true) {
        return "the processes that the program left behind were killed".to_owned();
    }
    format!(
        "the program has ended, but processes that it started have not. They stop for this tracer \
         at each memory syscall and cannot go on without it: {} was sent to them; a second request \
         kills them",
        sys::interrupt::name(signal)
    )
}

/// A recording begins paused.
pub(crate) fn paused() -> String {
    format!(
        "nothing is recorded until firsttouch (process {}) gets SIGUSR1; SIGUSR2 pauses again",
        std::process::id()
    )
}

/// The program goes on after the end of the recording.
pub(crate) fn goes_on(pid: u32) -> String {
    format!(
        "the program goes on (process {pid}). firsttouch waits for its end to pass its status on; \
         SIGINT or SIGTERM to firsttouch (process {}) ends firsttouch alone",
        std::process::id()
    )
}

/// The same, where it needs the tracer.
pub(crate) fn goes_on_held(pid: u32) -> String {
    format!(
        "the program goes on (process {pid}). firsttouch stays until its end: it has to let the \
         program through at each memory syscall, as nothing can take back a seccomp filter"
    )
}

/// Only descendants run on, and need the tracer.
pub(crate) const DESCENDANTS_HELD: &str = "processes that the program left behind go on. \
     firsttouch stays until their end: it has to let them through at each memory syscall, as \
     nothing can take back a seccomp filter";

/// A request to leave a program that needs the tracer.
pub(crate) fn cannot_leave(pid: u32, signal: i32) -> String {
    format!(
        "firsttouch cannot leave after {}: without it the memory syscalls of the program would \
         fail. To end the program: kill {pid}",
        sys::interrupt::name(signal)
    )
}

/// Another program recorded the same faults.
pub(crate) fn misattributed(records: u64) -> String {
    format!(
        "another program recorded the same page faults, and the kernel gave {} records of \
         this trace, or more, the number or the time of its event. Unless it was firsttouch, their \
         times, latencies and causes are wrong (perf record has another clock): trace again \
         without it",
        whole(records)
    )
}

/// Why nothing can be traced.
pub(crate) fn refusal(error: Error) -> String {
    match error {
        Error::Start(errno) => sys::launch::not_executed(errno),
        Error::Gone(_) if !sys::proc::is_mounted() => {
            "/proc is not mounted, and without it no process can be seen".to_owned()
        }
        Error::Gone(pid) => format!("there is no process {pid}, or it has ended"),
        Error::Thread { tid, pid } => {
            format!("{tid} is a thread of process {pid}: -p {pid} traces it, with all its threads")
        }
        Error::Kernel(pid) => {
            format!("process {pid} has no memory of its own: it is one of the kernel's threads")
        }
        Error::Forbidden(pid, errno) if sys::process::is_root() => format!(
            "process {pid} may not be traced, {errno}: another program traces it, or a container \
             or a security module forbids it"
        ),
        Error::Forbidden(pid, errno) => format!(
            "process {pid} may not be traced, {errno}: it belongs to another user, or is \
             protected (sysctl kernel.yama.ptrace_scope), or traced by another program; root may \
             trace it"
        ),
        Error::Tracepoints(Errno::TOO_MANY_FILES) => {
            format!("tracepoints need more open files than are allowed. {FILES_REMEDY}")
        }
        Error::Nothing(Errno::TOO_MANY_FILES) => {
            format!("nothing can be traced without more open files. {FILES_REMEDY}")
        }
        Error::Tracepoints(errno) => {
            format!(
                "tracepoints are refused, {errno}: they need root; --syscalls ptrace does without \
                 them"
            )
        }
        Error::Nothing(errno) => {
            format!("nothing can be traced, {errno}. {PERF_REMEDY}. {PTRACE_REMEDY}")
        }
        Error::Resources(Errno::TOO_MANY_FILES) => {
            format!("it takes more open files than are allowed. {FILES_REMEDY}")
        }
        Error::Resources(errno) => format!("no more threads or descriptors to trace with: {errno}"),
    }
}

/// The exit status: that of a shell for a program that does not start, else 125.
pub(crate) fn status(error: Error) -> u8 {
    match error {
        Error::Start(errno @ (Errno::NO_ENTRY | Errno::NO_EXEC | Errno::NO_ACCESS)) => {
            not_executed::status(errno)
        }
        _ => 125,
    }
}
