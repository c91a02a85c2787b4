//! Runs of the program: one after the other, each in a fresh process.

mod begun;
mod line;
pub(crate) mod once;
pub(crate) mod output;
pub(crate) mod programs;
mod server;
mod stay;

use sys::process::WaitStatus;

/// How a process ended, after its name.
fn how(ending: WaitStatus) -> String {
    match ending {
        WaitStatus::Exited(status) => format!("exited with status {status}"),
        WaitStatus::Killed(signal) => format!("was killed by {}", sys::interrupt::name(signal)),
    }
}

/// How a run ended that did not go well, and when: `exited with status 4: no such file`.
fn told(ending: WaitStatus, when: &str, errors: &[u8]) -> String {
    let said = last_line(errors).map(|line| format!(": {line}")).unwrap_or_default();
    let hint = match ending {
        WaitStatus::Exited(_) => COUNTED,
        WaitStatus::Killed(_) => "",
    };
    format!("{}{when}{said}{hint}", how(ending))
}

/// What counts runs that failed.
const COUNTED: &str = " (--ignore-failure counts such runs)";

/// The last line that says something.
pub(crate) fn last_line(text: &[u8]) -> Option<String> {
    const LONGEST: usize = 200;
    let text = String::from_utf8_lossy(text);
    let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
    Some(line.chars().take(LONGEST).collect())
}
