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

/// While this exists, this process's soft limit of open files is its hard limit. Children inherit
/// it: fork a program that should not before.
#[derive(Debug)]
#[must_use]
pub struct RaisedOpenFiles {
    before: Option<u64>,
}

impl RaisedOpenFiles {
    /// Raises the limit.
    pub fn raise() -> Self {
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        // Raising it up to the hard limit is always allowed; if it fails, the soft limit stays.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
        RaisedOpenFiles { before: current }
    }
}

impl Drop for RaisedOpenFiles {
    fn drop(&mut self) {
        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        let _ = setrlimit(Resource::Nofile, Rlimit { current: self.before, maximum });
    }
}

/// The size of a base page in bytes.
#[must_use]
pub fn page_bytes() -> u64 {
    rustix::param::page_size() as u64
}
