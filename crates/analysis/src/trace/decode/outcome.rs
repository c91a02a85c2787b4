//! The result of a syscall.

use std::fmt::{Display, Formatter, Result};

use events::Syscall;

use super::argument::hexadecimal;
use super::errno::CallError;

/// The result of a syscall. Displays as strace prints it after `= `.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallOutcome {
    /// An address: `0x7f1234560000`.
    Address(u64),
    /// A number: `0`.
    Number(i64),
    /// An error: `-1 ENOMEM (Cannot allocate memory)`. One by which the kernel restarts a call that
    /// a signal interrupted is `? ERESTARTSYS (To be restarted if SA_RESTART is set)`.
    Failed(CallError),
    /// The thread ended inside the call: `?`.
    Unfinished,
}

/// The result of `syscall`.
#[must_use]
pub fn outcome(syscall: &Syscall) -> CallOutcome {
    match syscall.result {
        None => CallOutcome::Unfinished,
        Some(result) => match CallError::of(result) {
            Some(errno) => CallOutcome::Failed(errno),
            None if syscall.call.returns_address() => CallOutcome::Address(result.cast_unsigned()),
            None => CallOutcome::Number(result),
        },
    }
}

impl Display for CallOutcome {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match *self {
            CallOutcome::Address(address) => hexadecimal(f, address),
            CallOutcome::Number(number) => write!(f, "{number}"),
            CallOutcome::Failed(errno) => errno.write_outcome(f),
            CallOutcome::Unfinished => f.write_str("?"),
        }
    }
}
