//! Compares the constants with the headers of this machine. Every decoded text of flags is a C
//! expression, so the C compiler can check its value.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::io::Error;
use std::path::Path;
use std::process::{Command, Stdio};

use analysis::trace::decode::{CallError, DecodedArgument, arguments};
use events::{Call, Definitions, Name, Span, Syscall};

const HEADERS: &str = "\
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/memfd.h>
#include <linux/mempolicy.h>
#include <linux/mman.h>
#include <linux/shm.h>
#include <linux/userfaultfd.h>
";

/// All texts of all arguments with named values, and their values: every small value, every bit,
/// every pair of bits.
fn texts() -> BTreeSet<(String, u64)> {
    let pairs = (0..32).flat_map(|one| (0..32).map(move |other| 1_u64 << one | 1 << other));
    let values: BTreeSet<u64> = (0..256).chain(pairs).chain([!0]).collect();
    let names = Definitions::default();
    let mut texts = BTreeSet::new();
    for call in Call::ALL {
        for value in &values {
            let syscall = Syscall {
                call,
                text: Name::NONE,
                arguments: [*value; 6],
                arguments_known: true,
                result: Some(0),
                span: Span::default(),
            };
            for argument in arguments(&syscall, &names) {
                if let DecodedArgument::Symbols(symbols) = argument {
                    texts.insert((symbols.to_string(), symbols.value()));
                }
            }
        }
    }
    texts
}

/// The names in an expression, without those in comments: the parts between comment signs alternate
/// between code and comment.
fn names_in(text: &str) -> impl Iterator<Item = &str> {
    let code = text.split(" /* ").filter_map(|part| part.rsplit(" */").next());
    code.flat_map(|part| part.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'))
        .filter(|word| word.starts_with(char::is_alphabetic))
}

/// The compiler's output for `assertions`.
fn compile(assertions: &BTreeSet<(String, u64)>) -> String {
    let mut program = HEADERS.to_owned();
    for (text, value) in assertions {
        let shown = text.split(" /*").next().unwrap_or(text);
        writeln!(
            program,
            "_Static_assert((unsigned long)(unsigned)({text}) == (unsigned){value}ul, \"{shown}\");"
        )
        .unwrap();
    }
    let file =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("headers-{}.c", std::process::id()));
    std::fs::write(&file, program).unwrap();
    let compiler = Command::new("cc")
        .args(["-w", "-fsyntax-only", "-fmax-errors=0"])
        .arg(&file)
        .env("LC_ALL", "C")
        .output();
    std::fs::remove_file(&file).unwrap();
    String::from_utf8_lossy(&compiler.unwrap().stderr).into_owned()
}

#[test]
fn values_of_names_agree_with_the_headers() {
    if !Command::new("cc")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
    {
        skips::skip("cc is not installed");
        return;
    }
    let mut texts = texts();
    texts.extend((1..=133).filter_map(|number| {
        Some((CallError::of(-number)?.name()?.to_owned(), number.cast_unsigned()))
    }));
    // A value with bits above the low half does not fit an unsigned int; its low half was checked.
    texts.retain(|&(_, value)| u32::try_from(value).is_ok());

    let names: BTreeSet<String> =
        texts.iter().flat_map(|(text, _)| names_in(text)).map(str::to_owned).collect();
    let complaints = compile(&texts);
    let undeclared: BTreeSet<&String> =
        names.iter().filter(|name| complaints.contains(&format!("'{name}' undeclared"))).collect();
    if !undeclared.is_empty() {
        skips::skip(&format!("the headers of this machine do not have {undeclared:?}"));
    }
    assert!(
        names.len() - undeclared.len() > 180,
        "too few of {} names are in headers",
        names.len()
    );
    texts.retain(|(text, _)| {
        !names_in(text).any(|name| undeclared.iter().any(|missing| *missing == name))
    });
    let wrong: Vec<String> =
        compile(&texts).lines().filter(|l| l.contains("error:")).map(str::to_owned).collect();
    assert!(
        wrong.is_empty(),
        "{} of {} texts have another value: {:#?}",
        wrong.len(),
        texts.len(),
        &wrong[..5.min(wrong.len())]
    );
    println!("{} texts of {} names have their values", texts.len(), names.len() - undeclared.len());
}

#[test]
fn messages_agree_with_the_c_library() {
    if !cfg!(target_env = "gnu") {
        skips::skip("this C library is not glibc, whose messages strace shows");
        return;
    }
    for number in 1..=133 {
        let errno = CallError::of(-i64::from(number)).expect("an error");
        let theirs = Error::from_raw_os_error(number).to_string();
        match errno.message() {
            Some(message) => assert_eq!(theirs, format!("{message} (os error {number})")),
            None => assert!(theirs.starts_with("Unknown error"), "{theirs}"),
        }
    }
    assert_eq!(
        (CallError::of(0), CallError::of(-4096), CallError::of(i64::MIN), CallError::of(1)),
        (None, None, None, None)
    );
}
