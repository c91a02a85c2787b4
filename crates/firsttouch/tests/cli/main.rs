//! The program as a user runs it: real processes, real faults.

mod bad_input;
mod experiments;
mod interrupted;
mod layers;
mod limits;
mod measured;
mod program;
