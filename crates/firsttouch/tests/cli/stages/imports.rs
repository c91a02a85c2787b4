//! What the code of a crate imports, read from its text.

use std::collections::BTreeSet;
use std::path::{Component, Path};

/// One import: the file that has it, and the module path, without the crate, that it names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Import {
    pub(super) file: String,
    pub(super) path: Vec<String>,
}

/// The code of a file without comments, strings and test modules: what is compiled into the
/// program.
pub(super) fn program_text(code: &str) -> String {
    let code = without_strings(code);
    let mut text = String::new();
    let mut rest = code.as_str();
    while let Some(at) = rest.find("#[cfg(test)]") {
        text.push_str(&rest[..at]);
        let item = &rest[at..];
        // A test item ends with its block, or with the semicolon of a `use` or a `mod`.
        let end = match (item.find('{'), item.find(';')) {
            (Some(open), semicolon) if semicolon.is_none_or(|end| open < end) => {
                open + block_len(&item[open..])
            }
            (_, Some(semicolon)) => semicolon + 1,
            _ => item.len(),
        };
        rest = &item[end..];
    }
    text + rest
}

/// `code` without comments, and with empty strings.
fn without_strings(code: &str) -> String {
    let mut text = String::new();
    let mut chars = code.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '/' if chars.peek() == Some(&'/') => while chars.next_if(|c| *c != '\n').is_some() {},
            '"' => {
                while let Some(c) = chars.next() {
                    match c {
                        '\\' => _ = chars.next(),
                        '"' => break,
                        _ => {}
                    }
                }
                text.push_str("\"\"");
            }
            // A raw string has no escapes: r"\", r#"a "word" in it"#.
            'r' if !text.ends_with(|c: char| c.is_alphanumeric() || c == '_') => {
                let mut ahead = chars.clone();
                let hashes = std::iter::from_fn(|| ahead.next_if_eq(&'#')).count();
                if ahead.next_if_eq(&'"').is_none() {
                    text.push(c);
                    continue;
                }
                while let Some(c) = ahead.next() {
                    if c == '"' && ahead.clone().take(hashes).eq(std::iter::repeat_n('#', hashes)) {
                        break;
                    }
                }
                chars = ahead;
                text.push_str("\"\"");
            }
            // A character in quotes: '"', '{', '\''. A lifetime has no second quote.
            '\'' => {
                let mut ahead = chars.clone();
                let escaped = ahead.next() == Some('\\');
                if escaped {
                    ahead.next();
                }
                if ahead.next() == Some('\'') {
                    chars = ahead;
                }
            }
            _ => text.push(c),
        }
    }
    text
}

/// The length of the block that `text` begins with, its braces included.
fn block_len(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return at + 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

/// The module of the file at `path` below `src`: `design/work.rs` is `design`, `work`.
pub(super) fn module_of(path: &str) -> Vec<String> {
    let parts = Path::new(path).with_extension("");
    let parts = parts.components().filter_map(|part| match part {
        Component::Normal(name) => name.to_str().map(str::to_owned),
        _ => None,
    });
    parts.filter(|name| name != "lib" && name != "mod").collect()
}

/// The folder of a module in a crate that has `modules`: a module with children is one, whether its
/// own file lies in it or beside it.
pub(super) fn folder_of(module: &[String], modules: &BTreeSet<Vec<String>>) -> Vec<String> {
    let has_children =
        modules.iter().any(|other| other.len() > module.len() && other.starts_with(module));
    let len = if has_children { module.len() } else { module.len().saturating_sub(1) };
    module[..len].to_vec()
}

/// Every path of `text` that begins with `crate` or `super`, seen from `module`.
fn paths(text: &str, module: &[String]) -> Vec<Vec<String>> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in text.match_indices(start) {
            let before = text[..at].chars().next_back();
            // Within a path, `super` has been read with its beginning.
            if !before.is_some_and(|c| is_word(c) || c == ':') {
                expand(&text[at..], &[], &mut found);
            }
        }
    }
    found.into_iter().map(|path| resolved(&path, module)).collect()
}

/// Adds the paths that `text` begins with, below `prefix`: one, or one for each item in braces.
/// Returns what follows.
fn expand<'a>(text: &'a str, prefix: &[String], found: &mut Vec<Vec<String>>) -> &'a str {
    let mut path = prefix.to_vec();
    let mut rest = text.trim_start();
    loop {
        if let Some(mut items) = rest.strip_prefix('{') {
            loop {
                items = expand(items, &path, found).trim_start();
                // What is renamed (`as`) keeps its path.
                let end = items.find([',', '}']).unwrap_or(items.len());
                items = &items[end..];
                match items.strip_prefix(',') {
                    Some(next) if !next.trim_start().starts_with('}') => items = next,
                    Some(next) => return next.trim_start().strip_prefix('}').unwrap_or(next),
                    None => return items.strip_prefix('}').unwrap_or(items),
                }
            }
        }
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        path.push(rest[..end].to_owned());
        rest = &rest[end..];
        match rest.strip_prefix("::") {
            Some(next) if next.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '{') => {
                rest = next;
            }
            _ => break,
        }
    }
    found.push(path);
    rest
}

/// `path` from the crate's root: `super` taken one folder up, `self` and the name `crate` left out.
fn resolved(path: &[String], module: &[String]) -> Vec<String> {
    let mut from: Vec<String> = if path[0] == "super" { module.to_vec() } else { Vec::new() };
    for part in path {
        match part.as_str() {
            "crate" | "self" => {}
            "super" => _ = from.pop(),
            _ => from.push(part.clone()),
        }
    }
    from
}

/// All imports of files, given as path below `src` and code.
pub(super) fn imports(files: &[(String, String)]) -> Vec<Import> {
    let of_file = |(file, code): &(String, String)| {
        let paths = paths(&program_text(code), &module_of(file));
        paths.into_iter().map(|path| Import { file: file.clone(), path }).collect::<Vec<_>>()
    };
    files.iter().flat_map(of_file).collect()
}
