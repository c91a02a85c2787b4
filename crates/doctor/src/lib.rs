//! What on a machine distorts or hides a measurement, and how to fix it. This crate judges facts
//! that `sys::facts` gathered; it reads nothing, changes nothing and prints nothing.
//!
//! The states:
//! - `warn`: a figure is distorted, or part of a measurement is hidden;
//! - `blocked`: something cannot be measured at all;
//! - `ok`: neither (an effect may still state the limits);
//! - `skip`: the machine has no such thing, or does not show it.

mod access;
mod host;
mod limits;
mod memory;
mod pages;
mod placement;
mod processors;
mod quantity;

use results::doctor::{Check, State};
use sys::facts::Facts;

/// What a sample of `bench` needs with its defaults (`lab::capacity`): 100 MiB, page tables, room
/// for the kernel. A command-line test checks that both constants agree.
const DEFAULT_RUN_BYTES: u64 = (100 << 20) + (100 << 20) / 512 + (32 << 20);

/// Judges `facts`. Returns every check, always in the same order.
#[must_use]
pub fn examine(facts: &Facts) -> Vec<Check> {
    vec![
        pages::thp(facts),
        pages::mthp(facts),
        pages::free_huge_pages(facts),
        memory::overcommit(facts),
        memory::map_count(facts),
        memory::swap(facts),
        memory::zswap(facts),
        limits::cgroup(facts),
        limits::limits(facts),
        limits::memlock(facts),
        placement::aslr(facts),
        processors::governor(facts),
        processors::boost(facts),
        processors::smt(facts),
        processors::numa(facts),
        processors::clock(facts),
        placement::affinity(facts),
        placement::isolation(facts),
        host::virtualization(facts),
        host::memory_cold(facts),
        host::steal(facts),
        host::busy_machine(facts),
        access::perf(facts),
        access::tracefs(facts),
        access::seccomp(facts),
        access::ptrace_scope(facts),
        access::proc_missing(facts),
    ]
}

fn ok(id: &str, found: impl Into<String>) -> Check {
    Check::new(id, State::Ok, found)
}

fn warn(id: &str, found: impl Into<String>) -> Check {
    Check::new(id, State::Warn, found)
}

fn blocked(id: &str, found: impl Into<String>) -> Check {
    Check::new(id, State::Blocked, found)
}

fn skip(id: &str, found: impl Into<String>) -> Check {
    Check::new(id, State::Skip, found)
}
