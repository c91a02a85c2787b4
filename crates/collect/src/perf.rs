//! perf events: page faults, tracepoints of syscalls, lives and mappings, one ring a processor.

pub(crate) mod own_cost;
pub(crate) mod rings;
