//! What a process was started with, and what it did, as far as `/proc` shows it.

use std::ffi::OsString;

use sys::proc::TaskFolder;
use sys::proc::task::{faults_of, has_huge_pages_off, is_compat32_process};

/// A process apart from its mappings. What this user may not read is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProcessState {
    /// The environment that its program was started with.
    pub environment: Option<Vec<(OsString, OsString)>>,
    /// Whether the program has more privilege than its caller (`AT_SECURE`): the dynamic linker
    /// then ignores most of its variables.
    pub secure: Option<bool>,
    /// What its dynamic linker has loaded, in its order: the addresses of the dynamic sections,
    /// that of the program first. Empty without a dynamic linker.
    pub loaded: Option<Vec<u64>>,
    /// Whether transparent huge pages are turned off for it (prctl(2)).
    pub huge_pages_off: Option<bool>,
    /// Whether it has waited for processes that it started.
    pub had_children: Option<bool>,
}

impl ProcessState {
    /// The state of the running process `pid` now. Its environment is `None` if the program has
    /// written over it.
    #[must_use]
    pub fn of(pid: u32) -> Self {
        let mut state = ProcessState::default();
        state.read_start(pid);
        state.read_present(pid, pid);
        state
    }

    /// Reads what execve(2) gave to the program of `pid`.
    pub(super) fn read_start(&mut self, pid: u32) {
        let folder = TaskFolder::new(pid, pid);
        self.environment = folder.environment().ok();
        self.secure = folder.is_secure(bits(pid));
    }

    /// Reads what changes while `pid` runs, through one of its threads.
    pub(super) fn read_present(&mut self, pid: u32, tid: u32) {
        self.loaded = TaskFolder::new(pid, tid).loaded_objects(bits(pid)).ok();
        self.huge_pages_off = has_huge_pages_off(tid);
        self.had_children = faults_of(pid).map(|faults| faults.reaped > 0);
    }
}

/// The width of the words of `pid`'s program.
fn bits(pid: u32) -> u8 {
    if is_compat32_process(pid) { 32 } else { 64 }
}
