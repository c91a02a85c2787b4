//! What a child that has ended has said, or why it said nothing.

use serde::de::DeserializeOwned;
use sys::process::{Ending, Finished};

/// Makes sense of a child that has ended. `out_of_memory` tells whether the kernel has killed some process for memory
/// since it was started.
///
/// # Errors
/// How it ended without an answer, with its last words.
pub fn understand<A: DeserializeOwned>(finished: &Finished, out_of_memory: impl Fn() -> bool) -> Result<A, String> {
    let complaint = String::from_utf8_lossy(&finished.stderr);
    let complaint = complaint.lines().next_back().map(|line| format!(": {line}")).unwrap_or_default();
    match finished.ending {
        Ending::Killed(signal) => {
            let killer = if out_of_memory() { " by the kernel's out-of-memory killer" } else { "" };
            Err(format!("its child was killed{killer} ({}){complaint}", sys::interrupt::name(signal)))
        }
        Ending::Exited(0) => serde_json::from_slice(&finished.stdout)
            .map_err(|_| format!("its child ended without an answer{complaint}")),
        Ending::Exited(status) => Err(format!("its child ended with status {status}{complaint}")),
    }
}

#[cfg(test)]
mod tests {
    use sys::usage::Usage;

    use super::*;
    use crate::protocol::Answer;

    fn check(ending: Ending, stdout: &str, stderr: &str, oom: bool, expect: &str) {
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
    fn a_child_that_broke_is_named() {
        check(Ending::Killed(9), "", "", true, "out-of-memory killer (SIGKILL)");
        check(Ending::Killed(9), "", "", false, "was killed (SIGKILL)");
        check(Ending::Killed(11), "", "noise\nlast words\n", false, "SIGSEGV): last words");
        check(Ending::Exited(3), "", "why", false, "status 3: why");
        check(Ending::Exited(0), "{", "", false, "without an answer");
        let answer = Answer::Failed { reason: "malloc: ENOMEM".to_owned() };
        check(Ending::Exited(0), &serde_json::to_string(&answer).unwrap(), "", false, &format!("{answer:?}"));
    }
}
