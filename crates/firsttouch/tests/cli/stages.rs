//! The stages inside a crate (ARCHITECTURE.md), enforced by reading its code: a stage imports only
//! stages before it, and no two folders import each other.

mod imports;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use self::imports::{Import, folder_of, imports, module_of, program_text};
use crate::layers::{folder, sources};

/// A crate and its stages in order. Stages beside each other do not import each other. Modules of
/// the crate's root are above all stages.
type Stages = (&'static str, &'static [&'static [&'static str]]);
const STAGES: [Stages; 2] = [
    ("lab", &[&["question"], &["design"], &["run"], &["judge"], &["result"]]),
    (
        "analysis",
        &[&["address_space"], &["start"], &["allocations"], &["layout", "recording", "trace"]],
    ),
];

/// Imports that break the order: crate, file, and the stage it imports. This list may only
/// shrink.
const EXCEPTIONS: &[(&str, &str, &str)] = &[];

/// Imports of a later stage or of the root, as pairs of a file and the first part of the path that
/// it imports.
fn against_the_order(stages: &[&[&str]], imports: &[Import]) -> BTreeSet<(String, String)> {
    let place = |name: &String| stages.iter().position(|beside| beside.contains(&name.as_str()));
    let wrong = |import: &&Import| {
        let module = module_of(&import.file);
        // A path that ends at the root names nothing: `use super::*` in the root itself.
        let (Some(own), Some(name)) = (module.first(), import.path.first()) else { return false };
        place(own).is_some_and(|from| own != name && place(name).is_none_or(|to| to >= from))
    };
    imports
        .iter()
        .filter(wrong)
        .map(|import| (import.file.clone(), import.path[0].clone()))
        .collect()
}

/// Pairs of sibling folders that import each other, directly or through other folders: a folder,
/// and one that it imports and that leads back to it. A folder and the folders in it count as one.
fn circles(files: &[(String, String)], imports: &[Import]) -> BTreeSet<(String, String)> {
    let modules = files.iter().map(|(file, _)| module_of(file));
    let modules: BTreeSet<Vec<String>> = modules
        .flat_map(|module| (0..=module.len()).map(move |len| module[..len].to_vec()))
        .collect();
    let module_named = |path: &[String]| {
        (0..=path.len())
            .rev()
            .map(|len| path[..len].to_vec())
            .find(|module| modules.contains(module))
    };
    let mut leads: BTreeMap<Vec<String>, BTreeSet<Vec<String>>> = BTreeMap::new();
    for import in imports {
        let from = folder_of(&module_of(&import.file), &modules);
        let to = folder_of(&module_named(&import.path).unwrap_or_default(), &modules);
        // The first level at which the two differ: the sibling folders there.
        let same = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
        if same < from.len() && same < to.len() {
            leads.entry(from[..=same].to_vec()).or_default().insert(to[..=same].to_vec());
        }
    }
    let reaches = |start: &Vec<String>, goal: &Vec<String>| {
        let mut seen = BTreeSet::from([start]);
        let mut open = vec![start];
        while let Some(next) = open.pop() {
            if next == goal {
                return true;
            }
            open.extend(leads.get(next).into_iter().flatten().filter(|to| seen.insert(to)));
        }
        false
    };
    let edges = leads.iter().flat_map(|(from, to)| to.iter().map(move |to| (from, to)));
    edges
        .filter(|(from, to)| reaches(to, from))
        .map(|(from, to)| (from.join("/"), to.join("/")))
        .collect()
}

/// The files of a crate by their paths below `src`.
fn files(name: &str) -> Vec<(String, String)> {
    let src = folder(name).join("src");
    let relative = |path: &Path| path.strip_prefix(&src).unwrap().to_str().unwrap().to_owned();
    sources(name).into_iter().map(|(path, code)| (relative(&path), code)).collect()
}

#[test]
fn stages_import_only_what_lies_before_them() {
    for (name, stages) in STAGES {
        let files = files(name);
        for stage in stages.iter().copied().flatten() {
            assert!(
                files.iter().any(|(file, _)| *file == format!("{stage}.rs")),
                "{name} has no stage {stage}"
            );
        }
        let imports = imports(&files);
        let mut found = against_the_order(stages, &imports);
        let excepted: BTreeSet<(String, String)> = EXCEPTIONS
            .iter()
            .filter(|(of, ..)| *of == name)
            .map(|(_, file, import)| ((*file).to_owned(), (*import).to_owned()))
            .collect();
        let gone: Vec<_> = excepted.difference(&found).collect();
        assert!(
            gone.is_empty(),
            "{name}: these exceptions no longer occur, so take them off the list: {gone:#?}"
        );
        found.retain(|import| !excepted.contains(import));
        assert!(
            found.is_empty(),
            "{name}: each stage of {stages:?} imports only what lies before it: {found:#?}"
        );
        if excepted.is_empty() {
            let circles = circles(&files, &imports);
            assert!(circles.is_empty(), "{name}: folders import each other: {circles:#?}");
        }
    }
}

#[test]
fn attribution_is_ids_and_numbers() {
    let attribution = files("analysis").into_iter().filter(|(file, _)| {
        ["address_space", "allocations"].iter().any(|stage| file.starts_with(stage))
    });
    let mut looked_at = 0;
    for (file, code) in attribution.filter(|(file, _)| !file.ends_with("/tests.rs")) {
        let code = program_text(&code);
        // Frames of stacks are definitions, too.
        let numbers_only = ["String", "str", "format", "results", "Definitions"];
        let words = if file.starts_with("allocations") { 4 } else { 5 };
        for text in &numbers_only[..words] {
            assert!(
                !crate::layers::mentions(&code, text),
                "analysis/src/{file} has {text}: only views make text"
            );
        }
        looked_at += 1;
    }
    assert!(looked_at > 5, "{looked_at} files attribute");
}

/// The places where `code` makes or changes a [`results::LabResult`], with the words around them.
fn changes_of_results(code: &str) -> Vec<String> {
    let words: Vec<String> = spaced(code).split_whitespace().map(str::to_owned).collect();
    let word = |at: usize, back: usize| {
        at.checked_sub(back).and_then(|at| words.get(at)).map_or("", String::as_str)
    };
    let changes = |at: &usize| match words[*at].as_str() {
        // `&mut LabResult`; `mut result: LabResult`; `LabResult { ..., }`, but not `-> LabResult
        // {`.
        "LabResult" => {
            let made = words.get(at + 1).is_some_and(|next| next == "{")
                && !["->", "struct", "for"].contains(&word(*at, 1));
            word(*at, 1) == "mut" || (word(*at, 1) == ":" && word(*at, 3) == "mut") || made
        }
        // `let mut result = assemble(...)`.
        "assemble" => word(*at, 1) == "=" && word(*at, 3) == "mut",
        _ => false,
    };
    let around = |at: usize| words[at.saturating_sub(3)..words.len().min(at + 3)].join(" ");
    (0..words.len()).filter(changes).map(around).collect()
}

/// `code` with a space around every sign, so that splitting at spaces gives its words.
fn spaced(code: &str) -> String {
    let sign =
        |c: char| if c.is_alphanumeric() || c == '_' { c.to_string() } else { format!(" {c} ") };
    code.chars().map(sign).collect::<String>().replace(" -  > ", " -> ")
}

#[test]
fn a_result_is_finished_where_it_is_assembled() {
    for name in ["lab", "claims", "report", "firsttouch", "xtask"] {
        for (file, code) in files(name) {
            let assembles =
                name == "lab" && module_of(&file).first().is_some_and(|stage| stage == "result");
            let changes = changes_of_results(&program_text(&code));
            assert!(
                assembles || changes.is_empty(),
                "{name}/src/{file} changes a finished result: {changes:?}"
            );
        }
    }
    for code in [
        "fn f(result: &mut LabResult) {}",
        "fn f(mut result: LabResult) {}",
        "let mut result = assemble(x);",
        "let result = LabResult { warnings, ..result };",
    ] {
        assert_eq!(changes_of_results(code).len(), 1, "{code}");
    }
    for code in
        ["fn f() -> LabResult { g() }", "fn f(result: &LabResult) {}", "let result = assemble(x);"]
    {
        assert!(changes_of_results(code).is_empty(), "{code}");
    }
}

#[test]
fn an_import_of_a_later_stage_is_found() {
    let file = |path: &str, code: &str| (path.to_owned(), code.to_owned());
    let found = |code: &str| {
        let files = [
            file("lib.rs", ""),
            file("first.rs", "mod a;"),
            file("first/a.rs", code),
            file("second.rs", ""),
        ];
        against_the_order(&[&["first"], &["second"]], &imports(&files))
    };
    let wrong = BTreeSet::from([("first/a.rs".to_owned(), "second".to_owned())]);
    for code in [
        "use crate::second::B;",
        "use crate::{first::A, second::{B, C as D}};",
        "fn f() { crate::second::g() }",
        "use super::super::second;",
        "const C: char = '\"'; use crate::second::B;",
        "const R: &str = r#\"\\ \" \"#; use crate::second::B;",
    ] {
        assert_eq!(found(code), wrong, "{code}");
    }
    for code in [
        "use crate::first::{A, b::C};",
        "use super::A;",
        "// use crate::second::B;",
        "const TEXT: &str = \"crate::second\";",
        "#[cfg(test)]\nmod tests { use crate::second::B; fn f() {} }",
        "pub(crate) fn f() {}",
    ] {
        assert_eq!(found(code), BTreeSet::new(), "{code}");
    }
    let beside =
        [file("lib.rs", ""), file("first.rs", "use crate::second::B;"), file("second.rs", "")];
    assert_eq!(
        against_the_order(&[&["first", "second"]], &imports(&beside)).len(),
        1,
        "stages beside each other"
    );
    let above = BTreeSet::from([("first/a.rs".to_owned(), "bench".to_owned())]);
    assert_eq!(found("use crate::bench::Event;"), above, "the root lies above the stages");
}

#[test]
fn folders_that_import_each_other_are_found() {
    let file = |path: &str, code: &str| (path.to_owned(), code.to_owned());
    let found = |one: &str, other: &str| {
        let files = [
            file("s.rs", ""),
            file("s/a/x.rs", one),
            file("s/b/y.rs", other),
            file("s/c/z.rs", ""),
        ];
        circles(&files, &imports(&files)).len()
    };
    assert_eq!(found("use crate::s::b::y::T;", "use crate::s::a::x::T;"), 2);
    assert_eq!(found("use super::super::b::y::T;", "use crate::s::{a, c};"), 2);
    assert_eq!(found("use crate::s::b::y::T;", "use crate::s::c::z::T;"), 0);
    assert_eq!(found("use crate::s::T;", "use super::T;"), 0, "a folder lies in the one above it");
}
