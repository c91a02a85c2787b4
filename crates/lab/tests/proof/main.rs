//! The lab's proof: its decisions on a script, and its honesty in simulation.
// Seeds and times here are small and positive.
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]

mod factorial;
mod session;
mod simulated;
mod simulation;
