//! The processes of a trace: who is alive, and whose address space is whose.

use std::collections::{HashMap, HashSet};

use events::{Ending, Thread};
use results::trace;

use crate::space::{Paging, Space};

/// All processes that live.
#[derive(Debug)]
pub(crate) struct Processes {
    paging: Paging,
    by_pid: HashMap<u32, Process>,
    /// Faults are seen, so that a process without one has had none.
    sees_faults: bool,
}

#[derive(Debug)]
struct Process {
    space: Space,
    /// Who started it, until it has a program of its own.
    parent: Option<u32>,
    threads: HashSet<u32>,
    ending: Ending,
    met: bool,
}

impl Processes {
    /// None so far.
    pub(crate) fn new(paging: Paging) -> Processes {
        Processes { paging, by_pid: HashMap::new(), sees_faults: false }
    }

    /// The address space of a process, which may be unknown so far.
    pub(crate) fn space(&mut self, pid: u32) -> &mut Space {
        let paging = self.paging;
        &mut self.by_pid.entry(pid).or_insert_with(|| Process::new(pid, Space::new(paging))).space
    }

    /// `thread` began at `time_ns`.
    pub(crate) fn start(&mut self, thread: Thread, by: Thread, time_ns: u64) -> trace::Process {
        if thread.pid == by.pid {
            self.space(thread.pid);
            self.by_pid.entry(thread.pid).and_modify(|process| {
                process.threads.insert(thread.tid);
            });
            return trace::Process::ThreadStarted { by: by.tid };
        }
        let child = Process::new(thread.tid, self.space(by.pid).fork(time_ns));
        self.by_pid.insert(thread.pid, Process { parent: Some(by.pid), ..child });
        trace::Process::Started { by: by.pid }
    }

    /// The process of `thread` has another program; its other threads are gone.
    pub(crate) fn execute(&mut self, thread: Thread) {
        self.give_back(thread.pid);
        self.space(thread.pid).execute();
        self.by_pid.entry(thread.pid).and_modify(|process| process.threads = HashSet::from([thread.pid]));
    }

    /// Faults are seen.
    pub(crate) fn see_faults(&mut self) {
        self.sees_faults = true;
    }

    /// What a child of vfork(2) did to the memory of its parent stays there. The parent waits for it, so that with a
    /// single thread nothing else has changed.
    fn give_back(&mut self, pid: u32) {
        if !self.sees_faults {
            return;
        }
        let Some(child) = self.by_pid.get_mut(&pid) else { return };
        let Some(parent) = child.parent.take().filter(|_| !child.space.has_copied()) else { return };
        let space = child.space.clone();
        if let Some(parent) = self.by_pid.get_mut(&parent).filter(|parent| parent.threads.len() == 1) {
            parent.space.take_back(&space);
        }
    }

    /// `thread` was there before anybody watched. Whether its process has not been met before.
    pub(crate) fn meet(&mut self, thread: Thread) -> bool {
        if let Some(process) = self.by_pid.get_mut(&thread.pid).filter(|process| process.met) {
            process.threads.insert(thread.tid);
            return false;
        }
        let mut process = Process::new(thread.tid, Space::new(self.paging));
        process.space.meet();
        process.met = true;
        self.by_pid.insert(thread.pid, process);
        true
    }

    /// `thread` ended, and its process if no other is left or its end is known.
    pub(crate) fn end(&mut self, thread: Thread, ending: Ending) -> trace::Process {
        let is_first = thread.tid == thread.pid;
        let Some(process) = self.by_pid.get_mut(&thread.pid) else {
            return if is_first { over(ending) } else { trace::Process::ThreadEnded };
        };
        process.threads.remove(&thread.tid);
        if ending != Ending::Unknown {
            process.ending = ending;
        }
        // The first thread's status is the process's, and is known when all the others are gone.
        if process.threads.is_empty() || (is_first && ending != Ending::Unknown) {
            let ending = process.ending;
            self.by_pid.remove(&thread.pid);
            return over(ending);
        }
        trace::Process::ThreadEnded
    }
}

impl Process {
    fn new(tid: u32, space: Space) -> Process {
        Process { space, parent: None, threads: HashSet::from([tid]), ending: Ending::Unknown, met: false }
    }
}

fn over(ending: Ending) -> trace::Process {
    trace::Process::Over(match ending {
        Ending::Exited(status) => trace::Ending::Exited(status),
        Ending::Killed(signal) => trace::Ending::Killed(signal),
        Ending::Unknown => trace::Ending::Unknown,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::HugePages;

    const fn thread(pid: u32, tid: u32) -> Thread {
        Thread { pid, tid }
    }

    fn none() -> Processes {
        Processes::new(Paging { page_bytes: 4096, huge_pages: HugePages::Never })
    }

    #[test]
    fn a_process_is_over_with_its_last_thread() {
        let mut processes = none();
        assert_eq!(processes.start(thread(7, 7), thread(1, 1), 0), trace::Process::Started { by: 1 });
        assert_eq!(processes.start(thread(7, 8), thread(7, 7), 0), trace::Process::ThreadStarted { by: 7 });
        assert_eq!(processes.end(thread(7, 7), Ending::Unknown), trace::Process::ThreadEnded);
        assert_eq!(processes.end(thread(7, 8), Ending::Exited(3)), over(Ending::Exited(3)));
        assert!(!processes.by_pid.contains_key(&7));
        assert_eq!(processes.end(thread(7, 8), Ending::Unknown), trace::Process::ThreadEnded, "told late");
    }

    #[test]
    fn a_known_end_of_the_first_thread_is_that_of_the_process() {
        let mut processes = none();
        processes.start(thread(7, 8), thread(7, 7), 0);
        assert_eq!(processes.end(thread(7, 7), Ending::Killed(9)), over(Ending::Killed(9)));
    }

    #[test]
    fn a_process_is_met_once() {
        let mut processes = none();
        assert!(processes.meet(thread(7, 7)) && !processes.meet(thread(7, 8)));
        assert_eq!(processes.end(thread(7, 7), Ending::Unknown), trace::Process::ThreadEnded);
        processes.execute(thread(7, 8));
        assert_eq!(processes.end(thread(7, 7), Ending::Unknown), over(Ending::Unknown));
    }
}
