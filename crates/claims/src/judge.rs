//! From facts to claims. Pure functions that do not look at the machine, so tests can judge facts
//! of any machine.

pub mod allocator;
pub mod calls;
pub mod files;
pub mod layout;
pub mod paging;
pub mod portability;
pub mod sharing;
pub mod timed;

use results::claims::ClaimVerdict;

/// The verdict for a condition that is true or false.
fn holds(it: bool) -> ClaimVerdict {
    if it { ClaimVerdict::Holds } else { ClaimVerdict::DoesNotHold }
}
