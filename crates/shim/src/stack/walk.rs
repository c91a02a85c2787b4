//! One step of unwinding, and what it read.

use super::chain;
use super::rules::{Kind, Rule};

/// Frames are no farther apart than this, in bytes: a rule that says so is wrong for its code.
const FRAME_BYTES_MAX: usize = 64 << 20;
/// Words of the kernel's frame of a signal handler (`struct rt_sigframe`), from the stack pointer
/// at its return: the registers of the interrupted code.
const SAVED_FP: usize = 120;
const SAVED_SP: usize = 160;
const SAVED_IP: usize = 168;

/// Where a frame stands: the address in its code, and where that was read.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// The slot that held the address.
    pub(super) slot: usize,
    /// The return address, or the address of an interrupted instruction.
    pub(super) code: usize,
    /// Whether it was interrupted there.
    pub(super) interrupted: bool,
    /// The stack pointer in this frame.
    pub(super) sp: usize,
    /// The frame pointer register in this frame.
    pub(super) fp: usize,
    /// The slot that it was read from; 0: it has been in its register since the frame inside.
    pub(super) fp_slot: usize,
    /// Whether a chain of frame pointers led here, and no rule.
    pub(super) is_chained: bool,
    /// The end of what can be read of the stack, if such a chain led here or to a frame inside;
    /// else `usize::MAX`: rules reach no farther than the stack does.
    pub(super) end: usize,
}

/// What lies outside a frame.
pub(super) enum Step {
    /// The caller, and another slot that its place depends on, with what it holds.
    Caller(Place, Option<(usize, usize)>),
    /// Nothing: it is the outermost.
    End,
    /// Not known.
    Unknown,
}

impl Place {
    /// The place of the code that `sp` points to the return address of.
    #[inline]
    pub(super) fn innermost(sp: usize, fp: usize) -> Place {
        let slot = sp;
        // SAFETY: a call pushed the return address there.
        let code = unsafe { read(slot) };
        let sp = sp + 8;
        let (interrupted, is_chained) = (false, false);
        Place { slot, code, interrupted, sp, fp, fp_slot: 0, is_chained, end: usize::MAX }
    }

    /// An address inside the instruction at which the frame was left.
    #[inline]
    pub(super) fn address(&self) -> u64 {
        self.code.wrapping_sub(usize::from(!self.interrupted)) as u64
    }

    /// The caller of this frame, by the rule of its code.
    #[inline]
    pub(super) fn caller(&self, rule: Rule) -> Step {
        let (base, cfa) = match rule.kind() {
            Kind::FromSp => (self.sp, self.sp.wrapping_add_signed(rule.cfa())),
            Kind::FromFp => (self.fp, self.fp.wrapping_add_signed(rule.cfa())),
            Kind::AtFp => return self.caller_at_fp(rule),
            Kind::Signal => return self.interrupted(),
            Kind::Chain => return chain::caller(self),
            Kind::End => return Step::End,
            Kind::None => return Step::Unknown,
        };
        if !self.is_outside(base) && base != self.sp || !self.is_outside(cfa) {
            return Step::Unknown;
        }
        let saved = rule.fp().map(|offset| cfa.wrapping_add_signed(offset));
        self.at(cfa, saved, None)
    }

    /// The caller whose CFA is this.
    #[inline]
    fn at(&self, cfa: usize, saved_fp: Option<usize>, other: Option<(usize, usize)>) -> Step {
        let slot = cfa - 8;
        if !self.may_read(slot) || saved_fp.is_some_and(|slot| !self.may_read(slot)) {
            return Step::Unknown;
        }
        // SAFETY: by the rules of the code in this frame, the stack reaches from it to its CFA, and
        // the return address and the saved frame pointer are in it.
        let code = unsafe { read(slot) };
        if code < 4096 {
            return Step::End;
        }
        let (fp, fp_slot) = match saved_fp {
            // SAFETY: as above.
            Some(slot) => (unsafe { read(slot) }, slot),
            None => (self.fp, 0),
        };
        let (interrupted, is_chained) = (false, false);
        let end = self.end;
        let place = Place { slot, code, interrupted, sp: cfa, fp, fp_slot, is_chained, end };
        Step::Caller(place, other)
    }

    /// The caller of a function that aligned its stack: it keeps the CFA in its frame.
    fn caller_at_fp(&self, rule: Rule) -> Step {
        let kept = self.fp.wrapping_add_signed(rule.cfa());
        if !self.is_outside(self.fp) || !self.may_read(kept) {
            return Step::Unknown;
        }
        // SAFETY: by the rule, the frame pointer is inside this frame.
        let cfa = unsafe { read(kept) };
        if !self.is_outside(cfa) {
            return Step::Unknown;
        }
        let saved = rule.fp().map(|offset| self.fp.wrapping_add_signed(offset));
        self.at(cfa, saved, Some((kept, cfa)))
    }

    /// The code that a signal interrupted.
    fn interrupted(&self) -> Step {
        // A chain has led over a handler's stack, perhaps to another one.
        if self.end != usize::MAX {
            return Step::Unknown;
        }
        let slot = self.sp + SAVED_IP;
        // SAFETY: the kernel's frame begins at the stack pointer of its trampoline.
        let (code, sp) = unsafe { (read(slot), read(self.sp + SAVED_SP)) };
        let fp_slot = self.sp + SAVED_FP;
        // SAFETY: as above.
        let fp = unsafe { read(fp_slot) };
        let (interrupted, is_chained) = (true, false);
        let place = Place { slot, code, interrupted, sp, fp, fp_slot, is_chained, end: self.end };
        Step::Caller(place, Some((self.sp + SAVED_SP, sp)))
    }

    /// Whether a slot of this frame can be read.
    #[inline]
    fn may_read(&self, slot: usize) -> bool {
        self.end == usize::MAX || slot >= self.sp && slot < self.end - 7
    }

    /// Whether an address can be on the stack, outside this frame.
    #[inline]
    fn is_outside(&self, address: usize) -> bool {
        address > self.sp && address - self.sp <= FRAME_BYTES_MAX && address.is_multiple_of(8)
    }
}

/// The word at `address`.
///
/// # Safety
/// It is mapped and readable.
#[inline]
pub(super) unsafe fn read(address: usize) -> usize {
    // SAFETY: the caller's. Volatile, since other frames own it.
    unsafe { (address as *const usize).read_volatile() }
}
