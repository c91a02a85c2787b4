//! A syscall in the words of `results`.

use std::borrow::Cow;

use events::{Definitions, Syscall};
use results::trace::{Argument, Returned};

use super::decode::{self, Outcome};

/// What `call` was given.
pub(crate) fn arguments(call: &Syscall, names: &Definitions) -> Vec<Argument> {
    let argument = |argument: decode::Argument<'_>| match argument {
        decode::Argument::Null => Argument::Null,
        decode::Argument::Address(address) => Argument::Address(address),
        decode::Argument::Nothing => Argument::Symbols(Cow::Borrowed("[]")),
        decode::Argument::Signed(number) => Argument::Number(number.into()),
        decode::Argument::Unsigned(number) | decode::Argument::Hexadecimal(number) => Argument::Number(number.into()),
        decode::Argument::Symbols(symbols) => Argument::Symbols(Cow::Owned(symbols.to_string())),
        decode::Argument::Text(text) => Argument::Text(text.into()),
    };
    decode::arguments(call, names).map(argument).collect()
}

/// What it returned; `None` if it did not return.
pub(crate) fn result(call: &Syscall) -> Option<Returned> {
    Some(match decode::outcome(call) {
        Outcome::Address(address) => Returned::Address(address),
        Outcome::Number(number) => Returned::Number(number),
        Outcome::Failed(_) => Returned::Number(-1),
        Outcome::Unfinished => return None,
    })
}

/// The name of its error.
pub(crate) fn error(call: &Syscall) -> Option<Cow<'static, str>> {
    let Outcome::Failed(errno) = decode::outcome(call) else { return None };
    Some(errno.name().map_or_else(|| Cow::Owned(format!("errno {}", errno.number())), Cow::Borrowed))
}

/// How many bytes it was about, if it succeeded.
pub(crate) fn bytes(call: &Syscall) -> Option<u64> {
    let succeeded = matches!(decode::outcome(call), Outcome::Address(_) | Outcome::Number(_));
    decode::bytes(call).filter(|_| succeeded)
}
