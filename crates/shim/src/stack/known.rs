//! The frames that a thread knows: a tree, in which each frame has its caller, so that stacks share
//! what they have in common.

use wire::node;

use super::walk::{Place, read};

/// The number of frames. When they are used up, all are forgotten: what is needed comes back.
const FRAMES: usize = 1340;
/// Frames are found by their slot and code, in a set of a few that share a hash. The same two may
/// have several callers.
const SETS: usize = 512;
const OF_A_SET: usize = 4;
/// The greatest depth of a stack. Deeper ones are cut: their outermost frames are left out.
pub(super) const DEPTH_MAX: usize = 320;

/// A frame.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Frame {
    /// The slot that held its code's address, and that address.
    pub(super) slot: usize,
    code: usize,
    /// The frame pointer register in this frame.
    fp: usize,
    /// From the lowest bit: flags, the depth, the node of the stack from this frame outwards.
    packed: u32,
    /// How far from its slot a frame pointer was read, in words; 0: it was not, but has been in its
    /// register since the frame inside. Of a frame that is not known yet the slot and the frame
    /// pointer are its own; of a known one they are its caller's.
    fp_words: i16,
    /// The place of its caller; [`NOBODY`]. With [`APART`] and [`OPEN`].
    caller: u16,
}

/// The frame is the outermost.
const NOBODY: usize = 0;
/// To compare its caller takes more than to look at the frame before it, which is what frames that
/// were unwound together need: so the processor need not wait for one frame to know where the next
/// one is.
const APART: u16 = 0x8000;
/// Where its caller is was not found: its frame pointer is that of no chain. With [`APART`].
const OPEN: u16 = 0x4000;
const PLACE: u16 = OPEN - 1;
const _: () = assert!(FRAMES <= PLACE as usize);

const FLAG_BITS: u32 = 3;
const DEPTH_BITS: u32 = 9;
const _: () = assert!(size_of::<Frame>() == 32 && DEPTH_MAX < 1 << DEPTH_BITS);
const _: () = assert!(node::NODES < 1 << (32 - DEPTH_BITS - FLAG_BITS));

/// Frames outside this one are found through its frame pointer.
const NEEDS_FP: u32 = 1;
/// It is no frame, but a slot that the caller's place depends on.
const ONLY_A_SLOT: u32 = 2;
/// It was interrupted by a signal.
const INTERRUPTED: u32 = 4;

/// A saved frame pointer that is too far away to be compared: it never holds.
const TOO_FAR: i16 = i16::MAX;

impl Frame {
    const NONE: Frame = Frame { slot: 0, code: 0, fp: 0, packed: 0, fp_words: 0, caller: APART };

    /// The frame at this place. `needs_fp`: its caller is found through its frame pointer.
    #[inline]
    pub(super) fn at(place: &Place, needs_fp: bool) -> Frame {
        let needs_fp = if needs_fp { NEEDS_FP } else { 0 };
        let interrupted = if place.interrupted { INTERRUPTED } else { 0 };
        Frame {
            slot: place.slot,
            code: place.code,
            fp: place.fp,
            packed: needs_fp | interrupted,
            fp_words: fp_words(place),
            caller: APART,
        }
    }

    /// A slot that the place of the next frame depends on, and what it holds.
    pub(super) fn only_a_slot(slot: usize, word: usize) -> Frame {
        Frame { slot, code: word, packed: ONLY_A_SLOT, ..Frame::NONE }
    }

    /// It was taken for a frame without being one, but where the stack ends depends on it.
    pub(super) fn is_none(&mut self) {
        self.packed |= ONLY_A_SLOT;
    }

    /// Its caller was not found.
    pub(super) fn has_no_caller(&mut self) {
        self.caller |= OPEN;
    }

    /// An address inside the instruction at which the frame was left.
    pub(super) fn address(&self) -> u64 {
        (self.code - usize::from(!self.has(INTERRUPTED))) as u64
    }

    #[inline]
    fn has(&self, flags: u32) -> bool {
        self.packed & flags != 0
    }

    #[inline]
    fn depth(&self) -> usize {
        (self.packed >> FLAG_BITS) as usize & ((1 << DEPTH_BITS) - 1)
    }

    #[inline]
    fn node(&self) -> u32 {
        self.packed >> (FLAG_BITS + DEPTH_BITS)
    }

    /// Whether this frame is at that place.
    #[inline]
    fn is_at(&self, slot: usize, code: usize, fp: usize) -> bool {
        self.slot == slot && self.code == code && (!self.has(NEEDS_FP) || self.fp == fp)
    }

    /// Whether this frame, which called `inside`, is where and what it was.
    #[inline]
    fn holds(&self, inside: &Frame) -> bool {
        // SAFETY: the frames inside hold what they held when unwinding went from them to this slot,
        // so it would read it now as well.
        if unsafe { read(self.slot) } != self.code {
            return false;
        }
        // A frame pointer that was not saved was compared in the frame inside.
        if !self.has(NEEDS_FP) || inside.fp_words == 0 {
            return true;
        }
        let slot = self.slot.wrapping_add_signed(isize::from(inside.fp_words) * 8);
        // SAFETY: as above.
        inside.fp_words != TOO_FAR && unsafe { read(slot) } == self.fp
    }
}

/// How far from the slot of its code the frame pointer of a place was read, in words; 0: it was
/// not.
#[inline]
fn fp_words(place: &Place) -> i16 {
    if place.fp_slot == 0 {
        return 0;
    }
    let bytes = place.fp_slot.wrapping_sub(place.slot).cast_signed();
    i16::try_from(bytes / 8).unwrap_or(TOO_FAR)
}

/// The frames.
#[repr(C)]
pub(super) struct Known {
    /// The number of frames, with the first, which is nobody's.
    length: usize,
    frames: [Frame; FRAMES],
    /// Places of frames, those that came last first; 0: none.
    sets: [[u16; OF_A_SET]; SETS],
}

/// A known frame from which on the stack is as remembered.
#[derive(Clone, Copy)]
pub(super) struct Joint {
    at: usize,
    fp_words: i16,
}

impl Joint {
    /// None: the stack ends here.
    pub(super) const END: Joint = Joint { at: 0, fp_words: 0 };
}

impl Known {
    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.frames[0] = Frame::NONE;
        self.length = 1;
        self.sets.fill([0; OF_A_SET]);
    }

    /// The node of the stack whose innermost frame has this slot, code and frame pointer, if it is
    /// known and holds.
    // Apart from its callers and from what is seldom needed: so it saves hardly a register.
    #[inline(never)]
    pub(super) fn node(&self, slot: usize, code: usize, fp: usize) -> Option<u32> {
        let [newest, ..] = *self.sets.get(set_of(slot, code))?;
        match self.node_at(newest, slot, code, fp) {
            Some(node) => Some(node),
            None => self.node_among_others(slot, code, fp),
        }
    }

    #[inline(never)]
    fn node_among_others(&self, slot: usize, code: usize, fp: usize) -> Option<u32> {
        let [_, others @ ..] = *self.sets.get(set_of(slot, code))?;
        others.into_iter().find_map(|at| self.node_at(at, slot, code, fp))
    }

    /// The node of the known stack at this place, if its innermost frame is that one and it holds.
    #[inline(always)]
    fn node_at(&self, at: u16, slot: usize, code: usize, fp: usize) -> Option<u32> {
        let top = self.frames.get(usize::from(at))?;
        let holds = top.is_at(slot, code, fp) && self.holds_until(at.into()) == 0;
        holds.then(|| top.node())
    }

    /// A known frame at this place from which on the stack holds, and is at most `depth_max` deep.
    ///
    /// # Errors
    /// There is none; the slot up to which the stack was compared and holds (0: nothing does).
    pub(super) fn joint(&self, place: &Place, depth_max: usize) -> Result<Joint, usize> {
        let mut slot_max = 0;
        // The stack pointer of an interrupted frame was in a slot inside it.
        if place.interrupted {
            return Err(slot_max);
        }
        let set = self.sets.get(set_of(place.slot, place.code)).into_iter().flatten();
        for at in set.map(|&at| usize::from(at)) {
            let Some(frame) = self.frames.get(at) else { continue };
            if !frame.is_at(place.slot, place.code, place.fp) || frame.depth() > depth_max {
                continue;
            }
            // It would be no end of the stack, if a chain that leads there leads nowhere.
            if place.is_chained && frame.caller & OPEN != 0 {
                continue;
            }
            match self.holds_until(at) {
                0 => return Ok(Joint { at, fp_words: fp_words(place) }),
                slot => slot_max = slot_max.max(slot),
            }
        }
        Err(slot_max)
    }

    /// Compares the frames outside the one at this place, which is where and what it was. Returns
    /// the slot of the last one before the first difference; 0: all hold. Each slot is read only
    /// after those inside it held.
    #[inline(always)]
    fn holds_until(&self, at: usize) -> usize {
        let frames = self.frames.as_ptr();
        let mut place = frames.wrapping_add(at.min(FRAMES - 1));
        loop {
            // SAFETY: `place` is that of a frame: the first, or a caller's, as `add` put it there.
            let inside = unsafe { &*place };
            if inside.caller & APART == 0 {
                place = place.wrapping_sub(1);
                // SAFETY: as above.
                let frame = unsafe { &*place };
                // SAFETY: the frames inside hold what they held when unwinding went from them to
                // this slot, so it would read it now as well.
                if unsafe { read(frame.slot) } != frame.code {
                    return inside.slot;
                }
                continue;
            }
            let caller = usize::from(inside.caller & PLACE);
            let Some(frame) = self.frames.get(caller).filter(|_| caller != NOBODY) else {
                return 0;
            };
            if !frame.holds(inside) {
                return inside.slot;
            }
            place = frames.wrapping_add(caller);
        }
    }

    /// Puts new frames, the innermost first, inside a known one. `node` finds the node of a frame
    /// from its caller's and its address. Returns the node of the whole stack; `None`: there is no
    /// room.
    pub(super) fn add(
        &mut self,
        new: &[Frame],
        joint: Joint,
        mut node: impl FnMut(u32, u64) -> u32,
    ) -> Option<u32> {
        if self.length + new.len() > FRAMES {
            return None;
        }
        let Joint { at: mut caller, mut fp_words } = joint;
        let outer = self.frames.get(caller)?;
        let mut needs_fp = outer.has(NEEDS_FP);
        let (mut number, mut depth) = (outer.node(), outer.depth());
        for frame in new.iter().rev() {
            // What is inside depends on its own frame pointer if it is that of this frame.
            needs_fp = frame.has(NEEDS_FP) || needs_fp && fp_words == 0;
            if !frame.has(ONLY_A_SLOT) {
                number = node(number, frame.address());
                depth += 1;
            }
            let flags = frame.packed | if needs_fp { NEEDS_FP } else { 0 };
            let packed = flags | (depth as u32) << FLAG_BITS | number << (FLAG_BITS + DEPTH_BITS);
            let at = self.length;
            let compares_fp = self.frames.get(caller)?.has(NEEDS_FP) && fp_words != 0;
            let open = frame.caller & OPEN;
            let is_beside = caller != NOBODY && caller == at - 1 && !compares_fp && open == 0;
            let caller_at = caller as u16 | open | if is_beside { 0 } else { APART };
            *self.frames.get_mut(at)? = Frame { packed, fp_words, caller: caller_at, ..*frame };
            self.length += 1;
            if !frame.has(ONLY_A_SLOT | INTERRUPTED) {
                let set = self.sets.get_mut(set_of(frame.slot, frame.code))?;
                *set = [at as u16, set[0], set[1], set[2]];
            }
            (caller, fp_words) = (at, frame.fp_words);
        }
        Some(number)
    }
}

/// The set of frames with this slot and code.
#[inline]
fn set_of(slot: usize, code: usize) -> usize {
    (code ^ slot.rotate_left(20)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - SETS.ilog2())
}
