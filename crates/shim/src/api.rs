//! The functions that take the place of the allocator's.
//!
//! Each begins with two instructions that keep its caller's stack pointer and frame pointer as
//! arguments, and jumps: so no frame of ours is on the stack that is unwound, and the compiler may
//! use the frame pointer.

mod c;
mod cxx;
mod loader;
mod mappings;

use core::ffi::c_void;

use wire::record::UNTIMED;
use wire::{CallRecord, function as number};

use crate::sink::Region;
use crate::thread::Guard;
use crate::{stack, start};

/// The caller of an allocation function.
#[derive(Clone, Copy)]
pub(crate) struct Caller {
    pub(crate) sp: usize,
    pub(crate) fp: usize,
}

/// What was asked for.
#[derive(Clone, Copy)]
struct Request {
    function: u8,
    size: usize,
    alignment: usize,
}

impl Request {
    fn of(function: u8, size: usize) -> Request {
        Request { function, size, alignment: 0 }
    }

    fn aligned(function: u8, size: usize, alignment: usize) -> Request {
        Request { function, size, alignment }
    }

    #[inline]
    fn record(self, begin: u64, end: u64, node: u32, address: *mut c_void) -> CallRecord {
        CallRecord {
            begin_ticks: begin,
            address: address as u64,
            latency_ticks: latency(begin, end),
            node,
            size_bytes: self.size as u64,
            alignment_log2: if self.alignment == 0 { 0 } else { self.alignment.ilog2() as u8 },
            function: self.function,
        }
    }
}

/// Whether a function may be made of others of ours: operators of malloc and free.
#[inline]
fn calls_others(function: u8) -> bool {
    matches!(function, number::NEW | number::DELETE | number::REALLOCARRAY)
}

/// A latency as a record holds it.
#[inline]
fn latency(begin: u64, end: u64) -> u32 {
    u32::try_from(end.wrapping_sub(begin)).unwrap_or(u32::MAX).max(UNTIMED + 1)
}

/// Makes a call that gives memory out, and records it.
#[inline(always)]
fn give_out(caller: Caller, request: Request, call: impl FnOnce() -> *mut c_void) -> *mut c_void {
    let Some((mut guard, region)) = Guard::enter(caller) else { return call() };
    let record = guard.time(region, request, caller, call);
    guard.write(region, [record]);
    record.address as *mut c_void
}

/// As [`give_out`]. Null also where the call is not recorded: it was not made.
#[inline(always)]
fn give_out_or_refuse(
    caller: Caller,
    request: Request,
    call: impl FnOnce() -> *mut c_void,
) -> *mut c_void {
    let Some((mut guard, region)) = Guard::enter(caller) else { return core::ptr::null_mut() };
    let record = guard.time(region, request, caller, call);
    guard.write(region, [record]);
    record.address as *mut c_void
}

/// What a call gives back that began at this time and gives out something else.
#[inline]
fn released_at(begin_ticks: u64, old: *mut c_void) -> CallRecord {
    CallRecord {
        begin_ticks,
        address: old as u64,
        function: wire::record::RELEASED_BY_REALLOC,
        ..CallRecord::default()
    }
}

/// Makes a call that gives `old` back and other memory out, and records it.
#[inline(always)]
fn exchange(
    caller: Caller,
    request: Request,
    old: *mut c_void,
    call: impl FnOnce() -> *mut c_void,
) -> *mut c_void {
    let Some((mut guard, region)) = Guard::enter(caller) else { return call() };
    let new = guard.time(region, request, caller, call);
    // A size of zero gives back and gives nothing out.
    let has_released = !old.is_null() && (new.address != 0 || request.size == 0);
    if has_released {
        guard.write(region, [released_at(new.begin_ticks, old), new]);
    } else {
        guard.write(region, [new]);
    }
    new.address as *mut c_void
}

/// Makes a call that gives memory back, and records it. Its stack is found afterwards, as that of
/// [`Guard::time`].
#[inline(always)]
fn give_back(caller: Caller, function: u8, old: *mut c_void, call: impl FnOnce()) {
    let Some((mut guard, region)) = Guard::enter(caller) else { return call() };
    guard.thread().has_inner_calls = calls_others(function);
    let is_timed = guard.times_this_free(region);
    let begin = start::ticks();
    call();
    let latency_ticks = if is_timed { latency(begin, start::ticks()) } else { UNTIMED };
    guard.thread().has_inner_calls = false;
    let node = stack::node(&mut guard, region, caller, None);
    let record = CallRecord {
        begin_ticks: begin,
        address: old as u64,
        latency_ticks,
        node,
        function,
        ..CallRecord::default()
    };
    guard.write(region, [record]);
}

impl Guard {
    /// Makes a call that gives memory out, and times it. Its stack is found afterwards: a call is
    /// slower after an unwinding, and one whose stack is taken must be like the others.
    #[inline(always)]
    fn time(
        &mut self,
        region: &Region,
        request: Request,
        caller: Caller,
        call: impl FnOnce() -> *mut c_void,
    ) -> CallRecord {
        self.thread().has_inner_calls = calls_others(request.function);
        let begin = start::ticks();
        let address = call();
        let end = start::ticks();
        self.thread().has_inner_calls = false;
        let node = stack::node(self, region, caller, Some(request.size));
        request.record(begin, end, node, address)
    }

    /// Whether this call of free is one of those that are timed: on average one in the number that
    /// the recorder chose, at random distances.
    #[inline]
    fn times_this_free(&mut self, region: &Region) -> bool {
        let thread = self.thread();
        if thread.untimed_left > 0 {
            thread.untimed_left -= 1;
            return false;
        }
        let mean = region.load(wire::header::FREES_PER_TIMED);
        if mean > 1 {
            // Distances from 1 to 2 mean - 1 are equally likely.
            let distances = 2 * mean - 1;
            thread.untimed_left = (((thread.random.next_number() >> 32) * distances) >> 32) as u32;
        }
        true
    }
}

/// A function of the program's that is ours: keeps the caller's registers and jumps to `$entry`,
/// which takes the function's own arguments, then [`Caller`]'s.
macro_rules! takes_place {
    ($name:ident($($argument:ident: $type:ty),*) -> $result:ty,
        $sp:literal, $fp:literal, $entry:path) => {
        /// See its manual page.
        #[unsafe(no_mangle)]
        #[unsafe(naked)]
        pub extern "C" fn $name($($argument: $type),*) -> $result {
            core::arch::naked_asm!(
                concat!("mov ", $sp, ", rsp"),
                concat!("mov ", $fp, ", rbp"),
                "jmp {entry}",
                entry = sym $entry,
            )
        }
    };
}
use takes_place;
