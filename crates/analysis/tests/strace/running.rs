//! Runs programs under strace.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::reading::{self, Decoded, Errors, Raw};

/// The calls of `events::Call`. A question mark marks calls that older versions of strace do not
/// know.
const TRACED: &str = concat!(
    "trace=memory,memfd_create,?memfd_secret,?process_madvise,?process_mrelease,",
    "?set_mempolicy_home_node,?io_uring_register,?map_shadow_stack,?mseal,?mlock2,?pkey_mprotect,",
    "?userfaultfd"
);

/// Runs programs under strace, all with the same addresses.
pub(crate) struct Tracer {
    errors: Errors,
}

impl Tracer {
    /// `None`, with a printed reason, if programs cannot be traced.
    pub(crate) fn new() -> Option<Tracer> {
        for tool in ["strace", "setarch", "cc"] {
            if !is_there(tool) {
                skips::skip(&format!("{tool} is not installed"));
                return None;
            }
        }
        if !run(Command::new("setarch").args(["-R", "true"])) {
            skips::skip(
                "addresses cannot be fixed here (setarch -R is refused), so no two runs are the \
                 same",
            );
            return None;
        }
        if !run(Command::new("strace").args(["-o", "/dev/null", "true"])) {
            skips::skip("no program can be traced here (ptrace is refused)");
            return None;
        }
        Some(Tracer { errors: Errors::of_the_headers() })
    }

    /// The memory syscalls of `program`, with raw registers.
    pub(crate) fn raw(&self, program: &[&str]) -> Vec<Raw> {
        let text = trace(&["-e", "raw=all"], program);
        text.lines().filter_map(|line| reading::raw(line, &self.errors)).collect()
    }
}

/// A program of `fixtures/`, compiled.
pub(crate) fn fixture(name: &str) -> Option<String> {
    let source =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(format!("{name}.c"));
    let program = scratch(name);
    if !run(Command::new("cc").args(["-O1", "-o"]).arg(&program).arg(&source)) {
        skips::skip(&format!("the C compiler does not compile {name}.c"));
        return None;
    }
    Some(program.to_str().expect("a path of UTF-8").to_owned())
}

/// The memory syscalls of `program` as strace decodes them, following pointers or not.
pub(crate) fn decoded(program: &[&str], follow: bool) -> Vec<Decoded> {
    let how: &[&str] = if follow { &[] } else { &["-e", "verbose=none"] };
    trace(how, program).lines().filter_map(reading::decoded).collect()
}

/// What strace writes about `program`.
fn trace(how: &[&str], program: &[&str]) -> String {
    let output = scratch("trace");
    let done = Command::new("setarch")
        .args(["-R", "strace", "-a", "1", "-s", "4096", "-e", "signal=none", "-e", TRACED, "-o"])
        .arg(&output)
        .args(how)
        .args(program)
        // Python's dictionaries are laid out by a random number otherwise.
        .env("PYTHONHASHSEED", "0")
        .stdin(Stdio::null())
        .output()
        .expect("strace was there");
    assert!(
        done.status.success(),
        "{program:?} under strace: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    let text = std::fs::read(&output).expect("strace writes its output");
    std::fs::remove_file(&output).expect("the output is ours");
    String::from_utf8_lossy(&text).into_owned()
}

/// A file that no other test uses.
fn scratch(name: &str) -> PathBuf {
    static FILES: AtomicUsize = AtomicUsize::new(0);
    let number = FILES.fetch_add(1, Ordering::Relaxed);
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}-{number}", std::process::id()))
}

pub(crate) fn is_there(program: &str) -> bool {
    run(Command::new(program).arg("--version"))
}

fn run(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).output().is_ok_and(|done| done.status.success())
}
