//! What events mean: whose address it was, why it faulted, what it cost; address spaces. Pure functions of events: no
//! process, no clock, no file, no `/proc`.

mod cause;
pub mod decode;
mod durations;
mod folding;
pub mod layout;
mod processes;
mod registers;
mod space;
mod story;
mod tally;

pub use folding::{FaultLines, Folder};
pub use space::{HugePages, Paging};
pub use story::Story;
pub use tally::Tally;
