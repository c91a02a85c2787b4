//! What a thread remembers of its stacks, and how a stack is found with it.

use wire::{header, unit};

use super::chain;
use super::known::{DEPTH_MAX, Frame, Joint, Known};
use super::nodes::{self, RecentNodes};
use super::rules;
use super::walk::{Place, Step, read};
use crate::sink::Region;

/// A thread's own memory. It is a unit of the shared memory, zero or as another thread left it.
#[repr(C)]
pub(crate) struct Memory {
    /// The generation of the code whose frames these are.
    generation: u64,
    known: Known,
    /// The frames that are being unwound.
    new: [Frame; DEPTH_MAX],
    nodes: RecentNodes,
}

const _: () = assert!(size_of::<Memory>() <= (unit::WORDS - unit::FIRST) * 8);

/// How unwinding ended.
enum Unwound {
    /// At a known frame, or at the end; with so many new frames.
    Until(Joint, usize),
    /// Where the caller is not known; with so many new frames, of which so many are surely frames.
    Cut(usize, usize),
    /// Nowhere: the stack is too deep.
    TooDeep,
}

impl Memory {
    /// Forgets what another thread left, or what is remembered of other code.
    #[cold]
    pub(crate) fn clear(&mut self) {
        self.known.clear();
        self.nodes.clear();
        self.generation = rules::generation();
    }

    /// The node of a stack.
    #[inline(always)]
    pub(super) fn node(&mut self, region: &Region, sp: usize, fp: usize) -> u32 {
        if self.generation != rules::generation() {
            self.clear();
        }
        // SAFETY: a call pushed the return address there.
        let code = unsafe { read(sp) };
        match self.known.node(sp, code, fp) {
            Some(node) => node,
            None => self.unwind(region, sp, fp),
        }
    }

    /// Unwinds until a frame from which on the stack is known, and remembers the frames inside.
    #[cold]
    #[inline(never)]
    fn unwind(&mut self, region: &Region, sp: usize, fp: usize) -> u32 {
        let mut unwound = self.unwind_new(sp, fp);
        loop {
            let (joint, count) = match unwound {
                Unwound::Until(joint, count) => (joint, count),
                Unwound::Cut(count, sure) => {
                    region.add(header::CUT_STACKS, 1);
                    self.cut(count, sure);
                    (Joint::END, count)
                }
                Unwound::TooDeep => {
                    // Only the innermost frames are kept, whatever is remembered.
                    region.add(header::CUT_STACKS, 1);
                    return self.unwind_whole(region, sp, fp);
                }
            };
            let Memory { known, new, nodes, .. } = self;
            let new = new.get(..count).unwrap_or_default();
            let node = known.add(new, joint, |caller, frame| nodes.node(region, caller, frame));
            if let Some(node) = node {
                return node;
            }
            known.clear();
            unwound = self.unwind_new(sp, fp);
        }
    }

    /// Unwinds until a frame from which on the stack is known.
    fn unwind_new(&mut self, sp: usize, fp: usize) -> Unwound {
        let Memory { known, new, .. } = self;
        let mut place = Place::innermost(sp, fp);
        // Frames up to this slot were compared with what is known of one inside them, which does
        // not hold in the end.
        let mut compared_until = 0;
        let (mut count, mut sure) = (0, 0);
        loop {
            if place.slot > compared_until {
                match known.joint(&place, DEPTH_MAX - count) {
                    Ok(joint) => return Unwound::Until(joint, count),
                    Err(slot) => compared_until = slot,
                }
            }
            let Some(frame) = new.get_mut(count) else { return Unwound::TooDeep };
            let rule = rules::of(place.address());
            *frame = Frame::at(&place, rule.needs_fp());
            count += 1;
            let (is_sure, step) = chain::step(&place, rule);
            sure = if is_sure { count } else { sure };
            match step {
                Step::Caller(caller, other) => {
                    if let (Some((slot, word)), Some(frame)) = (other, new.get_mut(count)) {
                        *frame = Frame::only_a_slot(slot, word);
                        count += 1;
                    }
                    place = caller;
                }
                Step::End => return Unwound::Until(Joint::END, count),
                Step::Unknown => return Unwound::Cut(count, sure),
            }
        }
    }

    /// Leaves what is not surely a frame out of so many new ones.
    fn cut(&mut self, count: usize, sure: usize) {
        if let Some((last, others)) =
            self.new.get_mut(sure.saturating_sub(1)..count).and_then(<[_]>::split_first_mut)
        {
            last.has_no_caller();
            others.iter_mut().for_each(Frame::is_none);
        }
    }

    /// Unwinds the whole stack without regard to what is remembered, and remembers nothing.
    pub(super) fn unwind_whole(&mut self, region: &Region, sp: usize, fp: usize) -> u32 {
        let mut place = Place::innermost(sp, fp);
        let (mut count, mut sure) = (0, 0);
        while let Some(frame) = self.new.get_mut(count) {
            *frame = Frame::at(&place, false);
            count += 1;
            let (is_sure, step) = chain::step(&place, rules::of(place.address()));
            sure = if is_sure { count } else { sure };
            let Step::Caller(caller, _) = step else {
                count = sure;
                break;
            };
            place = caller;
        }
        let frames = self.new.get(..count).unwrap_or_default();
        frames.iter().rev().fold(0, |caller, frame| nodes::node(region, caller, frame.address()))
    }
}
