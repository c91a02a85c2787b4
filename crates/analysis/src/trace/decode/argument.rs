//! One argument of a syscall.

use std::fmt::{Display, Formatter, Result};

use super::quote;
use super::symbols::Symbols;

/// An argument, decoded. Displays as strace prints it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodedArgument<'a> {
    /// A null pointer: `NULL`.
    Null,
    /// A pointer: `0x7f1234560000`.
    Address(u64),
    /// A pointer to an empty array: `[]`.
    Nothing,
    /// A number that may be negative, like a file descriptor: `-1`.
    Signed(i64),
    /// An unsigned number, like a length in bytes: `4096`.
    Unsigned(u64),
    /// A number shown in hexadecimal, like an offset in bytes: `0x1000`, `0`.
    Hexadecimal(u64),
    /// A value or flags that have definitions: `PROT_READ|PROT_WRITE`.
    Symbols(Symbols),
    /// A string: `"name"`.
    Text(&'a str),
}

impl DecodedArgument<'_> {
    /// The pointer in `register`.
    pub(super) fn address(register: u64) -> Self {
        if register == 0 { DecodedArgument::Null } else { DecodedArgument::Address(register) }
    }
}

impl Display for DecodedArgument<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match *self {
            DecodedArgument::Null => f.write_str("NULL"),
            DecodedArgument::Nothing => f.write_str("[]"),
            DecodedArgument::Signed(number) => write!(f, "{number}"),
            DecodedArgument::Unsigned(number) => write!(f, "{number}"),
            DecodedArgument::Address(number) | DecodedArgument::Hexadecimal(number) => {
                hexadecimal(f, number)
            }
            DecodedArgument::Symbols(symbols) => symbols.fmt(f),
            DecodedArgument::Text(text) => quote::write(f, text),
        }
    }
}

/// `0x1f`, but `0` for zero, as printf's `%#x`.
pub(super) fn hexadecimal(f: &mut Formatter<'_>, number: u64) -> Result {
    if number == 0 { f.write_str("0") } else { write!(f, "{number:#x}") }
}
