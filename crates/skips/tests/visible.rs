//! A skip of a passing test is seen, although the harness swallows what such a test prints.

use std::process::Command;

#[test]
#[ignore = "skips, for those that look whether that is seen"]
fn passes_in_part() {
    println!("swallowed");
    skips::skip("this machine lacks a thing");
}

#[test]
fn a_skip_passes_the_harness() {
    let file = std::env::temp_dir().join(format!("firsttouch-skips-{}", std::process::id()));
    let output = Command::new(std::env::current_exe().expect("a program"))
        .args(["--ignored", "--exact", "passes_in_part"])
        .env(skips::FILE, &file)
        .output()
        .expect("this program again");
    let noted = std::fs::read_to_string(&file);
    let _ = std::fs::remove_file(&file);
    let skip = "visible passes_in_part: this machine lacks a thing\n";
    assert!(output.status.success());
    assert_eq!(noted.expect("a file with the skip"), skip);
    assert_eq!(String::from_utf8_lossy(&output.stderr), format!("SKIPPED {skip}"));
    assert!(
        !String::from_utf8_lossy(&output.stdout).contains("swallowed"),
        "the harness's own way"
    );
}
