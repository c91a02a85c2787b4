//! Syscalls by stopping the program, for users who may not use tracepoints.

pub(crate) mod freeze;
pub(crate) mod outbox;
pub(crate) mod tracer;
