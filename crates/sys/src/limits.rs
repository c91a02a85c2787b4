//! Resource limits: getrlimit(2).

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The soft limit of this process's address space (`ulimit -v`); `None` if unlimited.
#[must_use]
pub fn address_space_bytes() -> Option<u64> {
    getrlimit(Resource::As).current
}

/// The soft limit of this process's data segment (`ulimit -d`), which since Linux 4.7 counts
/// private writable mappings too; `None` if unlimited.
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

/// Lets this process have as many open files as its hard limit allows. What it starts afterwards
/// inherits that: a program that should not is to be forked before.
pub fn raise_open_files() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Below the hard limit nothing can refuse; the soft limit stays as it is otherwise.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// The size of a base page.
#[must_use]
pub fn page_bytes() -> u64 {
    rustix::param::page_size() as u64
}
