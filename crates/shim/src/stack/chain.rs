//! Frames of code without unwind information.
//!
//! Code that a program makes while it runs (V8, LuaJIT) belongs to no object, and some that is in
//! objects has no rules (V8's builtins, assembly). Where it keeps frame pointers, each frame has in
//! memory the frame pointer of its caller, and next to it the return address. Whether it does
//! cannot be known: the register may hold anything. So the chain is followed only inside memory
//! that is certainly a stack, and what it finds counts only if it leads to a return address in
//! code that has rules. From there on the rules lead, but what they read stays inside that memory.

use super::modules;
use super::readable;
use super::rules::{Kind, Rule};
use super::walk::{Place, Step, read};

/// What is outside the frame at `place`, and whether that frame is there beyond doubt.
#[inline]
pub(super) fn step(place: &Place, rule: Rule) -> (bool, Step) {
    if !place.is_chained {
        return (true, place.caller(rule));
    }
    match rule.kind() {
        Kind::Chain => (false, place.caller(rule)),
        _ if is_after_call(place.code) => (true, place.caller(rule)),
        _ => (false, Step::Unknown),
    }
}

/// The caller of a frame, if its frame pointer is that of a chain.
#[cold]
pub(super) fn caller(place: &Place) -> Step {
    const FRAME_BYTES: usize = 16;
    let end = match place.end {
        // An interrupted frame's own slot is in the kernel's frame, perhaps on another stack.
        usize::MAX if place.interrupted => readable::end_from(place.sp),
        usize::MAX => readable::end_from(place.slot),
        end => end,
    };
    let is_inside = place.fp >= place.sp && place.fp <= end.saturating_sub(FRAME_BYTES);
    if !is_inside || !place.fp.is_multiple_of(8) {
        return Step::Unknown;
    }
    let (fp_slot, slot) = (place.fp, place.fp + 8);
    // SAFETY: both are inside the stack.
    let (fp, code) = unsafe { (read(fp_slot), read(slot)) };
    let (interrupted, is_chained, sp) = (false, true, place.fp + FRAME_BYTES);
    let caller = Place { slot, code, interrupted, sp, fp, fp_slot, is_chained, end };
    Step::Caller(caller, None)
}

/// Whether the instruction before `code`, which is in an object, can be a call.
fn is_after_call(code: usize) -> bool {
    const BYTES_MAX: usize = 7;
    let has_room = |start: usize| code.checked_sub(BYTES_MAX).is_some_and(|first| first >= start);
    if !modules::of(code as u64 - 1).is_some_and(|module| has_room(module.start)) {
        return false;
    }
    // SAFETY: the code of a loaded object, which is never written.
    let before = unsafe { ((code - BYTES_MAX) as *const [u8; BYTES_MAX]).read() };
    is_call(before)
}

/// Whether these bytes can end with a call (Intel's manual, volume 2, "CALL"): to an address
/// relative to its end, or to one in a register or in memory.
fn is_call(bytes: [u8; 7]) -> bool {
    const RELATIVE: u8 = 0xe8;
    const INDIRECT: u8 = 0xff;
    bytes[2] == RELATIVE
        || bytes.windows(2).enumerate().any(|(at, pair)| {
            pair[0] == INDIRECT
                && pair[1] & 0x38 == 0x10
                && lengths(pair[1]).contains(&(bytes.len() - at))
        })
}

/// How long an indirect call with this byte of addressing can be.
fn lengths(addressing: u8) -> [usize; 2] {
    let scaled = usize::from(addressing & 7 == 4);
    let length = match addressing >> 6 {
        3 => 2,
        0 if addressing & 7 == 5 => 6,
        0 if scaled == 1 => return [3, 7],
        0 => 2,
        1 => 3 + scaled,
        _ => 6 + scaled,
    };
    [length; 2]
}
