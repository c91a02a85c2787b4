//! `cargo xtask test`: every test, and what they had to skip.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Context;
use clap::Args;

/// Arguments of `cargo test`.
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Passed on to cargo test
    #[arg(value_name = "ARGS", trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

pub(crate) fn run(options: &Test, root: &Path) -> anyhow::Result<ExitCode> {
    let noted = std::env::temp_dir().join(format!("firsttouch-skips-of-{}", std::process::id()));
    let status = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
        .arg("test")
        .args(scope(&options.arguments))
        .args(&options.arguments)
        .current_dir(root)
        .env(skips::FILE, &noted)
        .status()
        .context("cannot run cargo test")?;
    // Without a skip there is no file.
    let lines = std::fs::read_to_string(&noted).unwrap_or_default();
    let _ = std::fs::remove_file(&noted);
    print!("{}", summary(&lines));
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// The whole workspace, unless the arguments name packages.
fn scope(arguments: &[String]) -> Option<&'static str> {
    let of_cargo = arguments.iter().take_while(|argument| *argument != "--");
    let names_packages = |argument: &String| {
        ["-p", "--package", "--workspace", "--manifest-path"]
            .iter()
            .any(|option| argument == option || argument.starts_with(&format!("{option}=")))
    };
    (!of_cargo.into_iter().any(names_packages)).then_some("--workspace")
}

/// How many tests skipped a part, and which.
fn summary(lines: &str) -> String {
    let lines: BTreeSet<&str> = lines.lines().collect();
    let tests: BTreeSet<&str> = lines.iter().filter_map(|line| line.split(": ").next()).collect();
    let list = lines.iter().flat_map(|line| ["  ", *line, "\n"]).collect::<String>();
    match tests.len() {
        0 => "\nnothing was skipped\n".to_owned(),
        1 => format!("\n1 test skipped a part:\n{list}"),
        n => format!("\n{n} tests skipped a part:\n{list}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skips_are_counted_by_test() {
        assert_eq!(summary(""), "\nnothing was skipped\n");
        assert_eq!(
            summary("cli b: no perf\ncli a::c: no strace\ncli a::c: no zsh\ncli b: no perf\n"),
            "\n2 tests skipped a part:\n  cli a::c: no strace\n  cli a::c: no zsh\n  \
             cli b: no perf\n"
        );
    }

    #[test]
    fn packages_that_are_named_are_the_scope() {
        let scope = |text: &str| {
            scope(&text.split_whitespace().map(str::to_owned).collect::<Vec<String>>())
        };
        assert_eq!(scope("--release"), Some("--workspace"));
        assert_eq!(scope("-- -p"), Some("--workspace"));
        assert_eq!(scope("-p firsttouch"), None);
        assert_eq!(scope("--package=firsttouch"), None);
    }
}
