//! Proves arms of real programs: what is in force, what is refused, and in which words.

mod allocators;
mod environment;
mod fixture;
mod living;
mod runtimes;
mod settings;
