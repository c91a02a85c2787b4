//! The processes and threads of a trace: how long they ran, and whose faults the account of a
//! parent that waits for its children includes.

use std::collections::HashMap;

use events::Thread;
use results::trace::TraceSummary;

/// The lifetimes so far. Its state is the live threads and processes.
#[derive(Debug, Default)]
pub(crate) struct Lifetimes {
    /// The thread that did something last, if it is live.
    latest: Option<Thread>,
    threads: HashMap<u32, LiveThread>,
    live: HashMap<u32, Process>,
    /// The process that was started or attached to.
    first: Option<u32>,
    /// Since when it is observed.
    first_ns: u64,
    /// Whether it was running already.
    attached: bool,
    began_threads: u64,
    began_processes: u64,
    ended_threads_ns: u64,
    last_end_ns: u64,
    first_faults: u64,
    orphans: u64,
    orphan_faults: u64,
    refused_faults: u64,
}

#[derive(Debug, Clone, Copy)]
struct LiveThread {
    pid: u32,
    began_ns: u64,
}

#[derive(Debug, Default)]
struct Process {
    parent: Option<u32>,
    faults: u64,
    /// Processes below it that ended before their parents, and their faults.
    below: u64,
    below_faults: u64,
}

impl Lifetimes {
    /// The first process was running at `time_ns`.
    pub(crate) fn attach(&mut self, thread: Thread, time_ns: u64) {
        self.attached = true;
        self.see(thread, time_ns);
    }

    /// `thread` did something at `time_ns`.
    pub(crate) fn see(&mut self, thread: Thread, time_ns: u64) {
        if thread.pid == 0 || self.latest == Some(thread) {
            return;
        }
        self.latest = Some(thread);
        if self.first.is_none() {
            (self.first, self.first_ns) = (Some(thread.pid), time_ns);
        }
        // A thread whose start was not seen was there before.
        let began_ns = if self.attached { self.first_ns } else { time_ns };
        self.begin(thread, began_ns, None);
    }

    /// `thread` was started by `by`.
    pub(crate) fn start(&mut self, thread: Thread, time_ns: u64, by: Thread) {
        self.see(by, time_ns);
        self.begin(thread, time_ns, (by.pid != thread.pid).then_some(by.pid));
    }

    fn begin(&mut self, thread: Thread, began_ns: u64, parent: Option<u32>) {
        if let std::collections::hash_map::Entry::Vacant(new) = self.threads.entry(thread.tid) {
            new.insert(LiveThread { pid: thread.pid, began_ns });
            self.began_threads += 1;
        }
        if let std::collections::hash_map::Entry::Vacant(new) = self.live.entry(thread.pid) {
            new.insert(Process { parent, ..Process::default() });
            self.began_processes += 1;
        }
    }

    /// The process of `thread` executed a program. Only the thread that called execve(2) is left of
    /// it, and has the id of the process from now on, whatever its own was.
    pub(crate) fn execute(&mut self, thread: Thread, time_ns: u64) {
        let of_process = |(&tid, live): (&u32, &LiveThread)| {
            (live.pid == thread.pid && tid != thread.tid).then_some(tid)
        };
        let others: Vec<u32> = self.threads.iter().filter_map(of_process).collect();
        for tid in others {
            if self.threads.contains_key(&thread.tid) {
                self.end_thread(Thread { tid, ..thread }, time_ns);
            } else if let Some(caller) = self.threads.remove(&tid) {
                self.threads.insert(thread.tid, caller);
            }
        }
        self.latest = None;
        self.see(thread, time_ns);
    }

    /// `thread` took a page fault. The kernel accounts it only if it is `complete`: not if the
    /// access was refused.
    pub(crate) fn fault(&mut self, thread: Thread, complete: bool) {
        if !complete {
            self.refused_faults += 1;
        } else if let Some(process) = self.live.get_mut(&thread.pid) {
            process.faults += 1;
        }
    }

    /// `thread` ended.
    pub(crate) fn end_thread(&mut self, thread: Thread, time_ns: u64) {
        self.latest = None;
        if let Some(ended) = self.threads.remove(&thread.tid) {
            let lived_ns = time_ns.saturating_sub(ended.began_ns);
            self.ended_threads_ns = self.ended_threads_ns.saturating_add(lived_ns);
        }
        self.last_end_ns = self.last_end_ns.max(time_ns);
    }

    /// The process of `thread`, its last one, ended.
    pub(crate) fn end_process(&mut self, thread: Thread, time_ns: u64) {
        self.end_thread(thread, time_ns);
        let Some(process) = self.live.remove(&thread.pid) else { return };
        if self.first == Some(thread.pid) {
            self.first_faults = process.faults;
            return;
        }
        let (all, faults) = (process.below + 1, process.below_faults + process.faults);
        if let Some(parent) = process.parent.and_then(|parent| self.live.get_mut(&parent)) {
            parent.below += all;
            parent.below_faults += faults;
        } else {
            // It outlived its parent, which therefore did not wait for it.
            self.orphans += all;
            self.orphan_faults += faults;
        }
    }

    /// The figures at `until_ns`, when observing ended. Processes that still run then have no
    /// account.
    pub(crate) fn summary(&self, until_ns: u64) -> TraceSummary {
        let going = self.live.iter().filter(|&(&pid, _)| self.first != Some(pid));
        let (running, running_faults) = going.fold((0, 0), |(all, faults), (_, process)| {
            (all + process.below + 1, faults + process.below_faults + process.faults)
        });
        let first = self.first.and_then(|first| self.live.get(&first));
        let last_ns = if self.threads.is_empty() { self.last_end_ns } else { until_ns };
        let lived_ns = self.threads.values().map(|live| last_ns.saturating_sub(live.began_ns));
        let threads_ns = lived_ns.fold(self.ended_threads_ns, u64::saturating_add);
        TraceSummary {
            threads: self.began_threads,
            processes: self.began_processes,
            threads_ns,
            own_faults_seen: first.map_or(self.first_faults, |first| first.faults),
            left_processes: self.orphans + running,
            left_faults_seen: self.orphan_faults + running_faults,
            refused_faults: self.refused_faults,
            observed_ns: last_ns.saturating_sub(self.first_ns),
            ..TraceSummary::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thread(tid: u32) -> Thread {
        Thread { pid: tid / 10 * 10, tid }
    }

    #[test]
    fn a_process_that_outlives_its_parent_is_in_no_account() {
        let mut lives = Lifetimes::default();
        lives.see(thread(10), 100);
        lives.start(thread(11), 200, thread(10));
        for child in [20, 30] {
            lives.start(thread(child), 300, thread(10));
            lives.start(thread(child + 100), 300, thread(child));
        }
        for faulting in [10, 11, 20, 120, 120, 30, 130, 130, 130] {
            lives.fault(thread(faulting), true);
        }
        lives.fault(thread(10), false);
        // 120 ends before its parent 20; 130 outlives 30 and the trace.
        lives.end_process(thread(120), 400);
        lives.end_process(thread(20), 500);
        lives.end_process(thread(30), 600);
        lives.end_thread(thread(11), 650);
        lives.end_process(thread(10), 700);
        let summary = lives.summary(1000);
        assert_eq!((summary.processes, summary.threads), (5, 6));
        assert_eq!((summary.own_faults_seen, summary.observed_ns), (2, 900));
        assert_eq!(summary.refused_faults, 1);
        assert_eq!((summary.left_processes, summary.left_faults_seen), (1, 3));
        assert_eq!(summary.threads_ns, 600 + 450 + 200 + 100 + 300 + 700);
        lives.end_process(thread(130), 800);
        assert_eq!((lives.summary(1000).left_processes, lives.summary(1000).observed_ns), (1, 700));
    }

    #[test]
    fn a_thread_that_executes_a_program_goes_on() {
        let mut lives = Lifetimes::default();
        lives.see(thread(10), 100);
        lives.start(thread(11), 200, thread(10));
        lives.start(thread(12), 300, thread(10));
        lives.end_thread(thread(11), 400);
        lives.end_thread(thread(10), 500);
        lives.execute(thread(10), 600);
        lives.start(thread(13), 700, thread(10));
        // The end of 13 was not seen.
        lives.execute(thread(10), 900);
        lives.end_process(thread(10), 1000);
        let summary = lives.summary(1000);
        assert_eq!((summary.processes, summary.threads), (1, 4));
        assert_eq!(summary.threads_ns, 200 + 400 + 700 + 200);
    }

    #[test]
    fn threads_of_a_process_that_runs_already_are_there_from_the_start() {
        let mut lives = Lifetimes::default();
        lives.attach(thread(10), 100);
        lives.see(thread(11), 400);
        let summary = lives.summary(1100);
        assert_eq!((summary.threads, summary.threads_ns, summary.observed_ns), (2, 2000, 1000));
    }
}
