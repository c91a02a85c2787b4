//! A whole call on one line.

use std::fmt::{self, Display, Formatter, Write};

use events::{Names, Syscall};

use super::{arguments, outcome};

/// The column of `=`, as strace has it unless told otherwise (`-a`).
const OUTCOME_COLUMN: usize = 40;

/// A call with its arguments and what it returned. Displays as a line of strace, without its end.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    syscall: &'a Syscall,
    names: &'a Names,
}

/// `syscall` as strace prints it: `munmap(0x7f1234560000, 4096)           = 0`. Allocates nothing.
#[must_use]
pub fn line<'a>(syscall: &'a Syscall, names: &'a Names) -> Line<'a> {
    Line { syscall, names }
}

impl Display for Line<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut counted = Counted { bytes: 0, to: f };
        counted.write_str(self.syscall.call.name())?;
        counted.write_str("(")?;
        for (index, argument) in arguments(self.syscall, self.names).enumerate() {
            if index > 0 {
                counted.write_str(", ")?;
            }
            write!(counted, "{argument}")?;
        }
        counted.write_str(")")?;
        let padding = OUTCOME_COLUMN.saturating_sub(counted.bytes).max(1);
        write!(f, "{:padding$}= {}", "", outcome(self.syscall))
    }
}

/// Text on its way, all of it ASCII, with its width so far.
struct Counted<'f, 'b> {
    bytes: usize,
    to: &'f mut Formatter<'b>,
}

impl Write for Counted<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes += text.len();
        self.to.write_str(text)
    }
}
