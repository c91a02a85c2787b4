//! Live blocks and call sites: who pays for which fault.

mod acts;
mod mapped;
mod memory;
mod model;
mod off_cpu;
mod over_time;
mod report;
mod sampled;
mod script;
mod selection;
mod stacks;
mod table;
mod thinned;
mod wild;
