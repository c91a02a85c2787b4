//! What each process and each thread does: its calls, faults and syscalls.

mod kept;
mod tally;

use events::{Event, Name, Thread};

use kept::Kept;
pub use kept::Others;
pub use tally::{ProcessTally, ThreadTally, ThreadWork};

use super::number_map::NumberMap;
use super::processes::Seat;

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

/// Those of the live processes and threads, by their seats, and those that ended.
#[derive(Debug, Default)]
pub(super) struct Tallies {
    threads: Vec<Option<SeatedThread>>,
    processes: Vec<Option<ProcessTally>>,
    /// The places of the live threads by their numbers.
    by_tid: NumberMap<u32, usize>,
    ended_threads: Kept<ThreadTally>,
    ended_processes: Kept<ProcessTally>,
}

#[derive(Debug)]
struct SeatedThread {
    /// The place of its process.
    process: usize,
    tally: ThreadTally,
}

impl Tallies {
    /// The tally of the thread of `event`, which has this seat.
    #[inline]
    pub(super) fn of(&mut self, seat: Seat, event: &Event) -> &mut ThreadWork {
        let place = seat.thread as usize;
        match self.threads.get(place) {
            Some(Some(known)) if known.tally.thread == event.thread => {}
            _ => self.begin_thread(seat, event.thread, event.time_ns),
        }
        &mut self.threads[place].as_mut().expect("it has begun").tally.tally
    }

    /// The process at `place` had so many live bytes of all `before`, and has so many more or less
    /// `after`.
    #[inline]
    pub(super) fn live(&mut self, place: u32, before: u64, after: u64) {
        let Some(Some(process)) = self.processes.get_mut(place as usize) else { return };
        process.live_bytes = (process.live_bytes.saturating_add(after)).saturating_sub(before);
        if process.live_bytes > process.peak_live_bytes {
            process.peak_live_bytes = process.live_bytes;
        }
    }

    #[cold]
    fn begin_thread(&mut self, seat: Seat, thread: Thread, time_ns: u64) {
        let (place, process) = (seat.thread as usize, seat.process as usize);
        self.end_at(place, time_ns);
        // The number may be that of another process's thread whose end was not seen.
        if let Some(&other) = self.by_tid.get(&thread.tid) {
            self.end_at(other, time_ns);
        }
        let of_process = at(&mut self.processes, process);
        of_process.get_or_insert_with(|| ProcessTally::new(thread.pid, time_ns)).threads += 1;
        let tally = ThreadTally::new(thread, time_ns);
        *at(&mut self.threads, place) = Some(SeatedThread { process, tally });
        self.by_tid.insert(thread.tid, place);
    }

    /// The thread of `event` begins: of a new process if `by` is of another one, which is at the
    /// place `parent`.
    pub(super) fn begin(&mut self, (seat, event): (Seat, &Event), by: Thread, parent: Option<u32>) {
        self.of(seat, event);
        if event.thread.pid != by.pid {
            let parent = parent.and_then(|place| self.processes.get(place as usize)?.as_ref());
            let name = parent.map_or(Name::NONE, |parent| parent.name);
            if let Some(Some(child)) = self.processes.get_mut(seat.process as usize) {
                (child.parent, child.name) = (Some(by.pid), name);
            }
        }
    }

    /// The process executes a program of this name; its blocks and its other threads are gone.
    pub(super) fn execute(&mut self, (seat, event): (Seat, &Event), name: Name) {
        self.of(seat, event);
        if let Some(Some(process)) = self.processes.get_mut(seat.process as usize) {
            (process.name, process.live_bytes) = (name, 0);
        }
        self.end_threads(seat.process as usize, Some(seat.thread as usize), event.time_ns);
    }

    /// A thread ends.
    pub(super) fn end_thread(&mut self, thread: Thread, time_ns: u64) {
        let Some(&place) = self.by_tid.get(&thread.tid) else { return };
        if self.threads[place].as_ref().is_some_and(|known| known.tally.thread == thread) {
            self.end_at(place, time_ns);
        }
    }

    /// The process at `place` ends, which had at most so many resident bytes.
    pub(super) fn end_process(&mut self, place: u32, peak_resident_bytes: u64, time_ns: u64) {
        let place = place as usize;
        self.end_threads(place, None, time_ns);
        if let Some(process) = self.processes.get_mut(place).and_then(Option::take) {
            let ended = ProcessTally { ended_ns: time_ns, peak_resident_bytes, ..process };
            self.ended_processes.add(ended);
        }
    }

    /// The threads of a process end but for the one at the place `but`.
    fn end_threads(&mut self, process: usize, but: Option<usize>, time_ns: u64) {
        for place in (0..self.threads.len()).filter(|&place| Some(place) != but) {
            if self.threads[place].as_ref().is_some_and(|thread| thread.process == process) {
                self.end_at(place, time_ns);
            }
        }
    }

    fn end_at(&mut self, place: usize, time_ns: u64) {
        let Some(SeatedThread { process, tally }) =
            self.threads.get_mut(place).and_then(Option::take)
        else {
            return;
        };
        self.by_tid.remove(&tally.thread.tid);
        if let Some(Some(process)) = self.processes.get_mut(process) {
            process.tally.add_all(&tally.tally);
        }
        self.ended_threads.add(ThreadTally { ended_ns: time_ns, ..tally });
    }

    /// All of them, at the end of the stream, where every process has ended.
    pub(super) fn finish(self) -> TalliedProcesses {
        let (mut processes, other_processes) = self.ended_processes.finish();
        let (mut threads, other_threads) = self.ended_threads.finish();
        processes.sort_by_key(|process| (process.began_ns, process.pid));
        threads.sort_by_key(|thread| (thread.began_ns, thread.thread));
        TalliedProcesses { processes, other_processes, threads, other_threads }
    }
}

/// What is at a place, which is made if it was never used.
fn at<T>(values: &mut Vec<Option<T>>, place: usize) -> &mut Option<T> {
    if values.len() <= place {
        values.resize_with(place + 1, || None);
    }
    &mut values[place]
}

#[cfg(test)]
mod tests;
