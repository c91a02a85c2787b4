//! `sys` is the only door to the kernel: no other crate depends on libc or a similar crate, and no
//! other crate opens a file of `/proc`. The shim alone has its own door: it is in another program.

use std::fs::read_to_string;

use crate::layers::{MAY_USE, folder, mentions, sources};

/// Crates that are ways into the kernel, by the names that they have on crates.io.
const DOORS: [&str; 7] =
    ["libc", "rustix", "nix", "procfs", "linux-raw-sys", "syscalls", "perf-event-open-sys"];

/// The files outside `sys` that have strings which are a path of `/proc` and nothing else: how many
/// of them, and their purpose. The list may only shrink.
const NAMED_ONLY: [(&str, usize, &str); 4] = [
    ("claims/src/gather/layout.rs", 1, "the text of a C program, which is another process"),
    ("claims/src/probes/arenas.rs", 2, "what failed, in messages"),
    ("claims/src/probes/layout.rs", 1, "what failed, in messages"),
    ("doctor/src/access.rs", 3, "what is missing, in messages"),
];

/// Functions that open a path or look at it.
const OPENING: [&str; 14] = [
    "fs",
    "File",
    "OpenOptions",
    "open",
    "read",
    "read_to_string",
    "read_dir",
    "read_link",
    "write",
    "metadata",
    "exists",
    "Path",
    "PathBuf",
    "Command",
];

/// The doors among the dependencies of a manifest, without its dev-dependencies.
fn doors_of(manifest: &str) -> Vec<&'static str> {
    let mut section = "";
    let mut found = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            section = line;
        }
        if !section.contains("dependencies") || section.contains("dev-dependencies") {
            continue;
        }
        // `libc = "1"`, `libc.workspace = true`, `[dependencies.libc]`, `c = { package = "libc" }`.
        let is_word = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
        found.extend(
            DOORS.into_iter().filter(|door| line.split(|c| !is_word(c)).any(|word| word == *door)),
        );
    }
    found
}

/// The lines of code with a string that is a path of `/proc`. A path begins right behind its
/// quotation mark and has no space; a sentence has some.
fn paths_of_proc(code: &str) -> Vec<&str> {
    let is_path = |rest: &str| {
        let text = rest.split('"').next().unwrap_or_default();
        !text.contains(char::is_whitespace)
            && text["/proc".len()..].chars().next().is_none_or(|c| c == '/')
    };
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines
        .filter(|line| line.match_indices("\"/proc").any(|(at, _)| is_path(&line[at + 1..])))
        .collect()
}

#[test]
fn no_other_crate_depends_on_a_way_into_the_kernel() {
    for (name, _) in MAY_USE.iter().filter(|(name, _)| !["sys", "shim"].contains(name)) {
        let manifest = read_to_string(folder(name).join("Cargo.toml")).unwrap();
        assert!(
            doors_of(&manifest).is_empty(),
            "{name} depends on {:?}: sys is the door",
            doors_of(&manifest)
        );
    }
    let sys = read_to_string(folder("sys").join("Cargo.toml")).unwrap();
    assert!(doors_of(&sys).contains(&"libc"), "sys is a door, or the doors are not found");
}

#[test]
fn no_other_crate_opens_a_file_of_proc() {
    let mut named = Vec::new();
    for (name, _) in MAY_USE.iter().filter(|(name, _)| *name != "sys") {
        for (path, code) in sources(name) {
            let lines = paths_of_proc(&code);
            for line in &lines {
                let opening = OPENING.iter().find(|word| mentions(line, word));
                assert!(
                    opening.is_none(),
                    "{} opens a file of /proc ({opening:?}): {line}",
                    path.display()
                );
            }
            let file = path
                .strip_prefix(folder(name).parent().unwrap())
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            named.extend((!lines.is_empty()).then_some((file, lines.len())));
        }
    }
    named.sort();
    let known: Vec<(String, usize)> =
        NAMED_ONLY.iter().map(|(file, count, _)| ((*file).to_owned(), *count)).collect();
    assert_eq!(
        named, known,
        "a path of /proc belongs in sys; a list that has become too long is to be shortened"
    );
}

#[test]
fn doors_are_found() {
    for manifest in [
        "[dependencies]\nlibc = \"0.2\"\n",
        "[dependencies]\nserde = \"1\"\nlibc.workspace = true\n",
        "[build-dependencies]\nlibc = \"0.2\"\n",
        "[target.'cfg(unix)'.dependencies.libc]\nversion = \"0.2\"\n",
        "[dependencies]\nc = { version = \"0.2\", package = \"libc\" }\n",
    ] {
        assert_eq!(doors_of(manifest), ["libc"], "{manifest}");
    }
    for manifest in [
        "[dev-dependencies]\nlibc = \"0.2\"\n",
        "[package]\nkeywords = [\"libc\"]\n[dependencies]\nlibc-like = \"1\"\n",
    ] {
        assert!(doors_of(manifest).is_empty(), "{manifest}");
    }
}

#[test]
fn paths_are_told_from_sentences() {
    for path in [
        r#"std::fs::read("/proc/self/maps")"#,
        r#"File::open(format!("/proc/{pid}/maps"))"#,
        r#"open(c"/proc/self/statm")"#,
        r#"Path::new("/proc").join("self")"#,
        r#"let unsuspicious = "/proc/stat";"#,
    ] {
        assert_eq!(paths_of_proc(path), [path]);
    }
    for sentence in [
        r#"skip(ID, "/proc/swaps is not readable")"#,
        r#"format!("{name}: /proc/stat is not readable")"#,
        r#"// fs::read("/proc/stat")"#,
        r#""/processors""#,
    ] {
        assert!(paths_of_proc(sentence).is_empty(), "{sentence}");
    }
    assert!(OPENING.iter().any(|word| mentions(r#"std::fs::read("/proc/self/maps")"#, word)));
}
