//! How processes ended. The rings report the end of each thread without a status; another source
//! has the status, a moment later.

use std::collections::{HashMap, HashSet};

use events::{Ending, Thread};

/// The processes whose status another source will report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Expected {
    /// None.
    #[default]
    None,
    /// This one: it was started here, and is waited for.
    Only(u32),
    /// All: a tracer gets their status.
    All,
}

/// The processes that are ending.
#[derive(Debug, Default)]
pub(super) struct Endings {
    pub(super) expected: Expected,
    /// The threads of each process; only the first one where they are not known.
    threads: HashMap<u32, HashSet<u32>>,
    /// The processes whose last thread has ended and whose status is not known, with the number of
    /// that event.
    waiting: HashMap<u32, u64>,
    /// The status of processes whose last thread has not been reported as ended.
    known: HashMap<u32, Ending>,
}

impl Endings {
    pub(super) fn started(&mut self, thread: Thread, by: Thread) {
        if thread.pid == by.pid {
            let first = || HashSet::from([thread.pid]);
            self.threads.entry(thread.pid).or_insert_with(first).insert(thread.tid);
        } else {
            // The number may have been that of another process.
            self.threads.remove(&thread.pid);
            self.waiting.remove(&thread.pid);
            self.known.remove(&thread.pid);
        }
    }

    /// `thread` was there before observing began.
    pub(super) fn attached(&mut self, thread: Thread) {
        self.threads.entry(thread.pid).or_default().insert(thread.tid);
    }

    /// The process executed a program: one thread is left, and has the number of the first one.
    pub(super) fn executed(&mut self, pid: u32) {
        self.threads.remove(&pid);
    }

    /// `thread` has ended.
    pub(super) fn ended(&mut self, thread: Thread) -> Last {
        let pid = thread.pid;
        if let Some(threads) = self.threads.get_mut(&pid) {
            threads.remove(&thread.tid);
            if !threads.is_empty() {
                return Last::No;
            }
            self.threads.remove(&pid);
        }
        match self.known.remove(&pid) {
            Some(ending) => Last::Yes(ending),
            None if [Expected::All, Expected::Only(pid)].contains(&self.expected) => Last::Waits,
            None => Last::No,
        }
    }

    /// The end of the last thread of the process, event `number`, waits for the status.
    pub(super) fn wait(&mut self, pid: u32, number: u64) {
        self.waiting.insert(pid, number);
    }

    /// Whether the end of the process waits for its status.
    pub(super) fn waits(&self, pid: u32) -> bool {
        self.waiting.contains_key(&pid)
    }

    /// The process has ended so. Returns the number of the event that waits for this.
    pub(super) fn learn(&mut self, pid: u32, ending: Ending) -> Option<u64> {
        let number = self.waiting.remove(&pid);
        if number.is_none() {
            self.known.insert(pid, ending);
        }
        number
    }
}

/// Whether a thread was the last one of its process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    /// It was not, or no status will be known.
    No,
    /// It was, and the process ended so.
    Yes(Ending),
    /// It was, and the status will come.
    Waits,
}
