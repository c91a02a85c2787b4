//! Every check on machines that we do not have, from injected facts: what is found, how it is
//! judged, what mends it.

mod access;
mod every;
mod ideal;
mod memory;
mod processors;
