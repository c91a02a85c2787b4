//! Every command that the documents show is one that the program takes.

use std::path::{Path, PathBuf};

use clap::Parser;
use clap::error::ErrorKind;

use crate::options::Cli;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// README.md and everything below docs.
fn documents() -> Vec<(PathBuf, String)> {
    let docs = std::fs::read_dir(root().join("docs")).expect("docs");
    let paths = docs.map(|entry| entry.expect("an entry").path());
    paths
        .filter(|path| path.extension().is_some_and(|end| end == "md"))
        .chain([root().join("README.md")])
        .map(|path| (path.clone(), std::fs::read_to_string(path).expect("a document")))
        .collect()
}

/// The lines within code fences, and the spans of code that begin like a command.
fn shown(text: &str) -> Vec<String> {
    let mut fenced = false;
    let mut shown = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            shown.push(line.trim_start_matches("$ ").to_owned());
        } else {
            shown.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    shown
}

/// The words of each command of ours in a line of shell: what stands behind two spaces explains it.
fn commands(line: &str) -> Vec<Vec<String>> {
    let line = line.split("  ").next().unwrap_or_default();
    let parts = line.split(['|', '>', ';', '#']).flat_map(|part| part.split("&&"));
    let words = parts.map(|part| {
        let mut words = Vec::new();
        for (index, piece) in part.split('\'').enumerate() {
            if index % 2 == 1 {
                words.push(piece.to_owned());
            } else {
                words.extend(piece.split_whitespace().map(str::to_owned));
            }
        }
        words
    });
    words
        .filter_map(|words| {
            let start = words.iter().position(|word| word == "firsttouch")?;
            let leads = |word: &String| {
                ["sudo", "-u", "nobody", "exec"].contains(&word.as_str()) || word.contains('=')
            };
            words[..start].iter().all(leads).then(|| words[start..].to_vec())
        })
        .collect()
}

/// A command that stands for others: `firsttouch bench ...`, `firsttouch VERB --help`.
fn is_a_pattern(words: &[String]) -> bool {
    words.len() < 2
        || words.iter().any(|word| {
            word.contains("...")
                || ["NAME", "FILE", "FILE.toml", "VERB", "DIR", "SHELL", "N"]
                    .contains(&word.as_str())
        })
}

#[test]
fn every_command_in_the_documents_is_accepted() {
    let mut seen = 0;
    let mut refused = Vec::new();
    for (path, text) in documents() {
        for words in shown(&text).iter().flat_map(|line| commands(line)) {
            if is_a_pattern(&words) {
                continue;
            }
            seen += 1;
            if let Err(error) = Cli::try_parse_from(&words) {
                // Help and version end like errors, and a verb alone may only be named.
                let is_named =
                    words.len() == 2 && error.kind() == ErrorKind::MissingRequiredArgument;
                if error.use_stderr() && !is_named {
                    refused.push(format!("{}: {}: {error}", path.display(), words.join(" ")));
                }
            }
        }
    }
    assert!(refused.is_empty(), "{}", refused.concat());
    assert!(seen > 30, "{seen} commands were found: are they still recognised?");
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    for (path, text) in documents() {
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap_or_default();
            if file.is_empty() || file.contains("://") {
                continue;
            }
            let from = path.parent().expect("a folder");
            assert!(from.join(file).exists(), "{}: no {target}", path.display());
        }
    }
}
