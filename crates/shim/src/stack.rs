//! The stack of a caller, as the number of a node.
//!
//! Unwinding reads, from the innermost frame outwards, the slots that hold return addresses, and
//! the slots that hold the caller's frame pointer where the rules need it. The rules depend on
//! nothing else. So a stack whose slots still hold what they held has the same frames: a thread
//! remembers a few stacks with their slots, and compares. Only the frames inside the first
//! difference are unwound again.
//!
//! Comparing begins with the innermost frame and stops at the first difference, as unwinding would:
//! a slot is only read if unwinding would read it, so a stack that is gone (a coroutine's) is never
//! touched.

mod cfi;
mod chain;
mod known;
mod modules;
mod nodes;
mod readable;
mod remembered;
mod row;
mod rules;
mod walk;

pub(crate) use remembered::Memory;

use wire::header;
use wire::record::NOT_TAKEN;

use crate::api::Caller;
use crate::sink::Region;
use crate::thread::{Guard, Thread};

/// Looks up what unwinding needs of the C library.
pub(crate) fn prepare() {
    modules::prepare();
    readable::prepare();
}

/// Code was unloaded: what is known of addresses holds no longer.
pub(crate) fn forget_code() {
    modules::forget();
    rules::forget();
}

/// Whether code is unloaded with what is freed at `address`.
#[inline]
pub(crate) fn goes_with(address: usize) -> bool {
    modules::goes_with(address)
}

/// The node of the caller's stack. 0: not known; [`NOT_TAKEN`], where not all are taken. `asked`:
/// the bytes that the call asks for; `None`: it only gives back.
#[inline(always)]
pub(crate) fn node(
    guard: &mut Guard,
    region: &Region,
    caller: Caller,
    asked: Option<usize>,
) -> u32 {
    let flags = region.load(header::FLAGS);
    if flags & OTHERWISE != 0 {
        return node_otherwise(guard.thread(), region, caller, flags, asked);
    }
    // SAFETY: null, or the unit that this thread has for itself.
    let Some(memory) = (unsafe { guard.thread().memory.as_mut() }) else { return 0 };
    memory.node(region, caller.sp, caller.fp)
}

/// The same for a call that maps memory: there are few of them, so each has its stack where any
/// call has.
pub(crate) fn node_of_mapping(guard: &mut Guard, region: &Region, caller: Caller) -> u32 {
    let flags = region.load(header::FLAGS) & !header::flags::SAMPLED_STACKS;
    node_otherwise(guard.thread(), region, caller, flags, None)
}

/// The flags of the modes that are not the default.
const OTHERWISE: u64 =
    header::flags::NO_STACKS | header::flags::CHECK_STACKS | header::flags::SAMPLED_STACKS;

/// Whether the code at `address` is of this library.
pub(crate) fn is_our_code(address: u64) -> bool {
    let header = |address: u64| modules::of(address).map(|module| module.header);
    header(address) == header(is_our_code as *const () as u64)
}

/// Which of a thread's calls a place on its stack is inside of.
pub(crate) enum Around {
    /// Of none of them.
    None,
    /// Of this one, whose slot of the return address is given.
    Call {
        /// The slot.
        slot: usize,
        /// Whether a signal interrupted it.
        is_interrupted: bool,
    },
    /// It cannot be told.
    Unknown,
}

/// Unwinds the stack of a caller as far as the slot of the return address of one of `calls`. That
/// call is under way if the frame inside is ours; otherwise the program has used the slot again.
#[cold]
#[inline(never)]
pub(crate) fn around(sp: usize, fp: usize, calls: [usize; 2]) -> Around {
    const FRAMES_MAX: usize = 4096;
    let mut place = walk::Place::innermost(sp, fp);
    let mut is_interrupted = false;
    for _ in 0..FRAMES_MAX {
        let inside = place.address();
        let rule = rules::of(inside);
        // What a chain of frame pointers leads to is not certain enough.
        if rule == rules::Rule::of(rules::Kind::Chain) {
            return Around::Unknown;
        }
        match place.caller(rule) {
            walk::Step::Caller(caller, _) => place = caller,
            walk::Step::End => return Around::None,
            walk::Step::Unknown => return Around::Unknown,
        }
        if calls.contains(&place.slot) {
            if !is_our_code(inside) {
                return Around::None;
            }
            return Around::Call { slot: place.slot, is_interrupted };
        }
        is_interrupted |= place.interrupted;
    }
    Around::Unknown
}

/// By all flags: those of the default are among them.
#[cold]
#[inline(never)]
fn node_otherwise(
    thread: &mut Thread,
    region: &Region,
    caller: Caller,
    flags: u64,
    asked: Option<usize>,
) -> u32 {
    if flags & header::flags::NO_STACKS != 0 {
        return 0;
    }
    if flags & header::flags::SAMPLED_STACKS != 0 && !is_chosen(thread, region, asked) {
        return NOT_TAKEN;
    }
    let Caller { sp, fp } = caller;
    // SAFETY: null, or the unit that this thread has for itself.
    let Some(memory) = (unsafe { thread.memory.as_mut() }) else { return 0 };
    let found = memory.node(region, sp, fp);
    if flags & header::flags::CHECK_STACKS == 0 {
        return found;
    }
    let unwound = memory.unwind_whole(region, sp, fp);
    region.add(header::CHECKED_STACKS, 1);
    region.add(header::WRONG_STACKS, u64::from(!nodes::are_alike(region, found, unwound)));
    unwound
}

/// Whether a sample lies on the bytes that a call asks for; one of no bytes counts as one of one.
#[inline]
fn is_chosen(thread: &mut Thread, region: &Region, asked: Option<usize>) -> bool {
    let Some(asked) = asked else { return false };
    let asked = i64::try_from(asked).unwrap_or(i64::MAX).max(1);
    thread.unsampled_left = thread.unsampled_left.saturating_sub(asked);
    if thread.unsampled_left > 0 {
        return false;
    }
    let mean_bytes = region.load(header::SAMPLED_BYTES);
    thread.unsampled_left = thread.random.next_distance(mean_bytes);
    true
}
