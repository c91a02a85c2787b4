//! Turns several sources into one stream: raw events, the bound on what may wait, draining and
//! pairing.

pub(crate) mod absences;
pub(crate) mod budget;
pub(crate) mod control;
pub(crate) mod drain;
pub(crate) mod pairing;
pub(crate) mod raw;
