//! Resource limits: getrlimit(2).

use rustix::process::{Resource, getrlimit};

/// The soft limit of this process's address space (`ulimit -v`); `None` if unlimited.
#[must_use]
pub fn address_space_bytes() -> Option<u64> {
    getrlimit(Resource::As).current
}

/// The soft limit of this process's data segment (`ulimit -d`), which since Linux 4.7 counts private writable
/// mappings too; `None` if unlimited.
#[must_use]
pub fn data_bytes() -> Option<u64> {
    getrlimit(Resource::Data).current
}

/// The soft limit of memory that this process may lock (`ulimit -l`); `None` if unlimited.
#[must_use]
pub fn locked_bytes() -> Option<u64> {
    getrlimit(Resource::Memlock).current
}

/// The soft limit of processor time (`ulimit -t`); `None` if unlimited.
#[must_use]
pub fn cpu_seconds() -> Option<u64> {
    getrlimit(Resource::Cpu).current
}

/// The size of a base page.
#[must_use]
pub fn page_bytes() -> u64 {
    rustix::param::page_size() as u64
}
