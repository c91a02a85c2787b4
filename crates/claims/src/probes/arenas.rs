//! Where malloc gets memory for threads other than the first.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use sys::allocator::HeapBlock;
use sys::memory::Memory;
use sys::proc::MapsEntry;

use super::allocating::many;
use super::{break_now, failed, in_break};
use crate::facts::{Arena, Arenas};

const THREADS: usize = 2;
const FIRST_BYTES: usize = 1000;
/// Later allocations of a thread: many blocks below every threshold.
const LATER: (usize, usize) = (200, 10_000);

/// Reads the mappings of other threads' blocks while the threads wait.
pub(super) fn look() -> Result<Arenas, String> {
    let own = HeapBlock::malloc(FIRST_BYTES).map_err(failed("malloc"))?;
    let main_in_break = in_break(own.address());
    let before = break_now();
    let (report, reports) = channel();
    let mut go = Vec::new();
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let (sender, receiver) = channel();
            go.push(sender);
            let report = report.clone();
            thread::spawn(move || live(thread, &report, &receiver))
        })
        .collect();
    let first = listen(&reports)?;
    let regions_first = sys::proc::regions_now().map_err(failed("/proc/self/maps"))?;
    for go in &go {
        go.send(()).map_err(|_| "a thread ended early".to_owned())?;
    }
    let _ = listen(&reports)?;
    let regions_later = sys::proc::regions_now().map_err(failed("/proc/self/maps"))?;
    let break_growth_bytes = (break_now() - before).max(0).cast_unsigned();
    drop(go);
    for thread in threads {
        thread.join().map_err(|_| "a thread ended early".to_owned())?;
    }
    let threads = first
        .iter()
        .filter_map(|&address| arena(address, &regions_first, &regions_later))
        .collect();
    Ok(Arenas { main_in_break, break_growth_bytes, threads })
}

/// A thread: allocates, waits, allocates more, waits.
fn live(thread: usize, report: &Sender<(usize, Option<usize>)>, go: &Receiver<()>) {
    let first = HeapBlock::malloc(FIRST_BYTES);
    let _ = report.send((thread, first.as_ref().ok().map(HeapBlock::address)));
    let _ = go.recv();
    let later = many(LATER);
    let _ =
        report.send((thread, later.as_ref().ok().and(first.as_ref().ok()).map(HeapBlock::address)));
    let _ = go.recv();
}

/// The addresses that the threads report, in thread order.
fn listen(reports: &Receiver<(usize, Option<usize>)>) -> Result<Vec<usize>, String> {
    let mut all: Vec<(usize, Option<usize>)> = reports.iter().take(THREADS).collect();
    all.sort_unstable();
    all.into_iter()
        .map(|(_, address)| address.ok_or("malloc: no memory for a thread".to_owned()))
        .collect()
}

fn arena(address: usize, first: &[MapsEntry], later: &[MapsEntry]) -> Option<Arena> {
    let index = first.iter().position(|region| region.contains(address))?;
    let region = &first[index];
    let behind = first
        .get(index + 1)
        .filter(|next| next.start == region.end && next.permissions.starts_with("---"));
    let grown = later.iter().find(|region| region.contains(address))?;
    Some(Arena {
        in_break: region.name == "[heap]",
        start: region.start,
        first_bytes: (region.end - region.start) as u64,
        later_bytes: (grown.end - grown.start) as u64,
        reserved_bytes: behind.map_or(0, |next| (next.end - next.start) as u64),
    })
}
