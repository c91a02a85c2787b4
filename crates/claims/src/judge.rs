//! From facts to claims. Pure: nothing here asks the machine anything, so that facts of any machine
//! can be judged.

pub mod allocator;
pub mod calls;
pub mod files;
pub mod layout;
pub mod paging;
pub mod portability;
pub mod sharing;
pub mod timed;

use results::claims::ClaimVerdict;

/// `holds` of `true`.
fn holds(it: bool) -> ClaimVerdict {
    if it { ClaimVerdict::Holds } else { ClaimVerdict::DoesNotHold }
}
