//! Ledgers of some calls, and of a part of each stack.

use std::num::NonZeroUsize;

use super::Ledger;
use crate::allocations::filter::CallFilter;
use crate::allocations::selection::Selection;

impl Ledger {
    /// Only the calls that `filter` chooses pay for themselves and for their blocks; all others are
    /// one site, whose stack is [`FrameId::LEFT_OUT`](crate::allocations::FrameId::LEFT_OUT). Of
    /// each stack only so many of the innermost frames count; `None`: all.
    #[must_use]
    pub fn with_selection(self, filter: CallFilter, depth: Option<NonZeroUsize>) -> Ledger {
        Ledger { selection: Selection::new(filter, depth), ..self }
    }
}
