//! What a syscall returned.

use std::fmt::{Display, Formatter, Result};

use events::Syscall;

use super::argument::hexadecimal;
use super::errno::Errno;

/// What a syscall returned. Displays as what strace prints behind `= `.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// An address: `0x7f1234560000`.
    Address(u64),
    /// A number: `0`.
    Number(i64),
    /// An error: `-1 ENOMEM (Cannot allocate memory)`. One by which the kernel restarts a call that a signal interrupted is
    /// `? ERESTARTSYS (To be restarted if SA_RESTART is set)`.
    Failed(Errno),
    /// The thread ended in it: `?`.
    Unfinished,
}

/// What `syscall` returned.
#[must_use]
pub fn outcome(syscall: &Syscall) -> Outcome {
    match syscall.result {
        None => Outcome::Unfinished,
        Some(result) => match Errno::of(result) {
            Some(errno) => Outcome::Failed(errno),
            None if syscall.call.returns_address() => Outcome::Address(result.cast_unsigned()),
            None => Outcome::Number(result),
        },
    }
}

impl Display for Outcome {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match *self {
            Outcome::Address(address) => hexadecimal(f, address),
            Outcome::Number(number) => write!(f, "{number}"),
            Outcome::Failed(errno) => errno.write_outcome(f),
            Outcome::Unfinished => f.write_str("?"),
        }
    }
}
