//! A trace from injected events: mappings, and causes of faults.

mod causes;
mod cost;
mod files;
mod folding;
mod interleavings;
mod model;
mod moves;
mod naming;
mod reuse;
mod script;
mod sharing;
mod table;
