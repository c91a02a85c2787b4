//! Random streams against a model that searches vectors.

use std::collections::BTreeMap;
use std::num::NonZeroU64;

use analysis::allocations::{FaultSums, Site, TimedCalls};
use events::{Allocation, AllocationFunction, Thread};
use proptest::prelude::*;

use crate::acts::{Act, BASE, Step, act, address_of};
use crate::script::{PAGE, Script, Sites, fault, first, free};

#[derive(Debug, Clone, Copy)]
struct Block {
    at: u64,
    bytes: u64,
    site: u64,
    own: bool,
}

impl Block {
    fn end(&self) -> u64 {
        self.at + self.bytes.max(1)
    }
}

#[derive(Debug, Clone)]
struct Call {
    tid: u32,
    site: Option<u64>,
    releases: bool,
    end_ns: u64,
    left_ns: u64,
    gives: Option<Block>,
}

#[derive(Debug, Clone, Default)]
struct Process {
    blocks: Vec<Block>,
    calls: Vec<Call>,
}

/// Everything that the ledger says, computed by searching.
#[derive(Debug, Default)]
struct Model {
    processes: BTreeMap<u32, Process>,
    pending: Vec<(u64, u32, Block)>,
    sites: BTreeMap<u64, Site>,
    at_peak: BTreeMap<u64, u64>,
    peak_bytes: u64,
    unowned: TimedCalls,
    rest: FaultSums,
    unknown: u64,
    lost: u64,
}

fn add_call(times: &mut TimedCalls, latency_ns: u64) {
    times.calls += 1;
    times.timed += u64::from(latency_ns > 0);
    times.timed_ns += latency_ns;
}

fn add_fault(sums: &mut FaultSums, major: bool, latency_ns: u64) {
    if major {
        sums.major += 1;
    } else {
        sums.minor += 1;
    }
    sums.ns += latency_ns;
    sums.untimed += u64::from(latency_ns == 0);
}

impl Model {
    fn process(&mut self, pid: u32) -> &mut Process {
        self.processes.entry(pid).or_default()
    }

    fn site(&mut self, site: u64) -> &mut Site {
        self.sites.entry(site).or_default()
    }

    /// The live bytes of each site.
    fn live(&self) -> BTreeMap<u64, u64> {
        let mut live = BTreeMap::new();
        for block in self.processes.values().flat_map(|process| &process.blocks) {
            if block.own {
                *live.entry(block.site).or_default() += block.bytes;
            }
        }
        live
    }

    fn note_peaks(&mut self) {
        let live = self.live();
        for (&site, &bytes) in &live {
            let site = self.site(site);
            site.peak_bytes = site.peak_bytes.max(bytes);
        }
        let all = live.values().sum();
        if all > self.peak_bytes {
            (self.peak_bytes, self.at_peak) = (all, live);
        }
    }

    fn put(&mut self, pid: u32, block: Block) {
        let Some(process) = self.processes.get_mut(&pid) else { return };
        let before = process.blocks.len();
        process.blocks.retain(|old| old.end() <= block.at || block.end() <= old.at);
        self.lost += (before - process.blocks.len()) as u64;
        process.blocks.push(block);
        self.note_peaks();
    }

    fn settle(&mut self, time_ns: u64) {
        // Of calls with the same end, the first to begin is the first to end.
        while let Some(index) = (0..self.pending.len())
            .filter(|&index| self.pending[index].0 <= time_ns)
            .min_by_key(|&index| self.pending[index].0)
        {
            let (_, pid, block) = self.pending.remove(index);
            self.put(pid, block);
        }
    }

    fn call_at(&mut self, thread: Thread, time_ns: u64) -> Option<usize> {
        let calls = &mut self.process(thread.pid).calls;
        calls.retain(|call| call.tid != thread.tid || call.end_ns > time_ns);
        calls.iter().rposition(|call| call.tid == thread.tid)
    }

    /// Takes time out of the call that the thread is inside.
    fn interrupt(&mut self, thread: Thread, time_ns: u64, ns: u64) {
        let Some(index) = self.call_at(thread, time_ns) else { return };
        let call = &mut self.process(thread.pid).calls[index];
        let taken = ns.min(call.left_ns);
        call.left_ns -= taken;
        let (site, releases) = (call.site, call.releases);
        self.times(site, releases).timed_ns -= taken;
    }

    fn times(&mut self, site: Option<u64>, releases: bool) -> &mut TimedCalls {
        match site {
            Some(site) if releases => &mut self.site(site).release,
            Some(site) => &mut self.site(site).apparent,
            None => &mut self.unowned,
        }
    }

    /// Returns the site of the block.
    fn release(&mut self, pid: u32, at: u64) -> Option<u64> {
        let is = |block: &Block| block.at == at;
        if !self.process(pid).blocks.iter().any(is) {
            // The one whose call ends first.
            let mut same: Vec<usize> = (0..self.pending.len())
                .filter(|&index| self.pending[index].1 == pid && is(&self.pending[index].2))
                .collect();
            same.sort_by_key(|&index| self.pending[index].0);
            if let Some(&index) = same.first() {
                let (_, pid, block) = self.pending.remove(index);
                self.put(pid, block);
            }
        }
        let blocks = &mut self.process(pid).blocks;
        let Some(index) = blocks.iter().position(is) else {
            self.unknown += 1;
            return None;
        };
        let block = blocks.remove(index);
        self.site(block.site).frees += 1;
        Some(block.site)
    }

    /// A call of `site` (`None`: of free) gives back `from` and gives out a block of so many bytes.
    fn allocation(
        &mut self,
        (thread, time_ns, latency_ns): (Thread, u64, u64),
        site: Option<u64>,
        from: Option<u64>,
        gives: Option<(u64, u64)>,
    ) {
        self.process(thread.pid);
        self.interrupt(thread, time_ns, latency_ns);
        let owner = from.and_then(|from| self.release(thread.pid, from));
        let releases = site.is_none();
        let pays = site.or(owner);
        add_call(self.times(pays, releases), latency_ns);
        let block = site.zip(gives).map(|(site, (at, bytes))| Block { at, bytes, site, own: true });
        if let Some(site) = site {
            let site = self.site(site);
            site.calls += 1;
            site.failed += u64::from(block.is_none());
            site.bytes += block.map_or(0, |block| block.bytes);
        }
        let end_ns = time_ns + latency_ns;
        if latency_ns > 0 {
            let Thread { pid, tid } = thread;
            let (site, left_ns, gives) = (pays, latency_ns, block);
            self.process(pid).calls.push(Call { tid, site, releases, end_ns, left_ns, gives });
            self.pending.extend(block.map(|block| (end_ns, pid, block)));
        } else if let Some(block) = block {
            self.put(thread.pid, block);
        }
    }

    fn fault(&mut self, thread: Thread, time_ns: u64, act: (u64, u64, bool)) {
        let (address, latency_ns, major) = act;
        let page_end = address - address % PAGE + PAGE;
        let index = self.call_at(thread, time_ns);
        let process = self.process(thread.pid);
        let call = index.map(|index| process.calls[index].clone());
        let own = call.as_ref().and_then(|call| call.gives);
        let contains = |block: &&Block| block.at <= address && address < block.end();
        let above = |block: &&Block| address < block.at && block.at < page_end;
        let all = || own.iter().chain(&process.blocks);
        // Of two blocks at one address, that of the call.
        let block =
            all().find(contains).or_else(|| all().filter(above).min_by_key(|block| block.at));
        let blocks = process.blocks.clone();
        match (block.copied(), call.and_then(|call| call.site)) {
            (Some(block), _) => {
                self.touch(block, &blocks, (page_end, major, latency_ns));
                self.interrupt(thread, time_ns, latency_ns);
            }
            (None, Some(site)) => add_fault(&mut self.site(site).inside, major, latency_ns),
            (None, None) => add_fault(&mut self.rest, major, latency_ns),
        }
    }

    /// A fault on a block: all blocks on the page share its time by their bytes there.
    fn touch(&mut self, block: Block, blocks: &[Block], fault: (u64, bool, u64)) {
        let (page_end, major, latency_ns) = fault;
        let on_page = |own: &Block| {
            let bytes = own.end().min(page_end).saturating_sub(own.at.max(page_end - PAGE));
            (bytes > 0).then_some((*own, bytes))
        };
        let mut parts: Vec<(Block, u64)> = blocks.iter().filter_map(on_page).collect();
        if !parts.iter().any(|(own, _)| own.at == block.at) {
            parts.extend(on_page(&block));
        }
        let all: u64 = parts.iter().map(|(_, bytes)| bytes).sum();
        let mut left_ns = latency_ns;
        for (other, bytes) in parts.iter().filter(|(own, _)| own.at != block.at) {
            let part_ns = latency_ns * bytes / all;
            self.site(other.site).touches.ns += part_ns;
            left_ns -= part_ns;
        }
        let sums = &mut self.site(block.site).touches;
        add_fault(sums, major, latency_ns);
        sums.ns -= latency_ns - left_ns;
    }

    /// The process is gone, or its memory.
    fn forget(&mut self, pid: u32) {
        let mut last: Vec<_> = self.pending.extract_if(.., |(_, of, _)| *of == pid).collect();
        last.sort_by_key(|(end_ns, ..)| *end_ns);
        for (_, pid, block) in last {
            self.put(pid, block);
        }
        let process = self.processes.remove(&pid).unwrap_or_default();
        for block in process.blocks.iter().filter(|block| block.own) {
            let site = self.site(block.site);
            site.unreleased += 1;
            site.unreleased_bytes += block.bytes;
        }
    }

    fn fork(&mut self, by: u32, child: u32) {
        self.process(by);
        self.forget(child);
        let own = false;
        let blocks =
            self.processes[&by].blocks.iter().map(|block| Block { own, ..*block }).collect();
        self.processes.insert(child, Process { blocks, calls: Vec::new() });
    }
}

/// Does `steps`, in the stream and in the model.
fn run(steps: &[Step]) -> (Sites, Model) {
    let (mut script, mut model) = (Script::new(), Model::default());
    let mut now = 0;
    for &(wait_ns, pid, thread, act) in steps {
        now += wait_ns;
        let thread = Thread { pid, tid: if thread == 0 { pid } else { 100 * pid + thread } };
        model.settle(now);
        script.of(thread);
        match act {
            Act::Get { site, slot, bytes, latency_ns } => {
                let block = (address_of(slot), bytes);
                model.allocation((thread, now, latency_ns), Some(site), None, Some(block));
                script.malloc((now, now + latency_ns), site, block);
            }
            Act::Change { site, from, slot, bytes, latency_ns } => {
                let (from, block) = (address_of(from), (address_of(slot), bytes));
                model.allocation((thread, now, latency_ns), Some(site), Some(from), Some(block));
                script.realloc((now, now + latency_ns), site, from, block);
            }
            Act::Fail { site, latency_ns } => {
                model.allocation((thread, now, latency_ns), Some(site), None, None);
                let stack = script.stack(site);
                let function = AllocationFunction::AlignedAlloc;
                let call = free(0, NonZeroU64::new(latency_ns));
                script.call(now, Allocation { stack, function, size_bytes: u64::MAX, ..call });
            }
            Act::Free { slot, latency_ns } => {
                let at = address_of(slot);
                model.allocation((thread, now, latency_ns), None, Some(at), None);
                script.free((now, now + latency_ns), at);
            }
            Act::Fault { offset, latency_ns, major } => {
                let address = BASE + offset;
                model.fault(thread, now, (address, latency_ns, major));
                script.fault_of(now, events::Fault { address, major, ..fault(latency_ns) });
            }
            Act::Syscall => {
                let index = model.call_at(thread, now);
                let site = index.and_then(|index| model.process(pid).calls[index].site);
                if let Some(site) = site {
                    model.site(site).syscalls += 1;
                }
                script.syscall(now);
            }
            Act::Fork { child } if child != pid => {
                model.fork(pid, child);
                script.fork(now, child);
            }
            Act::Fork { .. } => {}
            Act::Exec => {
                model.forget(pid);
                script.of(first(pid)).exec(now);
            }
            Act::Exit => {
                model.forget(pid);
                script.of(first(pid)).exit(now);
            }
        }
    }
    model.settle(u64::MAX);
    for pid in 1..4 {
        model.forget(pid);
    }
    (script.sites(), model)
}

/// The public figures of a site, without the number of its stack.
fn figures(site: &Site) -> [u64; 20] {
    let Site { calls, failed, frees, bytes, unreleased, unreleased_bytes, .. } = *site;
    let [apparent, release] = [site.apparent, site.release];
    let [touches, inside] = [site.touches, site.inside];
    [
        calls,
        failed,
        frees,
        bytes,
        unreleased,
        unreleased_bytes,
        site.peak_bytes,
        site.at_peak_bytes,
        apparent.calls,
        apparent.timed,
        apparent.timed_ns,
        release.calls,
        release.timed,
        release.timed_ns,
        touches.minor,
        touches.major,
        touches.ns,
        inside.faults(),
        inside.ns,
        site.syscalls,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn the_ledger_says_what_the_model_says(
        steps in proptest::collection::vec((0_u64..20, 1_u32..4, 0_u32..2, act()), 0..200)
    ) {
        let (sites, mut model) = run(&steps);
        for (site, bytes) in std::mem::take(&mut model.at_peak) {
            model.site(site).at_peak_bytes = bytes;
        }
        for site in 1..5 {
            let expected = model.sites.get(&site).copied().unwrap_or_default();
            prop_assert_eq!(figures(&sites.site(site)), figures(&expected), "site {}", site);
        }
        let account = &sites.account;
        let mut rest = FaultSums::default();
        for other in &account.rest {
            rest.minor += other.faults.minor;
            rest.major += other.faults.major;
            rest.ns += other.faults.ns;
            rest.untimed += other.faults.untimed;
        }
        prop_assert_eq!(rest, model.rest);
        prop_assert_eq!(account.unowned, model.unowned);
        prop_assert_eq!(
            (account.unknown_releases, account.lost_releases, account.peak_live_bytes),
            (model.unknown, model.lost, model.peak_bytes)
        );
        let faults = steps.iter().filter(|(.., act)| matches!(act, Act::Fault { .. })).count();
        prop_assert_eq!(account.all_faults().faults(), faults as u64, "each fault counts once");
    }
}
