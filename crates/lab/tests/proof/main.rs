//! The lab's proof: its decisions in scripted runs, and its error rates in simulations.
// Seeds and times here are small and positive.
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]

mod factorial;
mod session;
mod simulated;
mod simulation;
