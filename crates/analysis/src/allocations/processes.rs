//! The processes and threads with blocks: which thread is inside which call.

use std::ops::Range;
use std::sync::Arc;

use events::Thread;

use super::blocks::{LiveBlock, end_of};
use super::frames::ImageStacks;
use super::live::LiveBlocks;
use super::number_map::NumberMap;
use super::off_cpu::Presence;
use super::own_mappings::OwnMappings;
use super::owners::PageOwners;
use super::pauses::Pauses;
use super::served::ServedBy;
use super::sites::Payer;
use super::slots::Slots;

/// More calls than this are never nested in a thread; it bounds what a damaged recording can cost.
const NESTED_MAX: usize = 64;

/// A live process.
#[derive(Debug)]
pub(super) struct AllocatingProcess {
    /// Its blocks.
    pub(super) live: LiveBlocks,
    /// What it mapped itself.
    pub(super) mapped: OwnMappings,
    /// Who paid for the pages of its memory.
    pub(super) owners: PageOwners,
    /// The stacks that its image has used.
    pub(super) stacks: Arc<ImageStacks>,
    /// The seats of its threads.
    threads: Vec<u32>,
}

#[derive(Debug)]
struct LiveThread {
    tid: u32,
    began_ns: u64,
    calls: Vec<OpenCall>,
    presence: Presence,
}

/// Where a thread and its process are among the live ones: what is found once for each event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seat {
    pub(super) thread: u32,
    pub(super) process: u32,
}

/// A call that a thread is inside.
#[derive(Debug, Clone, Copy)]
pub(super) struct OpenCall {
    /// Who pays for it: the caller's site, or of a release the block's. `None`: the block was
    /// unknown.
    pub(super) payer: Option<Payer>,
    /// Whether it only gives back.
    pub(super) releases: bool,
    /// Whether it is one of those that map memory.
    pub(super) maps: bool,
    /// When it ends.
    pub(super) end_ns: u64,
    /// Its time, less that of faults on blocks, of returns of memory, and of calls inside it.
    pub(super) left_ns: u64,
    /// The block that it gives out, with its address.
    pub(super) gives: Option<(u64, LiveBlock)>,
    /// How it was served so far.
    pub(super) served: ServedBy,
}

/// All live processes and threads.
#[derive(Debug, Default)]
pub(super) struct AllocatingProcesses {
    live: Slots<AllocatingProcess>,
    live_threads: Slots<LiveThread>,
    by_pid: NumberMap<u32, u32>,
    by_thread: NumberMap<u64, Seat>,
    /// The thread of the last event: many are of the same one as the event before.
    last: Option<(u64, Seat)>,
    /// The processes so far.
    pub(super) processes: u64,
    /// The threads so far.
    pub(super) threads: u64,
    /// The sum of the lifetimes of the threads that ended, without pauses of the recording.
    pub(super) threads_ns: u64,
}

fn key(thread: Thread) -> u64 {
    u64::from(thread.pid) << 32 | u64::from(thread.tid)
}

impl AllocatingProcesses {
    /// The seat of `thread`, which is there at `time_ns`. One that was not known is new, and so may
    /// be its process.
    #[inline]
    pub(super) fn seat(&mut self, thread: Thread, time_ns: u64) -> Seat {
        let key = key(thread);
        match self.last {
            Some((last, seat)) if last == key => seat,
            _ => self.find_seat(key, thread, time_ns),
        }
    }

    fn find_seat(&mut self, key: u64, thread: Thread, time_ns: u64) -> Seat {
        let seat = match self.by_thread.get(&key) {
            Some(&seat) => seat,
            None => self.add_thread(thread, time_ns),
        };
        self.last = Some((key, seat));
        seat
    }

    #[cold]
    fn add_thread(&mut self, thread: Thread, time_ns: u64) -> Seat {
        let process = if let Some(&process) = self.by_pid.get(&thread.pid) {
            process
        } else {
            self.processes += 1;
            let live = LiveBlocks::new(number(self.processes));
            self.add_process(thread.pid, AllocatingProcess::new(live))
        };
        self.threads += 1;
        let (calls, presence) = (Vec::new(), Presence::default());
        let live = LiveThread { tid: thread.tid, began_ns: time_ns, calls, presence };
        let seat = Seat { thread: self.live_threads.add(live), process };
        self.by_thread.insert(key(thread), seat);
        self.process(process).threads.push(seat.thread);
        seat
    }

    fn add_process(&mut self, pid: u32, process: AllocatingProcess) -> u32 {
        let place = self.live.add(process);
        self.by_pid.insert(pid, place);
        place
    }

    /// A process that is live.
    #[inline]
    pub(super) fn process(&mut self, place: u32) -> &mut AllocatingProcess {
        self.live.get_mut(place)
    }

    /// The place of a process, if it is live.
    pub(super) fn place(&self, pid: u32) -> Option<u32> {
        self.by_pid.get(&pid).copied()
    }

    /// A process, if it is live.
    pub(super) fn get(&mut self, pid: u32) -> Option<&mut AllocatingProcess> {
        self.place(pid).map(|place| self.process(place))
    }

    /// The innermost call that the thread at `seat` is inside at `time_ns`.
    #[inline]
    pub(super) fn call(&mut self, seat: Seat, time_ns: u64) -> Option<&mut OpenCall> {
        let calls = &mut self.live_threads.get_mut(seat.thread).calls;
        while calls.last().is_some_and(|call| call.end_ns <= time_ns) {
            calls.pop();
        }
        calls.last_mut()
    }

    /// The thread at `seat` begins `call`. Those of its calls that have ended have been removed.
    #[inline]
    pub(super) fn open(&mut self, seat: Seat, call: OpenCall) {
        let calls = &mut self.live_threads.get_mut(seat.thread).calls;
        if calls.len() < NESTED_MAX {
            calls.push(call);
        }
    }

    /// The seat of `thread`, if it is known.
    pub(super) fn known_seat(&self, thread: Thread) -> Option<Seat> {
        self.by_thread.get(&key(thread)).copied()
    }

    /// What the thread at `seat` is inside beside calls.
    #[inline]
    pub(super) fn presence(&mut self, seat: Seat) -> &mut Presence {
        &mut self.live_threads.get_mut(seat.thread).presence
    }

    /// The process of `by` forked the one of `child`.
    pub(super) fn fork(&mut self, child: Thread, by: Thread, time_ns: u64) {
        let parent = self.seat(by, time_ns).process;
        self.processes += 1;
        let number = number(self.processes);
        let parent = self.process(parent);
        let process = AllocatingProcess {
            stacks: Arc::clone(&parent.stacks),
            mapped: parent.mapped.fork(),
            owners: parent.owners.fork(),
            ..AllocatingProcess::new(parent.live.fork(number))
        };
        self.add_process(child.pid, process);
        self.seat(child, time_ns);
    }

    /// The process of `thread` executed a program; its other threads are gone. The one that called
    /// execve(2) has the number of the process from now on.
    pub(super) fn execute(&mut self, thread: Thread, time_ns: u64, pauses: &Pauses) {
        let seat = self.seat(thread, time_ns);
        let threads = std::mem::take(&mut self.process(seat.process).threads);
        for other in threads.into_iter().filter(|&other| other != seat.thread) {
            self.remove_thread(thread.pid, other, time_ns, pauses);
        }
        let process = self.process(seat.process);
        process.threads.push(seat.thread);
        process.stacks = Arc::default();
        process.mapped = OwnMappings::default();
        process.owners = PageOwners::default();
        self.live_threads.get_mut(seat.thread).calls.clear();
    }

    /// Another file is mapped in `ranges` of a process than before, or none. If its stacks have
    /// code there, they are resolved anew.
    pub(super) fn change_files(&mut self, pid: u32, ranges: &[Range<u64>]) {
        if let Some(process) = self.get(pid).filter(|process| process.stacks.reach_into(ranges)) {
            process.stacks = Arc::default();
        }
    }

    /// `thread` ended.
    pub(super) fn end_thread(&mut self, thread: Thread, time_ns: u64, pauses: &Pauses) {
        if let Some(&seat) = self.by_thread.get(&key(thread)) {
            self.process(seat.process).threads.retain(|&own| own != seat.thread);
            self.remove_thread(thread.pid, seat.thread, time_ns, pauses);
        }
    }

    fn remove_thread(&mut self, pid: u32, place: u32, time_ns: u64, pauses: &Pauses) {
        let Some(LiveThread { tid, began_ns, .. }) = self.live_threads.remove(place) else {
            return;
        };
        self.by_thread.remove(&key(Thread { pid, tid }));
        self.last = None;
        let lived_ns = pauses.recorded_ns(began_ns, time_ns);
        self.threads_ns = self.threads_ns.saturating_add(lived_ns);
    }

    /// Removes a process that ended at `time_ns`, with the threads whose ends were not seen. Its
    /// blocks have been forgotten, so nothing else refers to its place.
    pub(super) fn remove(&mut self, pid: u32, time_ns: u64, pauses: &Pauses) {
        let Some(place) = self.by_pid.remove(&pid) else { return };
        let threads = self.live.remove(place).map(|process| process.threads).unwrap_or_default();
        for thread in threads {
            self.remove_thread(pid, thread, time_ns, pauses);
        }
    }

    /// The numbers of the live processes, ascending.
    pub(super) fn pids(&self) -> Vec<u32> {
        let mut pids: Vec<u32> = self.by_pid.keys().copied().collect();
        pids.sort_unstable();
        pids
    }
}

impl AllocatingProcess {
    fn new(live: LiveBlocks) -> AllocatingProcess {
        AllocatingProcess {
            live,
            mapped: OwnMappings::default(),
            owners: PageOwners::default(),
            stacks: Arc::default(),
            threads: Vec::new(),
        }
    }
}

impl OpenCall {
    /// Takes up to `ns` out of its time, which belongs to something else. Returns how much.
    pub(super) fn interrupt(&mut self, ns: u64) -> u64 {
        let taken = ns.min(self.left_ns);
        self.left_ns -= taken;
        taken
    }
}

/// The block that a fault at `address` belongs to, with its address: the one that `call` gives out,
/// if that has the address or is the nearest above it on the page, or else the live block.
pub(super) fn faulting_block(
    address: u64,
    page_end: u64,
    on_block: Option<(u64, LiveBlock)>,
    call: Option<&OpenCall>,
) -> Option<(u64, LiveBlock)> {
    let given = call.and_then(|call| call.gives).filter(|(start, block)| {
        let contains = (*start..end_of(*start, block.size_bytes)).contains(&address);
        let above =
            (address..page_end).contains(start) && on_block.is_none_or(|(live, _)| live >= *start);
        contains || above
    });
    given.or(on_block)
}

fn number(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
