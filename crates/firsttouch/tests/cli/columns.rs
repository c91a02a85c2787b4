//! No line is wider than a screen of 100 columns.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::{skip, text};

const COLUMNS: usize = 100;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The tracked files that are read by people; `None` (and a word) outside a checkout.
fn tracked() -> Option<Vec<String>> {
    let output = Command::new("git").args(["ls-files"]).current_dir(root()).output();
    let Some(output) = output.ok().filter(|output| output.status.success()) else {
        skip("no git, or no checkout: which files are tracked is unknown");
        return None;
    };
    let is_read = |path: &&str| {
        let end = Path::new(path).extension().and_then(|end| end.to_str()).unwrap_or_default();
        ["rs", "md", "toml", "sh"].contains(&end) || *path == ".ci/run"
    };
    Some(text(&output.stdout).lines().filter(is_read).map(str::to_owned).collect())
}

/// The lines of `content` that are too wide, by number. Of Markdown, code and tables are as wide as
/// they need.
fn wide_lines(content: &str, is_markdown: bool) -> Vec<usize> {
    let mut in_code = false;
    let mut wide = Vec::new();
    for (at, line) in content.lines().enumerate() {
        let is_fence = is_markdown && line.trim_start().starts_with("```");
        in_code ^= is_fence;
        let is_free = is_markdown && (in_code || is_fence || line.trim_start().starts_with('|'));
        if line.chars().count() > COLUMNS && !is_free && !is_link(line) {
            wide.push(at + 1);
        }
    }
    wide
}

/// Whether a line is one address that cannot be broken, with what marks a comment or a list.
fn is_link(line: &str) -> bool {
    let mut words =
        line.split_whitespace().filter(|word| !["//", "///", "//!", "-", "#"].contains(word));
    let first = words.next().unwrap_or_default().trim_start_matches(['<', '(', '[']);
    (first.starts_with("https://") || first.starts_with("http://")) && words.next().is_none()
}

#[test]
fn no_line_is_wider_than_100_columns() {
    let Some(files) = tracked() else { return };
    assert!(files.len() > 300, "{} files were found", files.len());
    let mut wide = Vec::new();
    for file in &files {
        // A file that is deleted, but not yet so for git, has no lines.
        let Ok(content) = std::fs::read_to_string(root().join(file)) else { continue };
        let is_markdown = Path::new(file).extension().is_some_and(|end| end == "md");
        let lines = wide_lines(&content, is_markdown);
        wide.extend(lines.iter().map(|line| format!("{file}:{line}")));
    }
    assert!(wide.is_empty(), "more than {COLUMNS} columns: {wide:#?}");
}

#[test]
fn what_cannot_be_wrapped_is_free() {
    let wide = "x".repeat(101);
    let url = format!("https://example.org/{wide}");
    for (content, is_markdown, expect) in [
        (wide.clone(), false, vec![1]),
        ("ü".repeat(100), false, vec![]),
        (format!("{wide}\n```\n{wide}\n```\n{wide}"), true, vec![1, 5]),
        (format!("| {wide} |"), true, vec![]),
        (format!("| {wide} |"), false, vec![1]),
        (format!("// {url}"), false, vec![]),
        (format!("// see {url}"), false, vec![1]),
    ] {
        assert_eq!(wide_lines(&content, is_markdown), expect, "{content}");
    }
}
