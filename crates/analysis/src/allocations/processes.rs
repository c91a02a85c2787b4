//! The processes and threads with blocks: which thread is inside which call.

use std::ops::Range;
use std::sync::Arc;

use events::Thread;

use super::blocks::end_of;
use super::frames::ImageStacks;
use super::live::LiveBlocks;
use super::number_map::NumberMap;
use super::pauses::Pauses;
use super::sites::Payer;

/// More calls than this are never nested in a thread; it bounds what a damaged recording can cost.
const NESTED_MAX: usize = 64;

/// A live process.
#[derive(Debug)]
pub(super) struct AllocatingProcess {
    /// Its blocks.
    pub(super) live: LiveBlocks,
    /// The stacks that its image has used.
    pub(super) stacks: Arc<ImageStacks>,
    threads: NumberMap<u32, LiveThread>,
}

#[derive(Debug)]
struct LiveThread {
    began_ns: u64,
    calls: Vec<OpenCall>,
}

/// A call that a thread is inside.
#[derive(Debug, Clone, Copy)]
pub(super) struct OpenCall {
    /// Who pays for it: the caller's site, or of a release the block's. `None`: the block was
    /// unknown.
    pub(super) payer: Option<Payer>,
    /// Whether it only gives back.
    pub(super) releases: bool,
    /// When it ends.
    pub(super) end_ns: u64,
    /// Its time, less that of faults on blocks and of calls inside it.
    pub(super) left_ns: u64,
    /// The address of the block that it gives out, whose size is the payer's.
    pub(super) gives: Option<u64>,
}

/// All live processes.
#[derive(Debug, Default)]
pub(super) struct AllocatingProcesses {
    by_pid: NumberMap<u32, AllocatingProcess>,
    /// The processes so far.
    pub(super) processes: u64,
    /// The threads so far.
    pub(super) threads: u64,
    /// The sum of the lifetimes of the threads that ended, without pauses of the recording.
    pub(super) threads_ns: u64,
}

impl AllocatingProcesses {
    /// The process of `thread`, which is there at `time_ns`. One that was not known is new.
    pub(super) fn see(&mut self, thread: Thread, time_ns: u64) -> &mut AllocatingProcess {
        let count = &mut self.processes;
        let process = self.by_pid.entry(thread.pid).or_insert_with(|| {
            *count += 1;
            AllocatingProcess::new(LiveBlocks::new(number(*count)))
        });
        process.threads.entry(thread.tid).or_insert_with(|| {
            self.threads += 1;
            LiveThread { began_ns: time_ns, calls: Vec::new() }
        });
        process
    }

    /// A process, if it is live.
    pub(super) fn get(&mut self, pid: u32) -> Option<&mut AllocatingProcess> {
        self.by_pid.get_mut(&pid)
    }

    /// The process of `by` forked the one of `child`.
    pub(super) fn fork(&mut self, child: Thread, by: Thread, time_ns: u64) {
        self.see(by, time_ns);
        self.processes += 1;
        let Some(parent) = self.by_pid.get(&by.pid) else { return };
        let process = AllocatingProcess {
            stacks: Arc::clone(&parent.stacks),
            ..AllocatingProcess::new(parent.live.fork(number(self.processes)))
        };
        self.by_pid.insert(child.pid, process);
        self.see(child, time_ns);
    }

    /// The process of `thread` executed a program; its other threads are gone. The one that called
    /// execve(2) has the number of the process from now on.
    pub(super) fn execute(&mut self, thread: Thread, time_ns: u64, pauses: &Pauses) {
        let others = self.see(thread, time_ns).threads.extract_if(|tid, _| *tid != thread.tid);
        let lived_ns = others
            .map(|(_, other)| pauses.recorded_ns(other.began_ns, time_ns))
            .fold(0, u64::saturating_add);
        self.threads_ns = self.threads_ns.saturating_add(lived_ns);
        let process = self.see(thread, time_ns);
        process.stacks = Arc::default();
        process.threads.values_mut().for_each(|thread| thread.calls.clear());
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
        let process = self.by_pid.get_mut(&thread.pid);
        if let Some(ended) = process.and_then(|process| process.threads.remove(&thread.tid)) {
            let lived_ns = pauses.recorded_ns(ended.began_ns, time_ns);
            self.threads_ns = self.threads_ns.saturating_add(lived_ns);
        }
    }

    /// Removes a process that ended at `time_ns`, with the threads whose ends were not seen.
    pub(super) fn remove(&mut self, pid: u32, time_ns: u64, pauses: &Pauses) {
        let Some(process) = self.by_pid.remove(&pid) else { return };
        for thread in process.threads.values() {
            let lived_ns = pauses.recorded_ns(thread.began_ns, time_ns);
            self.threads_ns = self.threads_ns.saturating_add(lived_ns);
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
        AllocatingProcess { live, stacks: Arc::default(), threads: NumberMap::default() }
    }

    /// The innermost call that thread `tid` is inside at `time_ns`.
    pub(super) fn call(&mut self, tid: u32, time_ns: u64) -> Option<&mut OpenCall> {
        let calls = &mut self.threads.get_mut(&tid)?.calls;
        while calls.last().is_some_and(|call| call.end_ns <= time_ns) {
            calls.pop();
        }
        calls.last_mut()
    }

    /// Thread `tid` begins `call`. Those of its calls that have ended have been removed.
    pub(super) fn open(&mut self, tid: u32, call: OpenCall) {
        if let Some(thread) = self.threads.get_mut(&tid)
            && thread.calls.len() < NESTED_MAX
        {
            thread.calls.push(call);
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

/// The address of the block that a fault at `address` belongs to, and who pays for it: the block
/// that `call` gives out, if that has the address or is the nearest above it on the page, or else
/// the live block.
pub(super) fn payer(
    address: u64,
    page_end: u64,
    on_block: Option<(u64, Payer)>,
    call: Option<&OpenCall>,
) -> Option<(u64, Payer)> {
    let given = call.and_then(|call| call.gives.zip(call.payer)).filter(|(start, payer)| {
        let contains = (*start..end_of(*start, payer.size_bytes)).contains(&address);
        let above =
            (address..page_end).contains(start) && on_block.is_none_or(|(live, _)| live >= *start);
        contains || above
    });
    given.or(on_block)
}

fn number(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
