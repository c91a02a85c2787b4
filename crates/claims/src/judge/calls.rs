//! Compares a trace of system calls with what the traced process observed itself.

use results::claims::{Claim, ClaimVerdict};
use serde_json::json;

use super::holds;
use crate::catalogue::claim;
use crate::facts::{BreakStep, CallFacts, Identity, SeenCall};
use crate::wording::{count, list};

/// The calls in strace's output.
#[must_use]
pub fn calls_of_strace(text: &str) -> Vec<SeenCall> {
    let lines = text.lines().filter_map(|line| line.split_once('('));
    let call = |(name, arguments): (&str, &str)| SeenCall {
        // "[pid 12] brk(" if strace follows threads.
        name: name.rsplit(' ').next().unwrap_or(name).to_owned(),
        block: block(arguments),
    };
    lines.map(call).collect()
}

/// `0x3000, 0, ...`: the address and the number of bytes.
fn block(arguments: &str) -> Option<(u64, u64)> {
    let mut arguments = arguments.split(", ");
    let address = u64::from_str_radix(arguments.next()?.strip_prefix("0x")?, 16).ok()?;
    Some((address, arguments.next()?.parse().ok()?))
}

/// The names of the calls between the marks of [`sys::residency::mark`], step by step.
#[must_use]
pub fn steps(calls: &[SeenCall], page_bytes: usize) -> Vec<Vec<String>> {
    let mut steps: Vec<Vec<String>> = Vec::new();
    let mut current = None;
    for call in calls {
        match call.mark(page_bytes) {
            Some(number) => {
                current = number.checked_sub(1);
                if current == Some(steps.len()) {
                    steps.push(Vec::new());
                }
            }
            None => {
                if let Some(step) = current.and_then(|step| steps.get_mut(step)) {
                    step.push(call.name.clone());
                }
            }
        }
    }
    steps
}

/// The calls that explain the changes of a step; none if it changed nothing.
fn expected(step: &BreakStep) -> Vec<&'static str> {
    let mapped = step.mapped_bytes.unwrap_or(0);
    let mut calls = Vec::new();
    if step.break_bytes != 0 {
        calls.push("brk");
    }
    if mapped > 0 {
        calls.push("mmap");
    }
    if mapped < 0 {
        calls.push("munmap");
    }
    calls
}

/// Judges what `firsttouch trace` showed of `calls`. `beside`: the number of calls that only strace
/// showed ([`only_strace_shows`]); `None` if there is no strace to compare with.
#[must_use]
pub fn syscalls_seen(
    calls: &CallFacts,
    trace: &[SeenCall],
    beside: Option<usize>,
    who: &Identity,
) -> Claim {
    let shown = steps(trace, who.page_bytes);
    let Matches { wanted, missing, rows } = matches(calls, &shown);
    let seen = wanted - missing.len();
    let all: usize = shown.iter().map(Vec::len).sum();
    let only_strace = beside.unwrap_or(0);
    let verdict = if wanted == 0 {
        ClaimVerdict::Inconclusive
    } else {
        holds(missing.is_empty() && only_strace == 0)
    };
    let evidence = if shown.is_empty() {
        "the trace does not show the marks of the probe".to_owned()
    } else {
        let strace = beside
            .map_or(String::new(), |calls| format!("; strace shows {} more", count(calls as u64)));
        format!("trace shows the calls of {seen} of {wanted} changes{strace}")
    };
    let compared = match beside {
        None => "strace was not available to compare with".to_owned(),
        Some(0) => "strace shows no other calls".to_owned(),
        Some(calls) => format!("strace shows {} that trace does not", count(calls as u64)),
    };
    let result = if wanted == 0 {
        format!("{} needed no system call here", who.allocator())
    } else if missing.is_empty() {
        format!(
            "the trace has a call for each change of break and address space that the process ({}) \
            observed",
            who.allocator()
        )
    } else {
        format!("`firsttouch trace` did not show {}", list(&missing))
    };
    let explanation = format!("Calls: {}; {result}; {compared}.", by_step(calls, &shown));
    claim("syscalls-seen", verdict, evidence, explanation)
        .figure("calls_shown", all)
        .figure("changes_seen_within", wanted)
        .figure("changes_with_their_call", seen)
        .figure("calls_only_strace_shows", beside)
        .figure("steps", rows)
}

/// The calls between the marks that strace shows of one probe and `trace` does not of another.
#[must_use]
pub fn only_strace_shows(trace: &[SeenCall], strace: &[SeenCall], page_bytes: usize) -> usize {
    let (ours, theirs) = (steps(trace, page_bytes), steps(strace, page_bytes));
    theirs.iter().zip(&ours).map(|(theirs, ours)| lacks(ours, theirs)).sum()
}

/// The changes that the process observed, and the calls in the trace.
struct Matches {
    /// Changes that need a call.
    wanted: usize,
    /// `brk of malloc small`: changes whose call the trace does not show.
    missing: Vec<String>,
    /// One row per step, for the file.
    rows: Vec<serde_json::Value>,
}

fn matches(calls: &CallFacts, shown: &[Vec<String>]) -> Matches {
    let mut matches = Matches { wanted: 0, missing: Vec::new(), rows: Vec::new() };
    for (index, step) in calls.steps.iter().enumerate() {
        let shown: &[String] = shown.get(index).map_or(&[], Vec::as_slice);
        for call in expected(step) {
            matches.wanted += 1;
            if !shown.iter().any(|name| name == call) {
                matches.missing.push(format!("{call} of {}", step.name));
            }
        }
        matches.rows.push(json!({
            "step": step.name,
            "break_moved_bytes": step.break_bytes,
            "mapped_bytes": step.mapped_bytes,
            "shown": shown,
        }));
    }
    matches
}

/// `malloc small brk x2, malloc large mmap`.
fn by_step(calls: &CallFacts, shown: &[Vec<String>]) -> String {
    if shown.is_empty() {
        return "none".to_owned();
    }
    let steps = calls.steps.iter().zip(shown).map(|(step, calls)| {
        let text = if calls.is_empty() { "none".to_owned() } else { tally(calls) };
        format!("{} {text}", step.name)
    });
    steps.collect::<Vec<_>>().join(", ")
}

/// How many of `theirs` are missing from `ours`.
fn lacks(ours: &[String], theirs: &[String]) -> usize {
    let number =
        |calls: &[String], name: &String| calls.iter().filter(|call| *call == name).count();
    let names: std::collections::BTreeSet<&String> = theirs.iter().collect();
    names.into_iter().map(|name| number(theirs, name).saturating_sub(number(ours, name))).sum()
}

/// `brk x17, mmap`.
fn tally(calls: &[String]) -> String {
    let mut names: Vec<&String> = Vec::new();
    for call in calls {
        if !names.contains(&call) {
            names.push(call);
        }
    }
    let text = |name: &&String| match calls.iter().filter(|call| call == name).count() {
        1 => (*name).clone(),
        several => format!("{name} x{}", count(several as u64)),
    };
    names.iter().map(text).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "brk(NULL) = 0x1000\n\
        mincore(0x1000, 0, 0x7ffc)             = 0\n\
        brk(0x55d0)                            = 0x55d0\nbrk(0x55e0) = 0x55e0\n\
        mincore(0x5000, 0, 0x7ffc)             = 0\n\
        brk(NULL) = 0x55e0\n\
        mincore(0x2000, 0, 0x7ffc)             = 0\n\
        mmap(NULL, 8392704, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f12\n\
        mincore(0x5000, 0, 0x7ffc)             = 0\n+++ exited with 0 +++\n";

    fn calls(break_bytes: i64, mapped: Option<i64>) -> CallFacts {
        let step = |name: &str, break_bytes, mapped_bytes| BreakStep {
            name: name.to_owned(),
            break_bytes,
            mapped_bytes,
        };
        CallFacts {
            steps: vec![
                step("malloc small", break_bytes, Some(0)),
                step("malloc large", 0, mapped),
            ],
        }
    }

    fn judged(calls: &CallFacts, trace: &str) -> Claim {
        let seen = calls_of_strace(trace);
        let who = Identity { page_bytes: 4096, ..Identity::default() };
        syscalls_seen(calls, &seen, Some(only_strace_shows(&seen, &seen, 4096)), &who)
    }

    #[test]
    fn steps_are_between_marks() {
        let steps = |text: &str| steps(&calls_of_strace(text), 4096);
        let brk = |count| vec!["brk".to_owned(); count];
        assert_eq!(steps(TRACE), [brk(2), vec!["mmap".to_owned()]]);
        assert_eq!(
            steps(&TRACE.replace("brk(0x55e0)", "[pid 12] brk(0x55e0)")),
            steps(TRACE),
            "with several threads"
        );
        assert!(steps("strace: ptrace: Operation not permitted\n").is_empty());
    }

    #[test]
    fn calls_that_only_strace_shows_are_missing() {
        let calls = calls(131_072, Some(8 << 20));
        let who = Identity { page_bytes: 4096, ..Identity::default() };
        let trace = calls_of_strace(TRACE);
        let judged = |strace: Option<&str>| {
            let strace = strace.map(calls_of_strace);
            let beside = strace.map(|strace| only_strace_shows(&trace, &strace, 4096));
            syscalls_seen(&calls, &trace, beside, &who)
        };
        assert!(judged(None).explanation.contains("not available to compare with"));
        let more =
            TRACE.replace("brk(0x55e0) = 0x55e0\n", "brk(0x55e0) = 0x55e0\nbrk(0x55f0) = 0x55f0\n");
        let missed = judged(Some(&more));
        assert_eq!(missed.verdict, ClaimVerdict::DoesNotHold, "{}", missed.explanation);
        assert!(
            missed.explanation.contains("strace shows 1 that trace does not"),
            "{}",
            missed.explanation
        );
    }

    #[test]
    fn every_change_needs_its_call() {
        let claim = judged(&calls(131_072, Some(8 << 20)), TRACE);
        assert_eq!(
            (claim.verdict, claim.evidence.as_str()),
            (ClaimVerdict::Holds, "trace shows the calls of 2 of 2 changes; strace shows 0 more")
        );
        assert!(claim.explanation.contains("malloc small brk x2, malloc large mmap"));
        assert_eq!(judged(&calls(131_072, Some(-1)), TRACE).verdict, ClaimVerdict::DoesNotHold);
        assert_eq!(judged(&calls(131_072, None), "").verdict, ClaimVerdict::DoesNotHold);
        assert_eq!(
            judged(&calls(0, None), TRACE).verdict,
            ClaimVerdict::Inconclusive,
            "without a change there is nothing to compare"
        );
    }
}
