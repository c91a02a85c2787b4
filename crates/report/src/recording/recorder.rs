//! What the recorder says of the calls that it has, and of those that it has not.

use results::recording::{RecorderCounts, RecordingReport};

use crate::number::{Nanoseconds, several, whole};
use crate::view::View;

/// The time that threads waited for the recorder from which on it is said, as a part of their
/// time: it is in the times of calls.
const WAITED_SAID: f64 = 0.01;
/// The share of calls with a cut stack from which on it is said.
const CUT_SAID: f64 = 0.01;

/// Sentences; only what matters, unless all is wanted.
pub(super) fn doubts(report: &RecordingReport, view: View) -> Vec<String> {
    let Some(recorder) = &report.recorder else { return Vec::new() };
    let of_calls = |count: u64, share: f64| {
        let all = report.totals.calls.saturating_add(report.totals.release_calls);
        count > 0 && (view.verbose || count as f64 >= share * all as f64)
    };
    let waited_share = recorder.waited_ns as f64 / report.totals.threads_ns.max(1) as f64;
    let waits = recorder.waited_ns > 0 && (view.verbose || waited_share >= WAITED_SAID);
    let mut doubts = missing(recorder);
    doubts.extend(waits.then(|| {
        let waited = Nanoseconds(recorder.waited_ns);
        format!("Threads waited {waited} for the recorder, which is part of their calls.")
    }));
    doubts.extend(of_calls(recorder.cut_stacks, CUT_SAID).then(|| {
        let calls = several(recorder.cut_stacks, "call", "calls");
        format!("Stacks of {calls} end early: at code without unwind rules, or at 320 frames.")
    }));
    doubts.extend((recorder.unknown_stacks > 0).then(|| {
        let calls = several(recorder.unknown_stacks, "call", "calls");
        format!("Stacks of {calls} are unknown: there was no room for more.")
    }));
    doubts.extend(checked(recorder));
    let error_ns = recorder.clock_error_ns.filter(|_| view.verbose);
    doubts.extend(error_ns.map(|error_ns| {
        let error = Nanoseconds(error_ns);
        format!("The clock of the calls was at most {error} from that of the faults.")
    }));
    doubts
}

/// Calls that are not recorded.
fn missing(recorder: &RecorderCounts) -> Vec<String> {
    let mut missing = Vec::new();
    if recorder.lost_calls > 0 {
        let calls = several(recorder.lost_calls, "call is", "calls are");
        missing.push(format!("{calls} missing: too many threads allocated at the same time."));
    }
    if recorder.gave_up > 0 {
        missing.push(format!(
            "Processes that waited for the recorder in vain: {}; their later calls are missing.",
            whole(recorder.gave_up)
        ));
    }
    if recorder.silent_programs > 0 {
        let programs = several(recorder.silent_programs, "program", "programs");
        missing.push(format!(
            "The calls of {programs} are missing: linked statically, with privileges to gain, or \
             without the recorder's library."
        ));
    }
    if recorder.nested_calls > 0 {
        let calls = several(recorder.nested_calls, "call", "calls");
        missing.push(format!("{calls} of signal handlers inside other calls are not recorded."));
    }
    if recorder.own_allocators > 0 {
        missing.push(format!(
            "Programs with an allocator of its own: {}; its calls are not recorded.",
            whole(recorder.own_allocators)
        ));
    }
    if recorder.deep_libraries > 0 {
        missing.push(format!(
            "Libraries opened with RTLD_DEEPBIND: {}; their calls are not recorded.",
            whole(recorder.deep_libraries)
        ));
    }
    missing
}

/// The result of finding stacks in two ways. That all agree is worth no line.
fn checked(recorder: &RecorderCounts) -> Option<String> {
    let wrong = several(recorder.wrong_stacks, "was", "were");
    (recorder.wrong_stacks > 0).then(|| {
        format!("Of {} stacks that were checked, {wrong} wrong.", whole(recorder.checked_stacks))
    })
}
