//! Blocks of samples: children, floors beside them, observed runs, policy checks.

pub mod children;
pub mod disturbance;
pub mod files;
pub(crate) mod mmap_threshold;
pub mod observe;
pub mod policy_check;
pub mod session;
