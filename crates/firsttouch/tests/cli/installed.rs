//! What a package installs beside the program: manual pages and completions.

use std::collections::BTreeSet;
use std::process::Command;

use crate::program::{Scratch, run, skip, text};

const VERBS: [&str; 10] = [
    "bench",
    "claims",
    "compare",
    "completions",
    "doctor",
    "layout",
    "man",
    "record",
    "report",
    "trace",
];

#[test]
fn a_page_for_the_program_and_one_for_each_verb() {
    let scratch = Scratch::new();
    let folder = scratch.file("share/man/man1");
    let output = run(&["man", folder.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(output.stdout.is_empty() && output.stderr.is_empty(), "silent when all is well");

    let written = std::fs::read_dir(&folder).unwrap().flatten();
    let written: BTreeSet<String> =
        written.map(|entry| entry.file_name().into_string().unwrap()).collect();
    let mut expected: BTreeSet<String> =
        VERBS.iter().map(|verb| format!("firsttouch-{verb}.1")).collect();
    expected.insert("firsttouch.1".to_owned());
    assert_eq!(written, expected, "and none for a verb that is not for people");

    for name in &written {
        let page = std::fs::read_to_string(folder.join(name)).unwrap();
        for section in
            ["NAME", "SYNOPSIS", "OPTIONS", "EXAMPLES", "\"EXIT STATUS\"", "\"SEE ALSO\""]
        {
            assert!(page.contains(&format!(".SH {section}")), "{name} lacks {section}: {page}");
        }
        let title = name.trim_end_matches(".1").replace('-', "\\-");
        assert!(page.contains(&format!("{title} \\- ")), "{name} has no line for man -k: {page}");
        assert!(!page.contains("__"), "{name} has a hidden verb");
    }
}

#[test]
fn pages_are_formatted_without_a_warning() {
    let scratch = Scratch::new();
    assert!(run(&["man", scratch.0.to_str().unwrap()]).status.success());
    for page in std::fs::read_dir(&scratch.0).unwrap().flatten() {
        let man = Command::new("man")
            .args(["--warnings", "-l"])
            .arg(page.path())
            .env("MANWIDTH", "80")
            .env("LC_ALL", "C.UTF-8")
            .output();
        let Ok(man) = man else { return skip("no man to read the pages with") };
        if !man.status.success() {
            return skip(&format!("man cannot format a page: {}", text(&man.stderr)));
        }
        assert_eq!(text(&man.stderr), "", "{}", page.path().display());
    }
}

#[test]
fn completions_know_verbs_options_and_names() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = run(&["completions", shell]);
        let script = text(&output.stdout);
        assert!(output.status.success(), "{shell}: {}", text(&output.stderr));
        // Of arguments without an option, only these two complete names.
        let names: &[&str] = match shell {
            "bash" | "zsh" => &["map-or-copy", "brk-or-mmap", "full sampled none checked"],
            _ => &[],
        };
        for word in VERBS.iter().chain(&["max-time"]).chain(names) {
            assert!(script.contains(word), "{shell} lacks {word}");
        }
        assert!(!script.contains("__child"), "{shell} has a hidden verb");
    }
    assert_eq!(run(&["completions", "tcsh"]).status.code(), Some(2));
}

#[test]
fn shells_accept_their_script() {
    let scratch = Scratch::new();
    for (shell, check) in [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")] {
        let file = scratch.file(shell);
        std::fs::write(&file, run(&["completions", shell]).stdout).unwrap();
        match Command::new(shell).arg(check).arg(&file).output() {
            Ok(output) => {
                assert!(output.status.success(), "{shell}: {}", text(&output.stderr));
            }
            Err(_) => skip(&format!("no {shell}")),
        }
    }
}

#[test]
fn bash_completes_an_experiment() {
    let scratch = Scratch::new();
    let file = scratch.file("completions");
    std::fs::write(&file, run(&["completions", "bash"]).stdout).unwrap();
    let script = format!(
        ". {}; COMP_WORDS=(firsttouch bench map); COMP_CWORD=2; \
         _firsttouch firsttouch map bench; echo \"${{COMPREPLY[@]}}\"",
        file.display()
    );
    let Ok(output) = Command::new("bash").args(["-c", &script]).output() else {
        return skip("no bash");
    };
    assert!(text(&output.stdout).contains("map-or-copy"), "{output:?}");
}
