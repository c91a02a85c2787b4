//! The end of a trace: how the program ended, and whether everything was seen.

use std::fmt::Write;

use events::Ending;
use results::trace::{Account, Covered, TraceSummary};

use crate::number::{Nanoseconds, several, whole};
use crate::text::{ALARM, BAD, BOLD, hanging, styled};
use crate::view::View;

const SIGNALS: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
    "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

/// The most pages that an exec gives a program without a fault that is seen: in the tests some ten.
const EXEC_FAULTS: u64 = 32;

/// The last lines of a trace. What the kernel counted is shown with `-v`, and where it is much more
/// than the trace shows.
#[must_use]
pub fn trace_end(summary: &TraceSummary, view: View) -> String {
    let ended =
        summary.ending.map(|ending| styled(BOLD, &format!("+++ {} +++", end(ending))) + "   ");
    let late =
        if summary.late > 0 { format!(", {} late", whole(summary.late)) } else { String::new() };
    let lost = format!("{} lost", whole(summary.lost));
    let lost = if summary.lost > 0 { styled(ALARM, &lost) } else { lost };
    let seen = match summary.faults_counted {
        Some(counted) => {
            let seen = format!("faults seen {} of {}", whole(summary.faults_seen), whole(counted));
            if summary.faults_seen < counted { styled(BAD, &seen) } else { seen }
        }
        None => "faults not traced".to_owned(),
    };
    let recording = match summary.recording_ns.filter(|_| summary.faults_seen > 0) {
        Some(ns) => format!(" (recording makes each up to {} longer)", Nanoseconds(ns)),
        None => String::new(),
    };
    let events = several(summary.events, "event", "events");
    let ended = ended.unwrap_or_default();
    let mut text =
        hanging("", &format!("{ended}{events}, {lost}{late}, {seen}{recording}"), view.width);
    if view.verbose || summary.has_many_unshown() {
        text += &kernel_count(summary, view);
    }
    text
}

/// What the kernel's own account (rusage of wait4(2)) has, of which processes, and why it differs
/// from the trace.
fn kernel_count(summary: &TraceSummary, view: View) -> String {
    let (Some(minor), Some(major), Some(account)) =
        (summary.rusage_minor_faults, summary.rusage_major_faults, summary.account())
    else {
        return String::new();
    };
    let mut text = format!(
        "The kernel's account (rusage) has {} minor and {} major faults",
        whole(minor),
        whole(major)
    );
    if summary.processes > 1 {
        text += " of the program and the processes waited for";
    }
    if summary.left_processes > 0 {
        let left = several(summary.left_processes, "process", "processes");
        let faults = several(summary.left_faults_seen, "fault", "faults");
        let _ = if account.leaves_out {
            write!(text, ", without {left} ({faults}) that outlived the parent")
        } else {
            write!(text, ", and perhaps {left} ({faults}) that outlived the parent")
        };
    }
    if summary.refused_faults > 0 {
        let refused = several(summary.refused_faults, "fault", "faults");
        let _ = write!(text, ", without {refused} that came to nothing (refused accesses)");
    }
    text += ". ";
    let compared = match account.covered {
        Covered::Unknown => format!(
            "That is fewer than the {} traced of them: some were never waited for, and which is \
             not known.",
            whole(account.seen)
        ),
        Covered::Program if summary.processes > summary.left_processes + 1 => format!(
            "{} are the program's own, {} Not all of the others were waited for.",
            whole(account.counted),
            difference(summary, &account)
        ),
        Covered::Program | Covered::WaitedFor => {
            format!("That is {}", difference(summary, &account))
        }
    };
    hanging("", &(text + &compared), view.width)
}

/// How much more the account has than the trace, and the reasons that there can be.
fn difference(summary: &TraceSummary, account: &Account) -> String {
    let unshown = account.unshown();
    if unshown == 0 {
        return "as many as were traced.".to_owned();
    }
    let mut text = format!("{} more than were traced", whole(unshown));
    let before = account.before_exec.min(unshown);
    if before > 0 {
        let _ = write!(text, ": {} from before exec", whole(before));
    }
    let rest = unshown - before;
    if rest > 0 {
        let others = if before > 0 { format!(", {}", whole(rest)) } else { ":".to_owned() };
        let _ = write!(text, "{others} from {}", reasons(summary, rest));
    }
    text + "."
}

/// What can have given a program `rest` pages without a fault that is seen.
fn reasons(summary: &TraceSummary, rest: u64) -> String {
    let mut reasons = Vec::new();
    // An exec writes the arguments into the pages of the new stack, and starts from some faults.
    if rest <= EXEC_FAULTS * summary.executions.max(1) || summary.populating_calls == Some(0) {
        reasons.push("exec itself".to_owned());
    }
    match summary.populating_calls {
        Some(0) => {}
        Some(1) => reasons.push("1 call that populates pages".to_owned()),
        Some(calls) => reasons.push(format!("{} calls that populate pages", whole(calls))),
        None => reasons.push("calls that populate pages (calls were not traced)".to_owned()),
    }
    if !summary.sees_kernel_faults {
        reasons.push("faults in the kernel (not visible to this user)".to_owned());
    }
    if rest > EXEC_FAULTS * summary.executions.max(1) {
        let without_fault = "pages that the kernel got for itself (direct I/O, vmsplice, \
                             process_vm_writev, /proc/PID/mem, futexes)";
        reasons.push(without_fault.to_owned());
    }
    match reasons.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => "an unknown cause".to_owned(),
    }
}

/// An ending in words.
pub(super) fn end(ending: Ending) -> String {
    match ending {
        Ending::Exited(status) => format!("exited with {status}"),
        Ending::Killed(signal) => {
            match usize::from(signal).checked_sub(1).and_then(|index| SIGNALS.get(index)) {
                Some(name) => format!("killed by SIG{name}"),
                None => format!("killed by signal {signal}"),
            }
        }
        Ending::Unknown => "ended".to_owned(),
    }
}
