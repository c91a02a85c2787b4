//! Every check on injected facts, so on machines that we do not have: found, state, effect and fix.

mod access;
mod every;
mod ideal;
mod memory;
mod processors;
