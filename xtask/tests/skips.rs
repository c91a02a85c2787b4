//! The README's test command shows what was skipped.

use std::process::Command;

fn xtask(arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(arguments)
        .output()
        .expect("the program of this package");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), text)
}

#[test]
fn the_test_command_lists_what_was_skipped() {
    let one = ["test", "--package", "firsttouch-skips", "--test", "visible", "--"];
    let (code, text) = xtask(&[&one[..], &["--ignored"]].concat());
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("test result: ok. 1 passed"), "the harness's output: {text}");
    let end = "1 test skipped a part:\n  visible passes_in_part: this machine lacks a thing\n";
    assert!(text.ends_with(end), "{text}");

    let (code, text) = xtask(&[&one[..], &["no_such_test"]].concat());
    assert_eq!(code, Some(0), "{text}");
    assert!(text.ends_with("nothing was skipped\n"), "{text}");

    let (code, _) = xtask(&["test", "--package", "no-such-package"]);
    assert_eq!(code, Some(101), "cargo's own status");
}

#[test]
fn without_arguments_the_daily_commands_are_listed() {
    let (code, text) = xtask(&[]);
    assert_eq!(code, Some(0), "{text}");
    for command in ["cargo xtask test", "cargo fmt", "cargo clippy", ".ci/run", "cargo xtask prove"]
    {
        assert!(text.contains(command), "{command} is missing: {text}");
    }
}
