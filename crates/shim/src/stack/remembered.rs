//! The stacks that a thread remembers, with the slots that make them what they are.

use wire::{header, node, unit};

use super::nodes::{self, RecentNodes};
use super::rules;
use super::walk::{Place, Step, read};
use crate::sink::Region;

/// The number of stacks that a thread remembers.
const WAYS: usize = 4;
/// The greatest depth of a stack. Deeper ones are cut: their outermost frames are left out.
const DEPTH_MAX: usize = 320;

/// A frame that was unwound.
#[derive(Clone, Copy)]
struct Frame {
    /// The slot that held its code's address, and that address.
    slot: usize,
    code: usize,
    /// The frame pointer register, and how far from the slot above it was read (0: it was not).
    fp: usize,
    fp_offset: i32,
    /// The node of the stack from this frame outwards, and flags below it.
    node_and_flags: u32,
}

const _: () = assert!(size_of::<Frame>() == 32 && node::NODES < 1 << (32 - FLAG_BITS));

const FLAG_BITS: u32 = 3;

/// Frames outside this one are found through its frame pointer.
const NEEDS_FP: u32 = 1;
/// It is no frame, but a slot that the next one's place depends on.
const ONLY_A_SLOT: u32 = 2;
/// It was interrupted by a signal.
const INTERRUPTED: u32 = 4;

/// A thread's own memory. It is a unit of the shared memory, zero or as another thread left it.
#[repr(C)]
pub(crate) struct Memory {
    /// The generation of the code whose frames these are.
    generation: u64,
    ways: [Way; WAYS],
    /// The frames that are being unwound.
    new: [Frame; DEPTH_MAX],
    nodes: RecentNodes,
}

const _: () = assert!(size_of::<Memory>() <= (unit::WORDS - unit::FIRST) * 8);

/// A stack, its outermost frame first.
#[repr(C)]
struct Way {
    length: usize,
    frames: [Frame; DEPTH_MAX],
}

/// What comparing found.
enum Found {
    /// The node of the whole stack.
    Whole(u32),
    /// Not that. The way in which inner frames are unwound anew.
    Part(usize),
}

impl Memory {
    /// Forgets what another thread left, or what is remembered of other code.
    #[cold]
    pub(crate) fn clear(&mut self) {
        for way in &mut self.ways {
            way.length = 0;
        }
        self.nodes.clear();
        self.generation = rules::generation();
    }

    /// The node of a stack.
    #[inline]
    pub(super) fn node(&mut self, region: &Region, sp: usize, fp: usize) -> u32 {
        match self.compare(sp, fp) {
            Found::Whole(node) => node,
            Found::Part(way) => self.unwind(way, region, sp, fp),
        }
    }

    /// Compares the stack with the one that is remembered for its innermost frame.
    #[inline]
    fn compare(&mut self, sp: usize, fp: usize) -> Found {
        if self.generation != rules::generation() {
            self.clear();
        }
        // SAFETY: a call pushed the return address there.
        let code = unsafe { read(sp) };
        let mixed = (code ^ sp.rotate_left(20)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let chosen = (mixed >> 62) % WAYS;
        let way = &self.ways[chosen];
        let Some(top) = way.top() else { return Found::Part(chosen) };
        let is_top = top.slot == sp && top.code == code;
        if is_top && (!top.has(NEEDS_FP) || top.fp == fp) && way.holds(way.length - 1) {
            return Found::Whole(top.node());
        }
        Found::Part(chosen)
    }

    /// Unwinds until a frame that is remembered in this way, and remembers the stack there.
    fn unwind(&mut self, way: usize, region: &Region, sp: usize, fp: usize) -> u32 {
        let Memory { ways, new, nodes, .. } = self;
        let way = &mut ways[way % WAYS];
        let mut place = Place::innermost(sp, fp);
        let (mut count, mut is_cut) = (0, false);
        loop {
            if way.reaches(&place) {
                break;
            }
            if way.length + count >= DEPTH_MAX {
                // Only the innermost frames are kept, whatever is remembered.
                way.length = 0;
                region.add(header::CUT_STACKS, 1);
                return self.unwind_whole(region, sp, fp);
            }
            let Some(frame) = new.get_mut(count) else { break };
            let rule = rules::of(place.address());
            let needs_fp = if rule.needs_fp() { NEEDS_FP } else { 0 };
            let interrupted = if place.interrupted { INTERRUPTED } else { 0 };
            *frame = Frame::at(&place, needs_fp | interrupted);
            count += 1;
            match place.caller(rule) {
                Step::Caller(caller, other) => {
                    if let (Some((slot, word)), Some(frame)) = (other, new.get_mut(count)) {
                        *frame = Frame::only_a_slot(slot, word);
                        count += 1;
                    }
                    place = caller;
                }
                step => {
                    (way.length, is_cut) = (0, matches!(step, Step::Unknown));
                    break;
                }
            }
        }
        if is_cut {
            region.add(header::CUT_STACKS, 1);
        }
        way.remember(region, nodes, new.get_mut(..count).unwrap_or_default())
    }

    /// Unwinds the whole stack without regard to what is remembered, and remembers nothing.
    pub(super) fn unwind_whole(&mut self, region: &Region, sp: usize, fp: usize) -> u32 {
        let mut place = Place::innermost(sp, fp);
        let mut count = 0;
        while let Some(frame) = self.new.get_mut(count) {
            *frame = Frame::at(&place, if place.interrupted { INTERRUPTED } else { 0 });
            count += 1;
            let Step::Caller(caller, _) = place.caller(rules::of(place.address())) else {
                break;
            };
            place = caller;
        }
        let frames = self.new.get(..count).unwrap_or_default();
        frames.iter().rev().fold(0, |caller, frame| nodes::node(region, caller, frame.address()))
    }
}

impl Frame {
    #[inline]
    fn at(place: &Place, flags: u32) -> Frame {
        let Place { slot, code, fp, .. } = *place;
        Frame { slot, code, fp, fp_offset: offset(place), node_and_flags: flags }
    }

    fn only_a_slot(slot: usize, word: usize) -> Frame {
        Frame { slot, code: word, fp: 0, fp_offset: 0, node_and_flags: ONLY_A_SLOT }
    }

    fn address(&self) -> u64 {
        (self.code - usize::from(!self.has(INTERRUPTED))) as u64
    }

    #[inline]
    fn has(&self, flags: u32) -> bool {
        self.node_and_flags & flags != 0
    }

    #[inline]
    fn node(&self) -> u32 {
        self.node_and_flags >> FLAG_BITS
    }
}

impl Way {
    #[inline]
    fn top(&self) -> Option<&Frame> {
        self.frames.get(self.length.checked_sub(1)?)
    }

    /// Whether the outermost `count` frames still hold. Each slot is read only after those inside
    /// it held.
    #[inline]
    fn holds(&self, count: usize) -> bool {
        let frames = self.frames.get(..count).unwrap_or_default();
        frames.iter().rev().all(|frame| {
            // SAFETY: the frames inside hold what they held when unwinding went from them to this
            // slot, so it would read it now as well.
            let code = unsafe { read(frame.slot) };
            code == frame.code && (!frame.has(NEEDS_FP) || frame.fp_holds())
        })
    }

    /// Whether this place is that of a remembered frame, from which on the stack holds. What is
    /// inside of it is forgotten.
    #[inline]
    fn reaches(&mut self, place: &Place) -> bool {
        while self.top().is_some_and(|top| top.slot < place.slot) {
            self.length -= 1;
        }
        let Some(top) = self.top() else { return false };
        // The stack pointer of an interrupted frame was in a slot inside it, which is forgotten.
        if top.has(ONLY_A_SLOT | INTERRUPTED) || top.slot != place.slot || top.code != place.code {
            return false;
        }
        if top.has(NEEDS_FP) && top.fp != place.fp {
            return false;
        }
        if !self.holds(self.length - 1) {
            self.length = 0;
            return false;
        }
        if let Some(top) = self.frames.get_mut(self.length - 1) {
            // The frames inside it have saved its frame pointer elsewhere.
            (top.fp, top.fp_offset) = (place.fp, offset(place));
        }
        true
    }

    /// Puts new frames, the innermost first, inside those that hold; returns the whole stack's
    /// node.
    fn remember(&mut self, region: &Region, nodes: &mut RecentNodes, new: &mut [Frame]) -> u32 {
        let top = self.top().copied();
        let mut needs_fp = top.is_some_and(|top| top.has(NEEDS_FP) && top.fp_offset == 0);
        let mut node = top.map_or(0, |top| top.node());
        for frame in new.iter_mut().rev() {
            if !frame.has(ONLY_A_SLOT) {
                needs_fp |= frame.has(NEEDS_FP);
                frame.node_and_flags |= if needs_fp { NEEDS_FP } else { 0 };
                // What is inside depends on its own frame pointer if it is that of this frame.
                needs_fp &= frame.fp_offset == 0;
                node = nodes.node(region, node, frame.address());
            }
            frame.node_and_flags |= node << FLAG_BITS;
            if let Some(place) = self.frames.get_mut(self.length) {
                *place = *frame;
                self.length += 1;
            }
        }
        node
    }
}

impl Frame {
    /// Whether the frame pointer is what it was: in its slot, or, without one, as in the frame
    /// inside, which was compared.
    #[inline]
    fn fp_holds(&self) -> bool {
        let slot = self.slot.wrapping_add_signed(self.fp_offset as isize);
        // SAFETY: as for the slot of its code, which was read before.
        self.fp_offset == 0 || self.fp_offset != TOO_FAR && unsafe { read(slot) } == self.fp
    }
}

/// A saved frame pointer that is too far away to be compared: it never holds.
const TOO_FAR: i32 = i32::MAX;

/// How far from the slot of its code the frame pointer of a place was read; 0: it was not.
#[inline]
fn offset(place: &Place) -> i32 {
    if place.fp_slot == 0 {
        return 0;
    }
    let bytes = place.fp_slot.wrapping_sub(place.slot).cast_signed();
    i32::try_from(bytes).unwrap_or(TOO_FAR)
}
