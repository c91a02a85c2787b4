//! The live processes and their address spaces.

use std::collections::{HashMap, HashSet};

use events::{Ending, Header, Thread};

use super::attribution::LifeChange;
use super::pages::CHUNK_PAGES;
use super::sharing::{Copies, Sharers};
use super::sizes::MappingPeaks;
use super::{AddressSpace, KernelRules, MappingAccount};

/// All live processes.
#[derive(Debug)]
pub(crate) struct Processes {
    header: Header,
    rules: KernelRules,
    by_pid: HashMap<u32, Process>,
    /// The first process that began, or that was there.
    first: Option<u32>,
    /// The peaks of what mappings took.
    peaks: MappingPeaks,
    /// The forks so far, which number what processes share.
    forks: u64,
    /// The last copies of shared pages.
    copies: Copies,
}

#[derive(Debug)]
struct Process {
    space: AddressSpace,
    /// The parent, until the process executes a program.
    parent: Option<u32>,
    threads: HashSet<u32>,
    ending: Ending,
    attached: bool,
}

impl Processes {
    /// No processes.
    pub(crate) fn new(header: Header) -> Processes {
        Processes {
            header,
            rules: KernelRules::default(),
            by_pid: HashMap::new(),
            first: None,
            peaks: MappingPeaks::default(),
            forks: 0,
            copies: Copies::default(),
        }
    }

    /// No processes, of a kernel with these rules.
    pub(crate) fn with_rules(self, rules: KernelRules) -> Processes {
        Processes { rules, ..self }
    }

    /// The address space of a process; empty for an unknown process.
    pub(crate) fn space(&mut self, pid: u32) -> &mut AddressSpace {
        let (header, rules) = (self.header, self.rules);
        &mut self
            .by_pid
            .entry(pid)
            .or_insert_with(|| Process::new(pid, AddressSpace::of(header, rules)))
            .space
    }

    /// The pages of private memory of a process. A child that has copied none of its parent's may
    /// use the parent's memory (vfork(2)), and has none of its own.
    pub(crate) fn private_pages(&self, pid: u32) -> u64 {
        let process = self.by_pid.get(&pid);
        let own = process.filter(|process| process.parent.is_none() || process.space.has_copied());
        own.map_or(0, |process| process.space.private_pages())
    }

    /// What process `pid` has called by `time_ns` has its effects, if it is live.
    pub(crate) fn settle(&mut self, pid: u32, time_ns: u64) {
        if let Some(process) = self.by_pid.get_mut(&pid) {
            process.space.settle(time_ns);
        }
    }

    /// Who else has the page at `address` of process `pid`, at `time_ns`.
    pub(crate) fn sharers(&self, pid: u32, address: u64, time_ns: u64) -> Sharers {
        let mut sharers = Sharers::default();
        let Some(process) = self.by_pid.get(&pid) else { return sharers };
        let space = &process.space;
        let Some(region) = space.at(address).filter(|_| !space.layers.is_empty()) else {
            return sharers;
        };
        let page = space.page_of(&region, address);
        let first = page - page % CHUNK_PAGES;
        for (_, other) in self.by_pid.iter().filter(|(other, _)| **other != pid) {
            let chunk = first..first + CHUNK_PAGES;
            space.layers.compare(&other.space.layers, page, &chunk, &mut sharers);
            if sharers.page {
                return sharers;
            }
        }
        sharers.perhaps |= self.copies.is_under_way(pid, page, time_ns);
        sharers
    }

    /// Process `pid`, which shared the page at `address`, has its own copy at `end_ns`.
    pub(crate) fn note_copy(&mut self, pid: u32, address: u64, end_ns: u64) {
        let space = self.space(pid);
        if let Some(region) = space.at(address) {
            let page = space.page_of(&region, address);
            self.copies.add(pid, page, end_ns);
        }
    }

    /// `thread` began at `time_ns`.
    pub(crate) fn start(&mut self, thread: Thread, by: Thread, time_ns: u64) -> LifeChange {
        if thread.pid == by.pid {
            self.space(thread.pid);
            self.by_pid.entry(thread.pid).and_modify(|process| {
                process.threads.insert(thread.tid);
            });
            return LifeChange::ThreadStarted { by: by.tid };
        }
        self.forks += 1;
        let none = AddressSpace::new(self.header);
        let mut space = std::mem::replace(self.space(by.pid), none);
        let others = || self.by_pid.iter().filter(|(pid, _)| **pid != by.pid);
        let child = space.fork(time_ns, self.forks, |layer| {
            others().any(|(_, process)| process.space.layers.has_layer(layer))
        });
        *self.space(by.pid) = space;
        let child = Process::new(thread.tid, child);
        self.by_pid.insert(thread.pid, Process { parent: Some(by.pid), ..child });
        LifeChange::Started { by: by.pid }
    }

    /// The process of `thread` executed another program; its other threads are gone.
    pub(crate) fn execute(&mut self, thread: Thread) {
        if let Some(process) = self.by_pid.get(&thread.pid) {
            self.peaks.take(&process.space, self.first == Some(thread.pid));
        }
        self.give_back(thread.pid);
        self.space(thread.pid).execute();
        self.by_pid
            .entry(thread.pid)
            .and_modify(|process| process.threads = HashSet::from([thread.pid]));
    }

    /// Gives the changes of a vfork(2) child back to its parent, whose memory it used. The parent
    /// waited, so with a single thread nothing else has changed.
    fn give_back(&mut self, pid: u32) {
        // Without faults it is unknown whether the child has copied pages.
        if !self.header.sees.faults {
            return;
        }
        let Some(child) = self.by_pid.get_mut(&pid) else { return };
        let Some(parent) = child.parent.take() else { return };
        let space = child.space.clone();
        let Some(parent) = self.by_pid.get_mut(&parent) else { return };
        let waited = parent.threads.len() == 1;
        parent.space.end_fork(&space, waited);
        if waited && !space.has_copied() {
            parent.space.take_back(&space);
        }
    }

    /// Records a thread that existed before the trace. Returns whether its process is new.
    pub(crate) fn attach(&mut self, thread: Thread) -> bool {
        if let Some(process) = self.by_pid.get_mut(&thread.pid).filter(|process| process.attached) {
            process.threads.insert(thread.tid);
            return false;
        }
        let mut process = Process::new(thread.tid, AddressSpace::of(self.header, self.rules));
        process.space.attach();
        process.attached = true;
        // One that could not be stopped may have started threads just before.
        if let Some(known) = self.by_pid.remove(&thread.pid) {
            process.threads.extend(known.threads.into_iter().filter(|&tid| tid != thread.pid));
        }
        self.by_pid.insert(thread.pid, process);
        true
    }

    /// Whether the process ends with `thread`, if that ends in this way.
    pub(crate) fn is_last(&self, thread: Thread, ending: Ending) -> bool {
        let is_first = thread.tid == thread.pid;
        let Some(process) = self.by_pid.get(&thread.pid) else { return is_first };
        let is_alone = process.threads.iter().all(|&tid| tid == thread.tid);
        // The first thread has the status of the process, which is known once all others are gone.
        is_alone || (is_first && ending != Ending::Unknown)
    }

    /// Records the end of `thread`, and of its process if no thread is left or its ending is known.
    pub(crate) fn end(&mut self, thread: Thread, ending: Ending) -> LifeChange {
        let is_last = self.is_last(thread, ending);
        let Some(process) = self.by_pid.get_mut(&thread.pid) else {
            return if is_last { LifeChange::Over(ending) } else { LifeChange::ThreadEnded };
        };
        process.threads.remove(&thread.tid);
        if ending != Ending::Unknown {
            process.ending = ending;
        }
        if is_last {
            let (ending, parent) = (process.ending, process.parent);
            let gone = self.by_pid.remove(&thread.pid);
            if let Some(gone) = &gone {
                self.peaks.take(&gone.space, self.first == Some(thread.pid));
            }
            let parent = parent.and_then(|parent| self.by_pid.get_mut(&parent));
            if let Some((child, parent)) = gone.zip(parent) {
                let waited = parent.threads.len() == 1;
                parent.space.end_fork(&child.space, waited);
            }
            return LifeChange::Over(ending);
        }
        LifeChange::ThreadEnded
    }

    /// Notes that this process has begun, or was there.
    pub(crate) fn note_first(&mut self, pid: u32) {
        self.first.get_or_insert(pid);
    }

    /// What mappings took until now, at the end of the stream.
    pub(crate) fn finish(mut self) -> MappingAccount {
        let mut left: Vec<(u32, Process)> = self.by_pid.drain().collect();
        left.sort_unstable_by_key(|(pid, _)| *pid);
        for (pid, process) in &left {
            self.peaks.take(&process.space, self.first == Some(*pid));
        }
        self.peaks.finish()
    }
}

impl Process {
    fn new(tid: u32, space: AddressSpace) -> Process {
        Process {
            space,
            parent: None,
            threads: HashSet::from([tid]),
            ending: Ending::Unknown,
            attached: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use events::{Clock, Sees, ThpPolicy};

    const fn thread(pid: u32, tid: u32) -> Thread {
        Thread { pid, tid }
    }

    fn none() -> Processes {
        Processes::new(Header {
            clock: Clock::Monotonic,
            began_ns: 0,
            page_bytes: 4096,
            huge_pages: ThpPolicy::Never,
            can_swap: false,
            sees: Sees::default(),
        })
    }

    #[test]
    fn a_process_ends_with_its_last_thread() {
        let mut processes = none();
        assert_eq!(processes.start(thread(7, 7), thread(1, 1), 0), LifeChange::Started { by: 1 });
        assert_eq!(
            processes.start(thread(7, 8), thread(7, 7), 0),
            LifeChange::ThreadStarted { by: 7 }
        );
        assert_eq!(processes.end(thread(7, 7), Ending::Unknown), LifeChange::ThreadEnded);
        assert_eq!(
            processes.end(thread(7, 8), Ending::Exited(3)),
            LifeChange::Over(Ending::Exited(3))
        );
        assert!(!processes.by_pid.contains_key(&7));
        assert_eq!(
            processes.end(thread(7, 8), Ending::Unknown),
            LifeChange::ThreadEnded,
            "arrived late"
        );
    }

    #[test]
    fn a_known_ending_of_the_first_thread_ends_the_process() {
        let mut processes = none();
        processes.start(thread(7, 8), thread(7, 7), 0);
        assert_eq!(
            processes.end(thread(7, 7), Ending::Killed(9)),
            LifeChange::Over(Ending::Killed(9))
        );
    }

    #[test]
    fn a_process_is_attached_once() {
        let mut processes = none();
        assert!(processes.attach(thread(7, 7)) && !processes.attach(thread(7, 8)));
        assert_eq!(processes.end(thread(7, 7), Ending::Unknown), LifeChange::ThreadEnded);
        processes.execute(thread(7, 8));
        assert_eq!(processes.end(thread(7, 7), Ending::Unknown), LifeChange::Over(Ending::Unknown));
    }
}
