//! What each process and each thread does: its calls, faults and syscalls.

mod kept;
mod tally;

use events::{Event, Name, Thread};

use kept::Kept;
pub use kept::Others;
pub use tally::{ProcessTally, ThreadTally, ThreadWork};

use super::number_map::NumberMap;

/// The processes and threads of a stream: the costliest ones, and all others as sums.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TalliedProcesses {
    /// Processes, in the order of their beginnings.
    pub processes: Vec<ProcessTally>,
    /// The others.
    pub other_processes: Others,
    /// Threads, in the order of their beginnings.
    pub threads: Vec<ThreadTally>,
    /// The others.
    pub other_threads: Others,
}

/// The live processes and threads, by the places of their tallies.
#[derive(Debug, Default)]
pub(super) struct Tallies {
    threads: Vec<ThreadTally>,
    processes: Vec<ProcessTally>,
    /// Places that are free again.
    free_threads: Vec<usize>,
    free_processes: Vec<usize>,
    by_tid: NumberMap<u32, usize>,
    by_pid: NumberMap<u32, usize>,
    /// The thread of the last event: most are of the same one as the event before.
    last: Option<Places>,
    ended_threads: Kept<ThreadTally>,
    ended_processes: Kept<ProcessTally>,
}

/// A thread, and where its tally and that of its process are.
#[derive(Debug, Clone, Copy)]
struct Places {
    of: Thread,
    thread: usize,
    process: usize,
}

impl Tallies {
    /// The tally of the thread of `event`.
    #[inline]
    pub(super) fn of(&mut self, event: &Event) -> &mut ThreadWork {
        let place = match self.last {
            Some(last) if last.of == event.thread => last.thread,
            _ => self.find(event.thread, event.time_ns).thread,
        };
        &mut self.threads[place].tally
    }

    /// Process `pid` had so many live bytes before, and has so many more or less after.
    #[inline]
    pub(super) fn live(&mut self, pid: u32, before: u64, after: u64) {
        let place = match self.last {
            Some(last) if last.of.pid == pid => last.process,
            _ => match self.by_pid.get(&pid) {
                Some(&place) => place,
                None => return,
            },
        };
        let process = &mut self.processes[place];
        process.live_bytes = (process.live_bytes.saturating_add(after)).saturating_sub(before);
        if process.live_bytes > process.peak_live_bytes {
            process.peak_live_bytes = process.live_bytes;
        }
    }

    /// The places of a thread, which is new at `time_ns` if it has none.
    fn find(&mut self, of: Thread, time_ns: u64) -> Places {
        let process = match self.by_pid.get(&of.pid) {
            Some(&place) => place,
            None => self.begin_process(of.pid, time_ns),
        };
        let thread = match self.by_tid.get(&of.tid) {
            Some(&place) if self.threads[place].thread == of => place,
            other => {
                // The number is that of another process's thread whose end was not seen.
                if let Some(&place) = other {
                    self.end_at(place, time_ns);
                }
                self.processes[process].threads += 1;
                let tally = ThreadTally::new(of, time_ns);
                let place = put(&mut self.threads, &mut self.free_threads, tally);
                self.by_tid.insert(of.tid, place);
                place
            }
        };
        let places = Places { of, thread, process };
        self.last = Some(places);
        places
    }

    fn begin_process(&mut self, pid: u32, time_ns: u64) -> usize {
        let tally = ProcessTally::new(pid, time_ns);
        let place = put(&mut self.processes, &mut self.free_processes, tally);
        self.by_pid.insert(pid, place);
        place
    }

    /// A thread begins at `time_ns`: of a new process if `by` is of another one.
    pub(super) fn begin(&mut self, thread: Thread, by: Thread, time_ns: u64) {
        let process = self.find(thread, time_ns).process;
        if thread.pid != by.pid {
            let name = self.by_pid.get(&by.pid).map(|&parent| self.processes[parent].name);
            let child = &mut self.processes[process];
            (child.parent, child.name) = (Some(by.pid), name.unwrap_or(Name::NONE));
        }
    }

    /// The process executes a program of this name; its other threads are gone.
    pub(super) fn execute(&mut self, thread: Thread, name: Name, time_ns: u64) {
        let Places { process, thread: own, .. } = self.find(thread, time_ns);
        self.processes[process].name = name;
        self.end_threads(thread.pid, Some(own), time_ns);
    }

    /// A thread ends.
    pub(super) fn end_thread(&mut self, thread: Thread, time_ns: u64) {
        let place = self.by_tid.get(&thread.tid).copied();
        if let Some(place) = place.filter(|&place| self.threads[place].thread == thread) {
            self.end_at(place, time_ns);
        }
    }

    /// A process ends, which had at most so many resident bytes.
    pub(super) fn end_process(&mut self, pid: u32, peak_resident_bytes: u64, time_ns: u64) {
        self.end_threads(pid, None, time_ns);
        let Some(place) = self.by_pid.remove(&pid) else { return };
        self.last = None;
        self.free_processes.push(place);
        let ended = ProcessTally {
            ended_ns: time_ns,
            peak_resident_bytes,
            ..std::mem::take(&mut self.processes[place])
        };
        self.ended_processes.add(ended);
    }

    /// The threads of a process end but for the one at the place `but`.
    fn end_threads(&mut self, pid: u32, but: Option<usize>, time_ns: u64) {
        let is_other = |(_, place): &(&u32, &usize)| {
            self.threads[**place].thread.pid == pid && Some(**place) != but
        };
        let mut others: Vec<usize> =
            self.by_tid.iter().filter(is_other).map(|(_, &place)| place).collect();
        others.sort_unstable();
        for place in others {
            self.end_at(place, time_ns);
        }
    }

    fn end_at(&mut self, place: usize, time_ns: u64) {
        let ended = ThreadTally { ended_ns: time_ns, ..std::mem::take(&mut self.threads[place]) };
        self.by_tid.remove(&ended.thread.tid);
        self.last = None;
        self.free_threads.push(place);
        if let Some(&process) = self.by_pid.get(&ended.thread.pid) {
            self.processes[process].tally.add_all(&ended.tally);
        }
        self.ended_threads.add(ended);
    }

    /// All of them, at the end of the stream.
    pub(super) fn finish(mut self, ended_ns: u64) -> TalliedProcesses {
        let mut left: Vec<u32> = self.by_pid.keys().copied().collect();
        left.sort_unstable();
        for pid in left {
            self.end_process(pid, 0, ended_ns);
        }
        let (mut processes, other_processes) = self.ended_processes.finish();
        let (mut threads, other_threads) = self.ended_threads.finish();
        processes.sort_by_key(|process| (process.began_ns, process.pid));
        threads.sort_by_key(|thread| (thread.began_ns, thread.thread));
        TalliedProcesses { processes, other_processes, threads, other_threads }
    }
}

/// Puts `value` at a free place, which it returns.
fn put<T>(values: &mut Vec<T>, free: &mut Vec<usize>, value: T) -> usize {
    if let Some(place) = free.pop() {
        values[place] = value;
        return place;
    }
    values.push(value);
    values.len() - 1
}

#[cfg(test)]
mod tests;
