//! Text made safe for a terminal, and wrapped.

use std::borrow::Cow;
use std::fmt::Write;

use anstyle::{AnsiColor, Style};

pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const BAD: Style = AnsiColor::Yellow.on_default();
pub(crate) const ALARM: Style = AnsiColor::Red.on_default().bold();

/// `text` in `style`.
pub(crate) fn styled(style: Style, text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("{style}{text}{style:#}") }
}

/// Escapes characters that are not seen where they stand: a name must not move the cursor, turn the
/// line around, or look like another name.
#[must_use]
pub fn clean(text: &str) -> String {
    cleaned(text).into_owned()
}

/// As [`clean`], without a copy where there is nothing to escape: a trace has millions of names.
pub(crate) fn cleaned(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) || !text.chars().any(is_unseen) {
        return Cow::Borrowed(text);
    }
    let mut cleaned = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unseen(c) { cleaned.extend(c.escape_default()) } else { cleaned.push(c) }
    }
    Cow::Owned(cleaned)
}

/// Control characters, and those that Unicode calls default ignorable (its `DerivedCoreProperties`)
/// or that end lines or change their direction: `PropList`, `Bidi_Control`.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// A word as a shell takes it. One with characters that a terminal does not show is in the form of
/// bash, zsh and POSIX.1-2024, `$'a\012b'`.
#[must_use]
pub fn quoted(word: &str) -> String {
    let plain = !word.is_empty()
        && word.chars().all(|c| c.is_ascii_alphanumeric() || "+-@./_:%=,".contains(c));
    if plain {
        return word.to_owned();
    }
    if !word.chars().any(is_unseen) {
        return format!("'{}'", word.replace('\'', "'\\''"));
    }
    let mut quoted = "$'".to_owned();
    for c in word.chars() {
        match c {
            '\'' | '\\' => quoted.extend(['\\', c]),
            _ if is_unseen(c) => {
                // Three octal digits at most are read, so whatever follows them stays itself.
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    let _ = write!(quoted, "\\{byte:03o}");
                }
            }
            _ => quoted.push(c),
        }
    }
    quoted + "'"
}

/// A command as it can be typed again; `None` if a word had bytes that are not UTF-8, which its
/// text has lost.
pub(crate) fn typed(words: &[String]) -> Option<String> {
    let is_known = words.iter().all(|word| !word.contains(char::REPLACEMENT_CHARACTER));
    is_known.then(|| words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "))
}

/// `text` for the text and attributes of an SVG. XML allows no control characters, nor U+FFFE and
/// U+FFFF.
pub(crate) fn escaped(text: &str) -> String {
    let text = clean(text).replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}");
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// `text` behind `head`, wrapped at `width` with the rest of its lines indented below its
/// beginning.
#[must_use]
pub fn hanging(head: &str, text: &str, width: Option<usize>) -> String {
    wrapped(head, text, width, false)
}

/// The same of a text with names, which have no spaces to wrap at: they are broken.
pub(crate) fn broken(head: &str, text: &str, width: Option<usize>) -> String {
    wrapped(head, text, width, true)
}

fn wrapped(head: &str, text: &str, width: Option<usize>, breaks_words: bool) -> String {
    let Some(width) = width else { return format!("{head}{text}\n") };
    let indent = " ".repeat(textwrap::core::display_width(head));
    let options = textwrap::Options::new(width.max(indent.len() + 20))
        .initial_indent(head)
        .subsequent_indent(&indent)
        .break_words(breaks_words)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    // A number and its percent sign stay together.
    textwrap::fill(&text.replace(" %", "\u{a0}%"), options).replace('\u{a0}', " ") + "\n"
}

/// Names in a row, separated by semicolons where one has a comma of its own.
pub(crate) fn list(names: &[String]) -> String {
    names.join(if names.iter().any(|name| name.contains(',')) { "; " } else { ", " })
}

/// The first few of `names`, and how many more there are.
pub(crate) fn some_of(names: &[String]) -> String {
    const NAMED: usize = 4;
    match names.len().checked_sub(NAMED) {
        None | Some(0 | 1) => list(names),
        Some(more) => format!("{} and {more} others", list(&names[..NAMED])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_can_be_typed_again() {
        for (word, expect) in [
            ("a-b=1,2", "a-b=1,2"),
            ("", "''"),
            ("it's", "'it'\\''s'"),
            ("a\n1'\\", "$'a\\0121\\'\\\\'"),
            ("\u{202e}x", "$'\\342\\200\\256x'"),
        ] {
            assert_eq!(quoted(word), expect, "{word:?}");
        }
        assert_eq!(typed(&["a b".into(), "c".into()]).as_deref(), Some("'a b' c"));
        assert_eq!(typed(&["a\u{fffd}".into()]), None);
    }

    #[test]
    fn hostile_names_are_inert() {
        assert_eq!(clean("a\u{1b}[2Jb\nc"), "a\\u{1b}[2Jb\\nc");
        for c in ['\u{7f}', '\u{9b}', '\u{61c}', '\u{200e}', '\u{202e}', '\u{2066}', '\u{feff}'] {
            let escaped = format!("a\\u{{{:x}}}b", u32::from(c));
            assert_eq!(clean(&format!("a{c}b")), escaped);
            assert_eq!(super::escaped(&format!("a{c}b")), escaped, "in an SVG");
        }
        assert_eq!(clean("Größe 100 µs, 大小, e\u{301}"), "Größe 100 µs, 大小, e\u{301}");
    }

    #[test]
    fn wrapped_lines_hang() {
        assert_eq!(
            hanging("Why: ", "one two three four five six seven", Some(26)),
            "Why: one two three four\n     five six seven\n"
        );
        assert_eq!(hanging("Why: ", "one two", None), "Why: one two\n");
    }

    #[test]
    fn names_with_commas_are_told_apart() {
        let names =
            |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>();
        assert_eq!(list(&names(&["a", "b"])), "a, b");
        assert_eq!(list(&names(&["a, cold", "b"])), "a, cold; b");
        assert_eq!(some_of(&names(&["a", "b", "c", "d", "e"])), "a, b, c, d, e");
        assert_eq!(some_of(&names(&["a", "b", "c", "d", "e", "f"])), "a, b, c, d and 2 others");
    }
}
