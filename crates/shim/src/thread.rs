//! The state of a thread, in its thread-local memory, and the guard of a call.

use core::arch::{asm, global_asm};
use core::sync::atomic::{Ordering, compiler_fence};

use wire::sampling::ThreadRandom;

use crate::api::Caller;
use crate::sink::{self, Region};
use crate::stack::{Around, Memory, around};
use crate::start;

/// The state of a thread. All zero at its start.
#[repr(C)]
pub(crate) struct Thread {
    /// The stack pointer of the recorded call that the thread is in; 0: in none.
    busy: usize,
    /// The process that this state belongs to ([`start::instance`]); after a fork it is another.
    pub(crate) instance: u64,
    /// The number of the thread in the shared memory.
    pub(crate) number: u32,
    /// The thread's id; 0: not known yet.
    pub(crate) tid: u32,
    /// The unit that records go to; null: none.
    pub(crate) unit: usize,
    /// The word of that unit that the next record goes to.
    pub(crate) cursor: usize,
    /// The number of units before this one.
    pub(crate) sequence: u64,
    /// The thread's own memory, in a unit of its own; null: none.
    pub(crate) memory: *mut Memory,
    /// Calls of free until the next one is timed.
    pub(crate) untimed_left: u32,
    /// Whether the thread's end gives its units back.
    pub(crate) has_end: bool,
    /// Whether the call that the thread is in makes others by itself, which are no calls of the
    /// program.
    pub(crate) has_inner_calls: bool,
    // A cache line ends here: what follows is not needed at each call.
    /// The random numbers that choose frees that are timed, and calls whose stack is taken.
    pub(crate) random: ThreadRandom,
    /// Bytes that are asked for until the stack of a call is taken (`wire::sampling`); that call is
    /// the one by which it becomes 0 or less.
    pub(crate) unsampled_left: i64,
}

impl Thread {
    /// Forgets everything but the call that the thread is in: after a fork, what is here belongs to
    /// the parent.
    pub(crate) fn start_anew(&mut self, instance: u64) {
        *self = Thread {
            busy: self.busy,
            instance,
            number: 0,
            tid: 0,
            unit: 0,
            cursor: 0,
            sequence: 0,
            memory: core::ptr::null_mut(),
            untimed_left: 0,
            has_end: false,
            has_inner_calls: false,
            random: ThreadRandom::ZERO,
            unsampled_left: 0,
        };
    }
}

/// The states of a thread: that of its calls, and that of the calls that a signal handler makes
/// while it interrupts one of them.
const STATES: usize = 2;
const BYTES: usize = STATES * size_of::<Thread>();

// Initial-exec TLS: the default model calls a function that may allocate. The loader has room for
// it, because the shim is loaded with the program.
global_asm!(
    ".section .tbss,\"awT\",@nobits",
    ".balign 64",
    ".globl firsttouch_thread",
    ".hidden firsttouch_thread",
    ".type firsttouch_thread, @object",
    ".size firsttouch_thread, {bytes}",
    "firsttouch_thread:",
    ".zero {bytes}",
    ".text",
    bytes = const BYTES,
);

/// The first state of this thread.
#[inline]
pub(crate) fn current() -> *mut Thread {
    let address: *mut Thread;
    // SAFETY: it reads the thread pointer and a constant of the loader.
    unsafe {
        asm!(
            "mov {0}, qword ptr [rip + firsttouch_thread@GOTTPOFF]",
            "add {0}, qword ptr fs:[0]",
            out(reg) address,
            options(pure, readonly, nostack),
        );
    }
    address
}

/// The second state of this thread.
fn inner() -> *mut Thread {
    current().wrapping_add(1)
}

/// The right to use a state of this thread. A call by which the allocator below serves another one
/// gets none; a call in a signal handler that interrupts one gets the second state.
pub(crate) struct Guard(*mut Thread);

impl Guard {
    /// Enters a call of this caller. `None`: this call is not recorded.
    #[inline]
    pub(crate) fn enter(caller: Caller) -> Option<(Guard, &'static Region)> {
        Guard::enter_as(caller, true)
    }

    /// Enters a call that maps memory. `None`: this call is not recorded. What an allocator maps
    /// inside one of its calls is part of that, and nothing that is missing.
    pub(crate) fn enter_mapping(caller: Caller) -> Option<(Guard, &'static Region)> {
        Guard::enter_as(caller, false)
    }

    /// Enters a call. `counts`: one inside another call is missing in the recording.
    #[inline]
    fn enter_as(caller: Caller, counts: bool) -> Option<(Guard, &'static Region)> {
        let region = start::region()?;
        let mut thread = current();
        // SAFETY: the state of this thread; a signal handler leaves it as it was.
        let (busy, has_inner_calls) = unsafe { ((*thread).busy, (*thread).has_inner_calls) };
        if busy != 0 {
            // The operators of C++ call malloc: this must be quick. Between a call and one of a
            // signal handler lies the kernel's frame, which is larger.
            if has_inner_calls && busy.wrapping_sub(caller.sp) < SIGNAL_FRAME_BYTES_MIN {
                return None;
            }
            thread = inside(region, caller, counts)?;
        }
        // SAFETY: as above.
        let instance = unsafe { (*thread).instance };
        if region.load(wire::header::FLAGS) & wire::header::flags::QUIET != 0 {
            return None;
        }
        // SAFETY: as above.
        unsafe { (*thread).busy = caller.sp };
        compiler_fence(Ordering::SeqCst);
        let mut guard = Guard(thread);
        if instance != start::instance() || guard.thread().unit == 0 {
            sink::begin(&mut guard, region);
        }
        Some((guard, region))
    }

    /// Enters the second state without recording. `None`: a call is in it.
    pub(crate) fn enter_inner() -> Option<Guard> {
        Guard::enter_state(inner())
    }

    /// Enters without recording: what allocates meanwhile is not recorded either.
    pub(crate) fn enter_quietly() -> Option<Guard> {
        Guard::enter_state(current())
    }

    fn enter_state(thread: *mut Thread) -> Option<Guard> {
        // SAFETY: the state of this thread.
        let free = unsafe { (*thread).busy } == 0;
        free.then(|| {
            // SAFETY: as above.
            unsafe { (*thread).busy = usize::MAX };
            Guard(thread)
        })
    }

    /// The state.
    #[inline]
    pub(crate) fn thread(&mut self) -> &mut Thread {
        // SAFETY: the guard is the only one of this thread, and no other reference is made.
        unsafe { &mut *self.0 }
    }
}

impl Drop for Guard {
    #[inline]
    fn drop(&mut self) {
        compiler_fence(Ordering::SeqCst);
        self.thread().busy = 0;
    }
}

/// The state for a call while the first state is in use. `None`: the call is not recorded.
#[cold]
#[inline(never)]
fn inside(region: &Region, caller: Caller, counts: bool) -> Option<*mut Thread> {
    let (outer, inner) = (current(), inner());
    // SAFETY: the states of this thread.
    let calls = unsafe { [(*outer).busy, (*inner).busy] };
    let found = if calls.contains(&usize::MAX) {
        Around::Unknown
    } else {
        around(caller.sp, caller.fp, calls)
    };
    match found {
        // It was left without a return (longjmp(3) out of a signal handler).
        Around::None => {
            // SAFETY: as above.
            unsafe { ((*outer).busy, (*inner).busy) = (0, 0) };
            Some(outer)
        }
        Around::Call { slot, is_interrupted: true } if slot == calls[0] => {
            // SAFETY: as above.
            unsafe { (*inner).busy = 0 };
            Some(inner)
        }
        Around::Call { .. } | Around::Unknown => {
            // SAFETY: as above.
            let is_own = unsafe { (*outer).has_inner_calls } || calls[0] == usize::MAX;
            region.add(wire::header::NESTED, u64::from(counts && !is_own));
            None
        }
    }
}

/// The kernel's frame of a signal handler is longer: it has all registers, vectors too.
const SIGNAL_FRAME_BYTES_MIN: usize = 512;
