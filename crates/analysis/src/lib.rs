//! What events mean: whose address it was, why it faulted, what it cost. Pure functions of events: no process, no clock, no
//! file, no `/proc`.

pub mod decode;
pub mod layout;
