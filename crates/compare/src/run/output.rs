//! Whether two runs print the same. Outputs are compared piece by piece and never held in memory as
//! a whole: the next program is forked from this process, and its peak would be that of this one.

use std::io::{self, BufRead, BufReader};

use sys::launch::Capture;

/// How the output of a run differs from the one that was expected; `None` if there is nothing to
/// compare.
pub(crate) fn differs(expected: Option<&Capture>, output: Option<&Capture>) -> Option<String> {
    let (expected, output) = expected.zip(output)?;
    let read = |capture: &Capture| BufReader::new(capture.output_from_start());
    let how = match difference(read(expected), read(output)) {
        Ok(None) => return None,
        Ok(Some(Difference::Line { number, expected, output })) => {
            format!("line {number} is {output:?} instead of {expected:?}")
        }
        Ok(Some(Difference::Length)) => {
            let bytes = |capture: &Capture| capture.output_bytes().unwrap_or(0);
            format!("{} bytes instead of {}", bytes(output), bytes(expected))
        }
        Err(error) => return Some(format!("its output cannot be read: {error}")),
    };
    Some(format!("it prints something else than the baseline did: {how}"))
}

#[derive(Debug, PartialEq, Eq)]
enum Difference {
    /// The first line that differs, or what is left of it from a piece of the output on.
    Line { number: usize, expected: String, output: String },
    /// One ends where the other goes on.
    Length,
}

fn difference(
    mut expected: impl BufRead,
    mut output: impl BufRead,
) -> io::Result<Option<Difference>> {
    let mut number = 1;
    loop {
        let (one, other) = (expected.fill_buf()?, output.fill_buf()?);
        let common = one.len().min(other.len());
        if common == 0 {
            let is_same = one.is_empty() && other.is_empty();
            return Ok((!is_same).then_some(Difference::Length));
        }
        let newlines = |piece: &[u8]| piece.split(|byte| *byte == b'\n').count() - 1;
        if let Some(at) = (0..common).find(|&at| one[at] != other[at]) {
            let start = one[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |nl| nl + 1);
            return Ok(Some(Difference::Line {
                number: number + newlines(&one[..at]),
                expected: line(&one[start..]),
                output: line(&other[start..]),
            }));
        }
        number += newlines(&one[..common]);
        expected.consume(common);
        output.consume(common);
    }
}

/// The first line of `text`, shortened.
fn line(text: &[u8]) -> String {
    const LONGEST: usize = 60;
    let end = text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len());
    let line = String::from_utf8_lossy(&text[..end]);
    if line.chars().count() <= LONGEST {
        return line.into_owned();
    }
    line.chars().take(LONGEST).chain("...".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_differs_is_found_across_pieces() {
        let of = |expected: &str, output: &str| {
            let piece = |text: &'static str| BufReader::with_capacity(3, text.as_bytes());
            difference(piece(expected.to_owned().leak()), piece(output.to_owned().leak())).unwrap()
        };
        assert_eq!(of("a\nb\n", "a\nb\n"), None);
        assert_eq!(of("", ""), None);
        let line = |number, expected: &str, output: &str| {
            let (expected, output) = (expected.to_owned(), output.to_owned());
            Some(Difference::Line { number, expected, output })
        };
        assert_eq!(of("a\nb\n", "a\nc\n"), line(2, "b", "c"));
        assert_eq!(of("one\ntwo\nx", "one\ntwo\ny"), line(3, "x", "y"));
        assert_eq!(of("a\nb\n", "a\n"), Some(Difference::Length));
        assert_eq!(of("a", "a\n"), Some(Difference::Length));
    }
}
