//! A whole call on one line.

use std::fmt::{self, Display, Formatter};

use events::{Definitions, Syscall};

use super::{arguments, outcome};

/// A call with its arguments and result. Displays as a line of strace (`-a 1`: without alignment),
/// without the newline.
#[derive(Debug, Clone, Copy)]
pub struct CallText<'a> {
    syscall: &'a Syscall,
    definitions: &'a Definitions,
}

/// `syscall` as strace prints it: `munmap(0x7f1234560000, 4096) = 0`. Allocates nothing.
#[must_use]
pub fn line<'a>(syscall: &'a Syscall, definitions: &'a Definitions) -> CallText<'a> {
    CallText { syscall, definitions }
}

impl Display for CallText<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.syscall.call.name())?;
        for (index, argument) in arguments(self.syscall, self.definitions).enumerate() {
            write!(f, "{}{argument}", if index == 0 { "" } else { ", " })?;
        }
        let unknown = if self.syscall.arguments_known { "" } else { "?" };
        write!(f, "{unknown}) = {}", outcome(self.syscall))
    }
}
