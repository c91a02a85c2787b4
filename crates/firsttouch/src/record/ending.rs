//! The end of a recording: what it says of itself, and what becomes of the program.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::process::ExitCode;

use anyhow::anyhow;
use collect::shim::ShimCounts;
use recording::{CutReason, ProbeCounts, RecordingSummary};
use report::whole;

use super::bounded::ThinnedTo;
use super::file::Finished;
use crate::observed::{EndReason, Ended, FAILED, exit_as, failed};

/// A recording that began paused, and ended so.
pub(super) const NEVER_STARTED: &str =
    "the recording was never started: the file has no calls, syscalls and faults";

/// What the file says at its end.
pub(super) fn summary(
    ended: &Ended,
    counts: ShimCounts,
    probe_ns_per_call: Option<f64>,
) -> RecordingSummary {
    let outcome = &ended.outcome;
    RecordingSummary {
        until_ns: outcome.until_ns,
        lost: outcome.lost + counts.lost,
        late: outcome.late,
        faults_seen: outcome.faults_seen,
        faults_counted: outcome.faults_counted,
        rusage_minor: outcome.rusage.map(|usage| usage.minor_faults),
        rusage_major: outcome.rusage.map(|usage| usage.major_faults),
        probe_ns_per_call,
        probe_ns_per_fault: outcome.recording_ns,
        probe_ns_per_syscall: outcome.recording_call_ns,
        clock_error_ns: Some(counts.clock_error_ns),
        cut: match ended.why {
            EndReason::Program | EndReason::Consumer => None,
            EndReason::Time | EndReason::Request => Some(CutReason::Stopped),
        },
    }
}

/// What the file says of the allocation calls in it.
pub(super) fn probe_counts(counts: ShimCounts, silent_programs: u64) -> ProbeCounts {
    ProbeCounts {
        processes: counts.processes,
        threads: counts.threads,
        lost: counts.lost,
        waited_ns: counts.waited_ns,
        nested: counts.nested,
        cut_stacks: counts.cut_stacks,
        unknown_stacks: counts.unknown_stacks,
        checked_stacks: counts.checked_stacks,
        wrong_stacks: counts.wrong_stacks,
        own_allocators: counts.own_allocators,
        deep_libraries: counts.deep_libraries,
        gave_up: counts.gave_up,
        silent_programs,
    }
}

/// What the bound on the size left out.
pub(super) fn thinned(ThinnedTo { from_ns, one_in }: ThinnedTo, began_ns: u64) -> String {
    format!(
        "from {} on not all allocation calls are written, but all are counted: at the end those on \
         1 block in {} (--max-size)",
        report::duration(from_ns.saturating_sub(began_ns) as f64),
        whole(one_in)
    )
}

/// What of the recording is less than it should be, in sentences.
pub(super) fn doubts(counts: ShimCounts) -> Vec<String> {
    let mut doubts = Vec::new();
    let ShimCounts { lost, waited_ns, checked_stacks, wrong_stacks, own_allocators, .. } = counts;
    if counts.deep_libraries > 0 {
        doubts.push(format!(
            "libraries that the program opened with RTLD_DEEPBIND: {}; their allocation calls are \
             not recorded",
            whole(counts.deep_libraries)
        ));
    }
    if counts.gave_up > 0 {
        doubts.push(format!(
            "processes that stopped recording, since they waited for this one for seconds in vain: \
             {}; their later allocation calls are not recorded",
            whole(counts.gave_up)
        ));
    }
    if own_allocators > 0 {
        doubts.push(format!(
            "programs with an allocator of their own: {}; its calls are not recorded",
            whole(own_allocators)
        ));
    }
    if lost > 0 {
        let lost = whole(lost);
        doubts.push(format!("{lost} allocation calls are not recorded: too many threads"));
    }
    if waited_ns >= 1_000_000 {
        let ms = whole(waited_ns / 1_000_000);
        doubts.push(format!("the program waited {ms} ms in all for the recorder"));
    }
    if checked_stacks > 0 {
        doubts.push(format!(
            "of {} stacks, {} are not what unwinding finds",
            whole(checked_stacks),
            whole(wrong_stacks)
        ));
    }
    doubts
}

/// Says what has become of the file, which was `written` to `path`, and waits for the program if it
/// goes on. Returns the status of this process.
pub(super) fn stay(
    ended: Ended,
    written: io::Result<Finished>,
    path: &Path,
    note: &dyn Fn(&str),
) -> ExitCode {
    let failure = match written {
        Ok(Finished { is_full, size_bytes }) => {
            let full = is_full.then_some("the file has reached --max-size");
            let why = full.or(said(ended.why)).map(|why| format!("{why}: "));
            if why.is_some() || std::io::stderr().is_terminal() {
                let (why, size) = (why.unwrap_or_default(), report::bytes(size_bytes as f64));
                let (name, word) = (path.display(), report::quoted(&path.to_string_lossy()));
                note(&format!(
                    "{why}the recording is complete ({name}, {size}): firsttouch report {word}"
                ));
            }
            None
        }
        Err(error) => {
            let error = anyhow!(error).context(format!(
                "cannot write {}: the recording ends there, and can be read up to it",
                path.display()
            ));
            Some(failed(&error, FAILED))
        }
    };
    let ending = match ended.left {
        Some(mut left) => {
            if let Some(prospect) = left.prospect() {
                note(&prospect);
            }
            left.stay(note)
        }
        None => ended.outcome.ending,
    };
    failure.unwrap_or_else(|| exit_as(ending))
}

/// Why a recording ended before the program.
fn said(why: EndReason) -> Option<&'static str> {
    match why {
        EndReason::Program | EndReason::Consumer => None,
        EndReason::Time => Some("the time is up"),
        EndReason::Request => Some("a signal has asked for the end"),
    }
}
