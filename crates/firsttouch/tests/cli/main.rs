//! The program as a user runs it: real processes, real faults.

mod bad_input;
mod claims;
mod doctor;
mod experiments;
mod interrupted;
mod layers;
mod limits;
mod measured;
mod program;
