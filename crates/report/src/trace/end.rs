//! The end of a trace: how the program ended, and whether everything was seen.

use events::Ending;
use results::trace::TraceSummary;

use super::{several, whole};
use crate::number::Nanoseconds;
use crate::text::{ALARM, BAD, BOLD, hanging, styled};
use crate::view::View;

const SIGNALS: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
    "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

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

/// The counts of wait4(2), and why they are larger than those of the trace.
fn kernel_count(summary: &TraceSummary, view: View) -> String {
    let (Some(minor), Some(major)) = (summary.rusage_minor_faults, summary.rusage_major_faults)
    else {
        return String::new();
    };
    let counted = format!(
        "The kernel counts {} minor and {} major faults. Not shown: those before exec, pages that \
         a call populates, and for an ordinary user faults in the kernel.",
        whole(minor),
        whole(major)
    );
    hanging("", &counted, view.width)
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
