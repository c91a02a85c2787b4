//! Inside a recorded program: its allocation calls, with their stacks. docs/recorder.md explains
//! the protocol with the recorder.
//!
//! ```text
//!   api      the functions that take the place of the allocator's     one file per language
//!   thread   the state of a thread; whether this call is recorded
//!   stack/   the caller's stack as a number: compared, else unwound
//!   sink     the units that records go to
//!   start    the handshake, once in a process; next: the allocator below
//!   syscall  system calls that no other library sees
//! ```
//! The rules of this crate, because its code runs in every thread of a foreign program, in signal
//! handlers and before main: it allocates nothing, takes no lock, makes no system call after its
//! start, and leaves errno alone. Where something is missing the call is passed on unrecorded and
//! counted. `unsafe` is the rule here; each block has its argument, and what all rely on is this:
//!
//! - the shared memory is mapped once, is never unmapped, and is only accessed by atomic words;
//! - a thread's state is its own: it is in thread-local memory, and `thread::Guard` exists once for
//!   a thread, also when a signal interrupts it;
//! - the slots of a stack are read in the order in which unwinding would read them (`stack`).
#![no_std]
#![warn(missing_docs)]

mod api;
mod arena;
mod next;
mod sink;
mod stack;
mod start;
mod syscall;
mod thread;

/// There is no panic to speak of: nothing here indexes or unwraps. The program must not go on with
/// half a state.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: abort(3) takes nothing and does not return.
    unsafe { libc::abort() }
}
