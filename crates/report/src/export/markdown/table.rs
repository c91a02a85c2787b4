//! Tables and names in Markdown, where no name is more than text.

use std::fmt::Write;

use crate::text::clean;

/// A table that grows, column by column and then row by row.
pub(super) struct Table {
    pub(super) text: String,
    head: String,
    rule: String,
}

impl Table {
    pub(super) fn new(words: &[&str]) -> Self {
        let mut table = Table { text: String::new(), head: "|".to_owned(), rule: "|".to_owned() };
        for head in words {
            table.words(head);
        }
        table
    }

    /// A column of words.
    pub(super) fn words(&mut self, head: &str) {
        let _ = write!(self.head, " {head} |");
        self.rule += " :-- |";
    }

    /// A column of numbers, which end in one line.
    pub(super) fn number(&mut self, head: &str) {
        let _ = write!(self.head, " {head} |");
        self.rule += " --: |";
    }

    pub(super) fn row(&mut self, cells: &[String]) {
        if self.text.is_empty() {
            self.text = format!("{}\n{}\n", self.head, self.rule);
        }
        let _ = writeln!(self.text, "| {} |", cells.join(" | "));
    }
}

/// Words as they stand: no sign of them is Markdown or HTML.
pub(super) fn plain(text: &str) -> String {
    let mut escaped = String::new();
    for letter in clean(text).chars() {
        if "\\`*_[]<>|~&#@".contains(letter) {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

/// A name between backticks, more of them than it has in a row.
pub(super) fn code(name: &str) -> String {
    let name = clean(name).replace('|', "\\|");
    let longest = name.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let space = if name.starts_with('`') || name.ends_with('`') { " " } else { "" };
    format!("{fence}{space}{name}{space}{fence}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_are_inert() {
        for (name, expect) in [
            ("mmap+populate", "`mmap+populate`"),
            ("a|b", "`a\\|b`"),
            ("a`b", "``a`b``"),
            ("`a`", "`` `a` ``"),
            ("<script>", "`<script>`"),
            ("a\nb", "`a\\nb`"),
        ] {
            assert_eq!(code(name), expect, "{name:?}");
        }
        assert_eq!(plain("<b>*a* [x](y) @me | _"), "\\<b\\>\\*a\\* \\[x\\](y) \\@me \\| \\_");
    }
}
