//! What a test says when this machine lacks what it needs. Only tests use it.
//!
//! The test harness has no state for a test that ran in part, and it swallows what a passing test
//! prints. So a skip goes to standard error past the harness, and into a file that `cargo xtask
//! test` shows at its end.

use std::fs::OpenOptions;
use std::io::{self, Write};

/// The environment variable that names the file to which skips are added, a line each.
pub const FILE: &str = "FIRSTTOUCH_SKIPS";

/// Says that the running test leaves out a part, and why.
///
/// # Panics
/// If the file that [`FILE`] names cannot be written: a skip must not go unseen.
pub fn skip(reason: &str) {
    let line = line(&test(), reason);
    // Not eprintln!, whose output the harness captures.
    let _ = writeln!(io::stderr().lock(), "SKIPPED {line}");
    if let Some(path) = std::env::var_os(FILE) {
        // One write to the end of the file: tests skip at the same time.
        let file = OpenOptions::new().append(true).create(true).open(&path);
        let written = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
        written.unwrap_or_else(|error| panic!("cannot note a skip in {}: {error}", path.display()));
    }
}

/// The test program and the test in it: the harness names the thread of a test after it.
fn test() -> String {
    let program = std::env::current_exe().ok();
    let program = program.as_ref().and_then(|path| path.file_stem()).and_then(|name| name.to_str());
    // Cargo adds a hash to the name.
    let program = program.map_or("?", |name| name.rsplit_once('-').map_or(name, |(name, _)| name));
    let thread = std::thread::current();
    format!("{program} {}", thread.name().unwrap_or("?"))
}

/// `test: reason`, in one line.
fn line(test: &str, reason: &str) -> String {
    format!("{test}: {}", reason.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_line() {
        assert_eq!(line("cli a::b", "no perf:\n  refused\n"), "cli a::b: no perf: refused");
    }

    #[test]
    fn a_test_knows_its_name() {
        assert_eq!(test(), "skips tests::a_test_knows_its_name");
    }
}
