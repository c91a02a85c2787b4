//! perf events: page faults, tracepoints of syscalls, task events and mappings; one ring per
//! processor.

pub(crate) mod own_cost;
pub(crate) mod rings;
