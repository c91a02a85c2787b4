//! Converts a syscall to the types of `results`.

use std::borrow::Cow;

use events::{Call, Definitions, Syscall};
use results::trace::{Argument, Returned};

use super::decode::{self, CallOutcome};

/// The arguments of `call`.
pub(crate) fn arguments(call: &Syscall, names: &Definitions) -> Vec<Argument> {
    let argument = |argument: decode::DecodedArgument<'_>| match argument {
        decode::DecodedArgument::Null => Argument::Null,
        decode::DecodedArgument::Address(address) => Argument::Address(address),
        decode::DecodedArgument::Nothing => Argument::Symbols(Cow::Borrowed("[]")),
        decode::DecodedArgument::Signed(number) => Argument::Number(number.into()),
        decode::DecodedArgument::Unsigned(number)
        | decode::DecodedArgument::Hexadecimal(number) => Argument::Number(number.into()),
        decode::DecodedArgument::Symbols(symbols) => {
            Argument::Symbols(Cow::Owned(symbols.to_string()))
        }
        decode::DecodedArgument::Text(text) => Argument::Text(text.into()),
    };
    decode::arguments(call, names).map(argument).collect()
}

/// The result; `None` if the call did not return.
pub(crate) fn result(call: &Syscall) -> Option<Returned> {
    Some(match decode::outcome(call) {
        CallOutcome::Address(address) => Returned::Address(address),
        CallOutcome::Number(number) => Returned::Number(number),
        CallOutcome::Failed(_) => Returned::Number(-1),
        CallOutcome::Unfinished => return None,
    })
}

/// The name of the error.
pub(crate) fn error(call: &Syscall) -> Option<Cow<'static, str>> {
    let CallOutcome::Failed(errno) = decode::outcome(call) else { return None };
    Some(
        errno.name().map_or_else(|| Cow::Owned(format!("errno {}", errno.number())), Cow::Borrowed),
    )
}

/// The size of the memory, if the call succeeded.
pub(crate) fn bytes(call: &Syscall) -> Option<u64> {
    let succeeded =
        matches!(decode::outcome(call), CallOutcome::Address(_) | CallOutcome::Number(_));
    decode::bytes(call).filter(|_| succeeded)
}

/// Whether `call` succeeded and may have given the process pages that it does not fault for.
pub(super) fn populates(call: &Syscall) -> bool {
    /// `MAP_LOCKED` and `MAP_POPULATE` of `<asm-generic/mman.h>`.
    const MAPPED_AT_ONCE: u64 = 0x2000 | 0x8000;
    /// `MADV_POPULATE_READ` and `MADV_POPULATE_WRITE`.
    const ADVICE: [u64; 2] = [22, 23];
    let [_, _, third, fourth, ..] = call.arguments;
    let may = match call.call {
        Call::Mmap => fourth & MAPPED_AT_ONCE != 0,
        Call::Madvise => ADVICE.contains(&third),
        Call::Mlock | Call::Mlock2 | Call::Mlockall => true,
        _ => false,
    };
    may && call.succeeded_with().is_some()
}
