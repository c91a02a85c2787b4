//! The architecture (ARCHITECTURE.md), enforced: which crate may use which, and what may appear
//! where.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{read_dir, read_to_string};
use std::path::{Path, PathBuf};

/// Each crate, and the crates of this workspace that it may use.
pub(crate) const MAY_USE: [(&str, &[&str]); 19] = [
    ("sys", &[]),
    ("events", &[]),
    ("wire", &[]),
    ("shim", &["wire"]),
    ("recording", &["events"]),
    ("stats", &[]),
    ("results", &["events"]),
    ("sample", &["sys"]),
    ("lab", &["sample", "sys", "stats", "results"]),
    ("doctor", &["sys", "results"]),
    ("claims", &["sys", "stats", "events", "results", "lab", "collect", "analysis"]),
    ("compare", &["sys", "stats", "events", "results", "lab", "collect", "analysis"]),
    ("collect", &["events", "sys", "wire"]),
    ("analysis", &["events", "results"]),
    ("report", &["events", "results"]),
    ("symbols", &[]),
    (
        "firsttouch",
        &[
            "events",
            "sys",
            "results",
            "sample",
            "lab",
            "doctor",
            "claims",
            "compare",
            "collect",
            "analysis",
            "report",
            "recording",
            "symbols",
        ],
    ),
    ("skips", &[]),
    ("xtask", &["sys", "stats", "results", "sample", "lab", "skips"]),
];
/// The programs: only these know the command line.
const PROGRAMS: [&str; 2] = ["firsttouch", "xtask"];

fn crates() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The folder of a crate.
pub(crate) fn folder(name: &str) -> PathBuf {
    if name == "xtask" { crates().parent().unwrap().join(name) } else { crates().join(name) }
}

/// Every source file of a crate, with its text.
pub(crate) fn sources(name: &str) -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push((path.clone(), read_to_string(&path).unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    walk(&folder(name).join("src"), &mut found);
    assert!(!found.is_empty(), "{name} has no sources");
    found
}

/// The `[dependencies]` of a crate, without its `[dev-dependencies]`.
fn dependencies(name: &str) -> BTreeSet<String> {
    let manifest = read_to_string(folder(name).join("Cargo.toml")).unwrap();
    manifest
        .lines()
        .skip_while(|line| *line != "[dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split(['.', '=', ' ']).next())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn imports_run_one_way() {
    let table: BTreeMap<&str, &[&str]> = MAY_USE.into_iter().collect();
    let shipped =
        read_dir(crates()).unwrap().flatten().map(|e| e.file_name().into_string().unwrap());
    let present: BTreeSet<String> = shipped.chain(["xtask".to_owned()]).collect();
    assert_eq!(
        present,
        table.keys().map(ToString::to_string).collect(),
        "the table knows every crate"
    );
    for (name, allowed) in table {
        let ours: BTreeSet<String> =
            dependencies(name).into_iter().filter(|d| present.contains(d)).collect();
        let allowed: BTreeSet<String> = allowed.iter().map(ToString::to_string).collect();
        assert_eq!(ours, allowed, "{name} uses other crates than the table says");
    }
}

#[test]
fn the_command_line_stays_at_the_top() {
    for (name, _) in MAY_USE.iter().filter(|(name, _)| !PROGRAMS.contains(name)) {
        let forbidden = ["clap", "indicatif", "anyhow"];
        let used = dependencies(name);
        assert!(
            forbidden.iter().all(|library| !used.contains(*library)),
            "{name} knows the command line: {used:?}"
        );
    }
}

/// Whether `code` has `word` as a whole word outside comments.
pub(super) fn mentions(code: &str, word: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.lines().filter(|line| !line.trim_start().starts_with("//")).any(|line| {
        line.match_indices(word).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            let after = line[at + word.len()..].chars().next();
            !before.is_some_and(is_word) && !after.is_some_and(is_word)
        })
    })
}

#[test]
fn unsafe_stays_at_the_door() {
    for (name, _) in MAY_USE.iter().filter(|(name, _)| !["sys", "shim"].contains(name)) {
        for (path, code) in sources(name) {
            assert!(!mentions(&code, "unsafe"), "{} is not the door to the kernel", path.display());
        }
    }
    let allowing: Vec<PathBuf> = sources("sys")
        .into_iter()
        .filter(|(_, code)| mentions(code, "unsafe"))
        .map(|(path, _)| path)
        .collect();
    for path in allowing {
        let code = read_to_string(&path).unwrap();
        assert!(
            code.contains("#![allow(unsafe_code)]") && code.starts_with("//!"),
            "{}",
            path.display()
        );
    }
}

#[test]
fn statistics_judgements_and_reports_touch_nothing_outside() {
    for name in ["events", "recording", "stats", "results", "doctor", "analysis", "report"] {
        for (path, code) in sources(name) {
            for outside in
                ["std::fs", "std::process", "std::net", "std::env", "Instant", "SystemTime"]
            {
                assert!(!code.contains(outside), "{} uses {outside}", path.display());
            }
        }
    }
    for (path, code) in sources("claims") {
        let pure = path.components().any(|part| {
            ["judge", "judge.rs", "facts.rs"].iter().any(|name| part.as_os_str() == *name)
        });
        for outside in ["std::fs", "std::process", "std::env", "Instant", "Asker"] {
            assert!(!pure || !code.contains(outside), "{} uses {outside}", path.display());
        }
    }
}

#[test]
fn files_are_about_one_thing() {
    for (name, _) in MAY_USE {
        for (path, code) in sources(name) {
            let lines = code.lines().count();
            assert!(lines <= 400, "{} has {lines} lines: is it about one thing?", path.display());
            let stem = path.file_stem().unwrap().to_str().unwrap();
            assert!(
                !["utils", "util", "common", "misc", "shared", "helpers"].contains(&stem),
                "{}",
                path.display()
            );
        }
    }
}

/// Public types that two crates name alike because they are the same thing, once as numbers and
/// once in a file.
const NAMED_ALIKE: [&str; 2] = ["Placebo", "Verdict"];

/// The names of the public types that `code` declares.
fn public_types(code: &str) -> impl Iterator<Item = &str> {
    let kinds = ["pub struct ", "pub enum ", "pub trait ", "pub type "];
    let name = |rest: &'_ str| rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
    code.lines().filter_map(move |line| {
        let rest = kinds.iter().find_map(|kind| line.trim_start().strip_prefix(kind))?;
        Some(&rest[..name(rest)])
    })
}

#[test]
fn a_public_name_has_one_meaning() {
    let mut places: BTreeMap<String, BTreeSet<PathBuf>> = BTreeMap::new();
    for (name, _) in MAY_USE {
        for (path, code) in sources(name) {
            for declared in public_types(&code) {
                places.entry(declared.to_owned()).or_default().insert(path.clone());
            }
        }
    }
    assert!(places.len() > 300, "{} public types were found", places.len());
    places.retain(|name, places| places.len() > 1 && !NAMED_ALIKE.contains(&name.as_str()));
    assert!(places.is_empty(), "name them by what each is: {places:#?}");
    assert_eq!(
        public_types("pub struct A;\n    pub(crate) enum B {}\npub enum C<T> {")
            .collect::<Vec<_>>(),
        ["A", "C"]
    );
}

#[test]
fn mentions_are_whole_words_outside_comments() {
    assert!(mentions("let x = unsafe { y };", "unsafe"));
    assert!(!mentions("// unsafe\nfn unsafe_code() {}", "unsafe"));
}
