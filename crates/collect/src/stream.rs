//! From several sources to one stream: what they deliver, how much of it may wait, and what becomes
//! of it.

pub(crate) mod budget;
pub(crate) mod control;
pub(crate) mod drain;
pub(crate) mod pairing;
pub(crate) mod raw;
