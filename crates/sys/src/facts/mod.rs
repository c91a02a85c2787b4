//! What a machine is set to and what it is doing, as far as it bears on measurements. Gathered
//! without privileges and without changing anything; judged elsewhere.
//!
//! A field is `None` where this kernel, container or user does not show it.

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

/// All that is known about a machine and about this process on it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// Transparent huge pages.
    pub pages: HugePageFacts,
    /// Overcommit, swap, free memory.
    pub memory: MemoryFacts,
    /// Processors, their speed and their clock.
    pub processors: Processors,
    /// What the machine runs in.
    pub host: Host,
    /// What else it does now.
    pub activity: Activity,
    /// What this user may look at.
    pub access: AccessFacts,
    /// Limits of control groups.
    pub groups: Groups,
    /// This process: its limits and powers.
    pub own: Own,
}

impl Facts {
    /// Gathers everything. Takes `window` and a little more: for so long it sleeps and sees what
    /// others do meanwhile.
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

/// A file's text without the white space around it; `None` also for an empty one.
fn text(path: impl AsRef<Path>) -> Option<String> {
    Some(read_to_string(path).ok()?.trim().to_owned()).filter(|text| !text.is_empty())
}

/// A file that holds one number.
fn number<T: FromStr>(path: impl AsRef<Path>) -> Option<T> {
    text(path)?.parse().ok()
}

/// A file that holds a yes or a no, as the kernel writes them.
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
    fn this_machine_shows_what_every_linux_has() {
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
