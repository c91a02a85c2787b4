//! Settings and activity of a machine that affect measurements. Gathered without privileges and
//! without changing anything; judged by the crate `doctor`.
//!
//! A field is `None` if this kernel, container or user does not show it.

mod access;
mod activity;
mod groups;
mod host;
mod memory;
mod own;
mod pages;
mod processors;

pub use access::{AccessFacts, ProcFiles, TracefsFacts};
pub use activity::Activity;
pub use groups::{Groups, Quota};
pub use host::Host;
pub use memory::{MemoryFacts, Swap};
pub use own::Own;
pub use pages::{HugePageFacts, PageSize, Pool, hugetlb_pools};
pub use processors::{Boost, Processors, online_cpus};

use std::fs::read_to_string;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

/// All facts about a machine and about this process on it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// Transparent huge pages.
    pub pages: HugePageFacts,
    /// Overcommit, swap, free memory.
    pub memory: MemoryFacts,
    /// Processors, their speed and their clock.
    pub processors: Processors,
    /// Hypervisor and container.
    pub host: Host,
    /// What else the machine is doing now.
    pub activity: Activity,
    /// What this user may read.
    pub access: AccessFacts,
    /// Limits of control groups.
    pub groups: Groups,
    /// This process: its limits and capabilities.
    pub own: Own,
}

impl Facts {
    /// Gathers everything. Takes a little more than `window`: it sleeps for that long to sample the
    /// activity of other processes.
    #[must_use]
    pub fn gather(window: Duration) -> Self {
        let activity = Activity::during(window);
        Facts {
            pages: HugePageFacts::now(),
            memory: MemoryFacts::now(),
            processors: Processors::now(),
            host: Host::now(),
            activity,
            access: AccessFacts::now(),
            groups: Groups::now(),
            own: Own::now(),
        }
    }
}

/// The trimmed text of a file; `None` also if it is empty.
fn text(path: impl AsRef<Path>) -> Option<String> {
    Some(read_to_string(path).ok()?.trim().to_owned()).filter(|text| !text.is_empty())
}

/// A file that holds one number.
fn number<T: FromStr>(path: impl AsRef<Path>) -> Option<T> {
    text(path)?.parse().ok()
}

/// A file that holds a boolean, as the kernel writes it.
fn switch(path: impl AsRef<Path>) -> Option<bool> {
    match text(path)?.as_str() {
        "1" | "Y" => Some(true),
        "0" | "N" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_of_every_linux_are_found_here() {
        let facts = Facts::gather(Duration::from_millis(1));
        assert!(facts.memory.total_bytes.is_some_and(|bytes| bytes > 1 << 24), "{facts:?}");
        assert!(facts.memory.overcommit_mode.is_some_and(|mode| mode <= 2), "{facts:?}");
        assert!(
            !facts.own.allowed_cpus.is_empty()
                && facts.processors.clock_read_ns.is_some_and(|ns| ns > 0.0)
        );
        assert_eq!(
            facts.access.proc_files,
            ProcFiles { rollup: true, schedstat: true, stat: true }
        );
        assert!(facts.access.user_faults.is_some() && facts.activity.others_cpu.is_some());
    }
}
