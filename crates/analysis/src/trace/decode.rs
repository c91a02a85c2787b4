//! Memory syscalls as text, as strace prints them. The reference is strace 6.1 with `-e
//! verbose=none -s 4096`. `tests/strace/` compares with it line by line, `tests/headers.rs`
//! compares the constants with the C headers. The differences:
//!
//! - **Pointers are not followed.** An event has registers, not memory. strace without
//!   `verbose=none` shows the contents of mincore's vector, the mode and nodes of `get_mempolicy`,
//!   the nodes of mbind, `set_mempolicy` and `migrate_pages`, the arrays of `move_pages`, the
//!   iovecs of `process_madvise`, the context of `io_setup`, and the argument of
//!   `io_uring_register`. Here they are addresses, or `[]` if their count is zero (as in strace for
//!   some operations of `io_uring_register`).
//! - **The name of `memfd_create`** is the only string in events. It is shown whole; strace stops
//!   after 32 bytes by default (`-s`). A name that could not be read is an address, and so is an
//!   empty one, because events do not distinguish them. Bytes that are not UTF-8 were replaced when
//!   the event was made.
//! - **Names newer than strace 6.1** are known: `MADV_GUARD_INSTALL`, `MAP_DROPPABLE`, `MFD_EXEC`,
//!   `MPOL_WEIGHTED_INTERLEAVE` and others up to Linux 6.18. strace does not know `PROT_BTI` and
//!   `PROT_MTE` of aarch64.
//! - **mremap's fifth argument** is shown if the kernel reads it: with `MREMAP_FIXED` or
//!   `MREMAP_DONTUNMAP` (and `MREMAP_MAYMOVE`, which both require), as in strace since 6.10.
//! - **`map_shadow_stack` returns an address** here, a decimal number in strace.
//! - **Constants are those of the machine that decodes**: those of x86-64, or those that other
//!   architectures share.

mod argument;
mod constants;
mod errno;
mod line;
mod outcome;
mod quote;
mod signature;
mod size;
mod symbols;

use events::{Call, Definitions, Syscall};

pub use argument::DecodedArgument;
pub use errno::CallError;
pub use line::{CallText, line};
pub use outcome::{CallOutcome, outcome};
pub use size::bytes;
pub use symbols::Symbols;

use signature::{ArgumentKind, signature};

/// The arguments of `syscall`, each with the width that the kernel uses. Allocates nothing.
///
/// # Panics
/// If `definitions` does not have the syscall's text.
#[must_use]
pub fn arguments<'a>(
    syscall: &'a Syscall,
    definitions: &'a Definitions,
) -> impl ExactSizeIterator<Item = DecodedArgument<'a>> {
    let kinds = signature(syscall.call);
    kinds[..shown(syscall, kinds.len())].iter().zip(&syscall.arguments).map(
        move |(kind, &register)| match *kind {
            ArgumentKind::Text if register != 0 && syscall.text.is_some() => {
                DecodedArgument::Text(definitions.text(syscall.text))
            }
            ArgumentKind::Array(count) if register != 0 && syscall.arguments[count] == 0 => {
                DecodedArgument::Nothing
            }
            ArgumentKind::Text | ArgumentKind::Array(_) | ArgumentKind::Address => {
                DecodedArgument::address(register)
            }
            ArgumentKind::Int => DecodedArgument::Signed(i64::from(low(register).cast_signed())),
            ArgumentKind::Count => DecodedArgument::Unsigned(u64::from(low(register))),
            ArgumentKind::Size => DecodedArgument::Unsigned(register),
            ArgumentKind::Bits => DecodedArgument::Hexadecimal(u64::from(low(register))),
            ArgumentKind::Offset => DecodedArgument::Hexadecimal(register),
            ArgumentKind::Word(set) => {
                DecodedArgument::Symbols(Symbols::new(u64::from(low(register)), set))
            }
            ArgumentKind::Long(set) => DecodedArgument::Symbols(Symbols::new(register, set)),
        },
    )
}

/// How many of its `declared` arguments `syscall` uses: none that are unknown. mremap reads its
/// fifth only with a flag that gives a new address (`ksys_mremap` in mm/mremap.c).
fn shown(syscall: &Syscall, declared: usize) -> usize {
    if !syscall.arguments_known {
        return 0;
    }
    let flags = syscall.arguments[3];
    let goes = flags & constants::MREMAP_MAYMOVE != 0
        && flags & (constants::MREMAP_FIXED | constants::MREMAP_DONTUNMAP) != 0;
    if syscall.call == Call::Mremap && !goes { declared - 1 } else { declared }
}

/// The half of a register that holds an `int` or `unsigned int`.
#[expect(clippy::cast_possible_truncation, reason = "the other half is not part of the argument")]
fn low(register: u64) -> u32 {
    register as u32
}

#[cfg(test)]
mod tests;
