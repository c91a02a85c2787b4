//! Memory syscalls as text, as strace prints them.
//!
//! The measure is strace 6.1 with `-e verbose=none -s 4096`; `tests/strace/` holds this against it,
//! line by line, and `tests/headers.rs` the constants against the C headers. What differs:
//!
//! - **Pointers are not followed.** An event has registers, not memory. strace without
//!   `verbose=none` shows what is behind mincore's vector, the mode and nodes of `get_mempolicy`,
//!   the nodes of mbind, `set_mempolicy` and `migrate_pages`, the arrays of `move_pages`, the
//!   iovecs of `process_madvise`, the context of `io_setup`, and what `io_uring_register` is given.
//!   Here they are addresses, or `[]` where the count beside them is zero (which strace says of
//!   some operations of `io_uring_register` too).
//! - **The name of `memfd_create`** is the one string that events have. It is shown whole, where
//!   strace stops after 32 bytes unless told otherwise (`-s`). A name that could not be read is an
//!   address. So is an empty one, which events cannot tell from it, and bytes that are no UTF-8
//!   were replaced when the event was made.
//! - **Definitions newer than strace 6.1** are known: `MADV_GUARD_INSTALL`, `MAP_DROPPABLE`,
//!   `MFD_EXEC`, `MPOL_WEIGHTED_INTERLEAVE` and others up to Linux 6.18. `PROT_BTI` and `PROT_MTE`
//!   of aarch64 strace does not know at all.
//! - **mremap's fifth argument** is shown where the kernel reads it: with `MREMAP_FIXED` or
//!   `MREMAP_DONTUNMAP` (and `MREMAP_MAYMOVE`, without which it refuses both), as strace does since
//!   6.10.
//! - **`map_shadow_stack` returns an address** here, a decimal number in strace.
//! - **Constants are those of the machine that decodes**: of x86-64, or else those that other
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

/// The arguments that `syscall` was given: as many as the call has, each as wide as the kernel
/// takes it. Allocates nothing.
///
/// # Panics
/// If `definitions` is not the table that the syscall's text is in.
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

/// How many of its `declared` arguments `syscall` uses. mremap reads its fifth only if it is told
/// where to go (`ksys_mremap` in mm/mremap.c).
fn shown(syscall: &Syscall, declared: usize) -> usize {
    let flags = syscall.arguments[3];
    let goes = flags & constants::MREMAP_MAYMOVE != 0
        && flags & (constants::MREMAP_FIXED | constants::MREMAP_DONTUNMAP) != 0;
    if syscall.call == Call::Mremap && !goes { declared - 1 } else { declared }
}

/// The half of a register that an `int` or `unsigned int` has.
#[expect(clippy::cast_possible_truncation, reason = "the other half is not part of the argument")]
fn low(register: u64) -> u32 {
    register as u32
}

#[cfg(test)]
mod tests;
