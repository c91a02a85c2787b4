//! Stacks as places in files, so that processes which load a file at different addresses share
//! them.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use events::{Definitions, ModuleId, StackId};

use super::number_map::NumberMap;
use crate::address_space::Attributor;

/// A frame with its callers, by its number in an [`AllocationAccount`](super::AllocationAccount).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct FrameId(u32);

impl FrameId {
    /// No frame: the end of every stack, or an unknown one.
    pub const NONE: FrameId = FrameId(0);

    /// No frame either: the stack of all calls that were not chosen, where a report is of some.
    pub const LEFT_OUT: FrameId = FrameId(u32::MAX);
    /// Its place among all frames, of which the first is no frame.
    #[inline]
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// The place of an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ResolvedFrame {
    /// In a file.
    InFile {
        /// The file.
        module: ModuleId,
        /// The offset in the file, in bytes.
        offset_bytes: u64,
    },
    /// In memory of no known file, such as compiled code.
    Elsewhere {
        /// The address.
        address: u64,
    },
}

impl ResolvedFrame {
    /// The kernel, which touched memory for a syscall.
    pub const KERNEL: ResolvedFrame = ResolvedFrame::Elsewhere { address: u64::MAX };
}

/// All stacks. Those that share their outer frames share these entries.
#[derive(Debug, Default)]
pub(super) struct FrameTree {
    /// A frame and its caller; the entry of number n has the index n - 1.
    frames: Vec<(FrameId, ResolvedFrame)>,
    numbers: HashMap<(FrameId, ResolvedFrame), FrameId>,
}

impl FrameTree {
    /// The number of a frame with its caller.
    pub(super) fn number(&mut self, caller: FrameId, frame: ResolvedFrame) -> FrameId {
        let next = FrameId(u32::try_from(self.frames.len() + 1).unwrap_or(u32::MAX));
        let number = *self.numbers.entry((caller, frame)).or_insert(next);
        if number == next {
            self.frames.push((caller, frame));
        }
        number
    }

    /// The frame `id` and its caller.
    fn frame(&self, id: FrameId) -> Option<(FrameId, ResolvedFrame)> {
        self.frames.get((id.0 as usize).checked_sub(1)?).copied()
    }

    /// The innermost frames of a stack, at most so many, as a stack of its own.
    pub(super) fn innermost(&mut self, id: FrameId, most: usize) -> FrameId {
        let frames: Vec<ResolvedFrame> = self.frames(id).take(most).collect();
        frames.into_iter().rev().fold(FrameId::NONE, |caller, frame| self.number(caller, frame))
    }

    /// The frames of a stack, from the innermost to the outermost.
    pub(super) fn frames(&self, id: FrameId) -> impl Iterator<Item = ResolvedFrame> {
        let mut next = self.frame(id);
        std::iter::from_fn(move || {
            let (caller, frame) = next?;
            next = self.frame(caller);
            Some(frame)
        })
    }
}

/// Addresses are remembered by pages of this size, the smallest that is mapped.
const PAGE_BITS: u32 = 12;

/// The stacks that an image of a process has used. The same addresses are the same stack only as
/// long as the same files are mapped there: a library may be unloaded, and another one take its
/// place.
#[derive(Debug, Clone, Default)]
pub(super) struct ImageStacks {
    known: NumberMap<StackId, FrameId>,
    /// The pages with their instructions.
    pages: BTreeSet<u64>,
}

impl ImageStacks {
    /// The frame of `stack`, if it is known.
    pub(super) fn get(&self, stack: StackId) -> Option<FrameId> {
        self.known.get(&stack).copied()
    }

    /// Whether a stack has an instruction in one of `ranges`.
    pub(super) fn reach_into(&self, ranges: &[Range<u64>]) -> bool {
        let last = |range: &Range<u64>| range.end.saturating_sub(1) >> PAGE_BITS;
        let pages = ranges.iter().filter(|range| !range.is_empty());
        pages
            .map(|range| range.start >> PAGE_BITS..=last(range))
            .any(|pages| self.pages.range(pages).next().is_some())
    }

    /// Resolves `stack` and its callers, each at its first use, with `place_of` an address.
    pub(super) fn resolve(
        &mut self,
        stack: StackId,
        tree: &mut FrameTree,
        definitions: &Definitions,
        mut place_of: impl FnMut(u64) -> ResolvedFrame,
    ) -> FrameId {
        let mut inner = Vec::new();
        let mut at = stack;
        let mut caller = loop {
            if let Some(known) = self.get(at) {
                break known;
            }
            let Some(frame) = definitions.frame(at) else { break FrameId::NONE };
            inner.push((at, frame.address));
            at = frame.caller;
        };
        for (id, address) in inner.into_iter().rev() {
            caller = tree.number(caller, place_of(address));
            self.pages.insert(address >> PAGE_BITS);
            self.known.insert(id, caller);
        }
        caller
    }
}

/// The place of `address` in the files that process `pid` has mapped.
pub(super) fn place(attributor: &mut Attributor, pid: u32, address: u64) -> ResolvedFrame {
    match attributor.region(pid, address) {
        Some(region) if region.module != ModuleId::NONE && region.is_file() => {
            let offset_bytes = region.offset_bytes.wrapping_add(address - region.start);
            ResolvedFrame::InFile { module: region.module, offset_bytes }
        }
        _ => ResolvedFrame::Elsewhere { address },
    }
}
