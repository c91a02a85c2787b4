//! Strings in quotes.

use std::fmt::{Formatter, Result, Write};

/// Writes `text` in quotes, with everything that is not printable ASCII escaped as in C: by its
/// letter, or by the fewest octal digits that are unambiguous before the next character.
pub(super) fn write(f: &mut Formatter<'_>, text: &str) -> Result {
    f.write_char('"')?;
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| !is_plain(byte)) {
        // The first byte that is not plain is the first byte of a character, so the split is valid.
        let (plain, odd) = rest.split_at(at);
        f.write_str(plain)?;
        let width = odd.bytes().take_while(|&byte| !is_plain(byte)).count();
        for index in 0..width {
            escape(f, odd.as_bytes()[index], odd.as_bytes().get(index + 1).copied())?;
        }
        rest = &odd[width..];
    }
    f.write_str(rest)?;
    f.write_char('"')
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')
}

fn escape(f: &mut Formatter<'_>, byte: u8, next: Option<u8>) -> Result {
    match byte {
        b'"' => f.write_str("\\\""),
        b'\\' => f.write_str("\\\\"),
        b'\n' => f.write_str("\\n"),
        b'\r' => f.write_str("\\r"),
        b'\t' => f.write_str("\\t"),
        0x0b => f.write_str("\\v"),
        0x0c => f.write_str("\\f"),
        _ if next.is_some_and(|next| matches!(next, b'0'..=b'7')) => write!(f, "\\{byte:03o}"),
        _ => write!(f, "\\{byte:o}"),
    }
}
