//! The answer of a child that has ended, or why there is none.

use serde::de::DeserializeOwned;
use sys::process::{Finished, WaitStatus};

/// Parses the answer of a child that has ended. `out_of_memory` returns whether the out-of-memory
/// killer was active since the child was started.
///
/// # Errors
/// How it ended without an answer, with the last line of its standard error.
pub fn understand<A: DeserializeOwned>(
    finished: &Finished,
    out_of_memory: impl Fn() -> bool,
) -> Result<A, String> {
    let complaint = String::from_utf8_lossy(&finished.stderr);
    let complaint =
        complaint.lines().next_back().map(|line| format!(": {line}")).unwrap_or_default();
    match finished.ending {
        WaitStatus::Killed(signal) => {
            let killer = if out_of_memory() { " by the kernel's out-of-memory killer" } else { "" };
            // RLIMIT_CPU sends SIGXCPU at the soft limit and SIGKILL at the hard one: setrlimit(2).
            let limit =
                sys::limits::cpu_seconds().filter(|limit| finished.usage.cpu.as_secs() >= *limit);
            let limit = limit.map_or_else(String::new, |limit| {
                format!("; the limit of processor time (ulimit -t) is {limit} s")
            });
            Err(format!(
                "the child was killed{killer} ({}){limit}{complaint}",
                sys::interrupt::name(signal)
            ))
        }
        WaitStatus::Exited(0) => serde_json::from_slice(&finished.stdout)
            .map_err(|_| no_answer(&finished.stdout, &complaint)),
        WaitStatus::Exited(status) => {
            Err(format!("the child exited with status {status}{complaint}"))
        }
    }
}

/// A message with the output instead of an answer.
fn no_answer(stdout: &[u8], complaint: &str) -> String {
    let text = String::from_utf8_lossy(stdout);
    let instead = text.lines().next().filter(|line| !line.trim().is_empty());
    let instead = instead.map(|line| line.chars().take(60).collect::<String>());
    let printed = instead.map(|line| format!(", but printed {line:?}")).unwrap_or_default();
    format!("the child ended without an answer{printed}{complaint}")
}

#[cfg(test)]
mod tests {
    use sys::usage::Usage;

    use super::*;
    use sample::protocol::Answer;

    fn check(ending: WaitStatus, stdout: &str, stderr: &str, oom: bool, expect: &str) {
        let finished = Finished {
            ending,
            usage: Usage::default(),
            stdout: stdout.as_bytes().to_vec(),
            stderr: stderr.as_bytes().to_vec(),
        };
        match understand(&finished, || oom) {
            Err(reason) => assert!(reason.contains(expect), "{reason}"),
            Ok::<Answer, _>(answer) => assert_eq!(format!("{answer:?}"), expect),
        }
    }

    #[test]
    fn endings_without_an_answer_are_described() {
        check(WaitStatus::Killed(9), "", "", true, "out-of-memory killer (SIGKILL)");
        check(WaitStatus::Killed(9), "", "", false, "was killed (SIGKILL)");
        check(WaitStatus::Killed(11), "", "noise\nlast words\n", false, "SIGSEGV): last words");
        check(WaitStatus::Exited(3), "", "why", false, "status 3: why");
        check(WaitStatus::Exited(0), "{", "", false, "without an answer, but printed \"{\"");
        check(WaitStatus::Exited(0), "", "words", false, "without an answer: words");
        let answer = Answer::Failed { reason: "malloc: ENOMEM".to_owned() };
        check(
            WaitStatus::Exited(0),
            &serde_json::to_string(&answer).unwrap(),
            "",
            false,
            &format!("{answer:?}"),
        );
    }
}
