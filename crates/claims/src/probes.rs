//! A probe: one process, one task, one answer.

mod allocating;
mod arenas;
mod breaking;
mod files;
mod layout;
mod paging;
mod sharing;

use crate::facts::Identity;
use crate::protocol::{ProbeAnswer, ProbeJob, ProbeTask};

/// The hidden probe verb: reads the job, runs it, prints the answer. Returns the exit status.
///
/// # Panics
/// Never: an answer can always be written as JSON. (Standard output is closed only if the parent
/// has ended.)
#[must_use]
pub fn probe_main(job: Option<&str>) -> i32 {
    let Some(job) = job.and_then(|text| serde_json::from_str::<ProbeJob>(text).ok()) else {
        eprintln!("this verb is for firsttouch itself");
        return 2;
    };
    if let Some(parent) = job.parent {
        sys::process::die_with_parent(parent);
    }
    sys::process::prefer_to_be_killed();
    let answer = answer(&job.task).unwrap_or_else(|reason| ProbeAnswer::Failed { reason });
    println!("{}", serde_json::to_string(&answer).expect("an answer is plain data"));
    0
}

fn answer(task: &ProbeTask) -> Result<ProbeAnswer, String> {
    Ok(match *task {
        ProbeTask::Identify => ProbeAnswer::Identity(identify()),
        ProbeTask::Page { bytes } => ProbeAnswer::Paged(paging::of_mapping(bytes)?),
        ProbeTask::PageBlock { bytes } => ProbeAnswer::Lazy(paging::of_block(bytes)?),
        ProbeTask::Dirty { bytes } => {
            paging::dirty(bytes)?;
            ProbeAnswer::Dirtied
        }
        ProbeTask::ReadBack { bytes } => ProbeAnswer::Zeroes(paging::read_back(bytes)?),
        ProbeTask::Serve { bytes, freed_first_bytes, pinned_bytes } => {
            ProbeAnswer::Served(allocating::serve(bytes, freed_first_bytes, pinned_bytes)?)
        }
        ProbeTask::FollowBreak => ProbeAnswer::Break(breaking::follow()?),
        ProbeTask::Arenas => ProbeAnswer::Arenas(arenas::look()?),
        ProbeTask::LayOut => ProbeAnswer::Layout(layout::look()?),
        ProbeTask::Share => ProbeAnswer::Shared(sharing::share()?),
        ProbeTask::Fault { bytes, kind } => ProbeAnswer::Timed(sharing::fault(bytes, kind)?),
        ProbeTask::PageFile { file, bytes } => ProbeAnswer::File(files::windows(file, bytes)?),
        ProbeTask::Call => ProbeAnswer::Called(allocating::call()?),
    })
}

fn identify() -> Identity {
    Identity {
        malloc: sys::allocator::malloc_origin(),
        libc: sys::allocator::libc_version(),
        thp: sys::machine::thp(),
        page_bytes: page_bytes(),
    }
}

fn page_bytes() -> usize {
    usize::try_from(sys::limits::page_bytes()).expect("a page is small")
}

/// Adds the name of the failed call to an error.
fn failed<E: std::fmt::Display>(call: &'static str) -> impl Fn(E) -> String {
    move |error| format!("{call}: {error}")
}

/// The range of \[heap\] now; `None` without `/proc`, or if the break never moved.
fn heap() -> Option<(usize, usize)> {
    let regions = sys::proc::regions_now().ok()?;
    let heap: Vec<_> = regions.iter().filter(|region| region.name == "[heap]").collect();
    Some((heap.first()?.start, heap.last()?.end))
}

/// Whether `address` lies in the heap of the program break; `None` without `/proc`.
fn in_break(address: usize) -> Option<bool> {
    let regions = sys::proc::regions_now().ok()?;
    Some(regions.iter().any(|region| region.name == "[heap]" && region.contains(address)))
}

/// The program break now.
fn break_now() -> i64 {
    sys::allocator::move_break(0).ok().and_then(|address| i64::try_from(address).ok()).unwrap_or(0)
}
