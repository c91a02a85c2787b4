//! What counts as a site: all calls and whole stacks, or some of both.

use std::num::NonZeroUsize;

use events::{Allocation, Event};

use super::filter::CallFilter;
use super::frames::{FrameId, FrameTree};
use super::number_map::NumberMap;

/// The calls and the frames that are wanted. It costs nothing where all of them are.
#[derive(Debug, Default)]
pub(super) struct Selection {
    /// The calls; `None`: all.
    filter: Option<CallFilter>,
    /// So many frames of each stack, from the innermost on; `None`: all.
    depth: Option<NonZeroUsize>,
    /// The stacks that were cut.
    cut: NumberMap<FrameId, FrameId>,
}

impl Selection {
    pub(super) fn new(filter: CallFilter, depth: Option<NonZeroUsize>) -> Selection {
        let filter = Some(filter).filter(|filter| !filter.is_none());
        Selection { filter, depth, cut: NumberMap::default() }
    }

    /// The stack of the site that pays for `call`, whose own stack is `stack`.
    #[inline]
    pub(super) fn stack_of(
        &mut self,
        stack: FrameId,
        (call, event): (&Allocation, &Event),
        tree: &mut FrameTree,
    ) -> FrameId {
        if self.filter.as_ref().is_some_and(|filter| !filter.chooses(event, call)) {
            return FrameId::LEFT_OUT;
        }
        match self.depth {
            Some(depth) => {
                *self.cut.entry(stack).or_insert_with(|| tree.innermost(stack, depth.get()))
            }
            None => stack,
        }
    }
}
