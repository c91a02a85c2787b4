//! What recording adds to an allocation call, measured before the program starts: a loop of malloc
//! and free is timed here, and in another process of this program that has the library.
//!
//! The loop is shallow and alone, so its figure is about the least that a call of the program pays.

use std::ffi::OsString;
use std::hint::black_box;
use std::num::NonZeroU64;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use collect::shim::{CallSink, CallTaker, ShimOptions, Shims, ThreadNumber};
use events::{Allocation, ClockFloor, Thread};
use sys::clock::monotonic_ns;
use sys::launch::{Capture, Program, Setup, Waiting};
use sys::process::WaitStatus;

/// The hidden verb of the loop.
pub(crate) const LOOP_VERB: &str = "record-loop";
/// The least time of several rounds counts: any other round was disturbed.
const ROUNDS: u32 = 12;
/// Calls of malloc in a round, and as many of free.
const PAIRS: u32 = 1000;
const CALLS: u64 = ROUNDS as u64 * PAIRS as u64 * 2;
/// A loop that takes longer is given up.
const PATIENCE: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_micros(200);

/// The loop: prints the time of a call in the quickest round, in nanoseconds.
pub(crate) fn loop_main() -> ExitCode {
    println!("{}", loop_ns());
    ExitCode::SUCCESS
}

fn loop_ns() -> f64 {
    let quickest_ns = (0..ROUNDS).map(|_| round_ns()).min().unwrap_or(0);
    quickest_ns as f64 / f64::from(2 * PAIRS)
}

fn round_ns() -> u64 {
    let began_ns = monotonic_ns();
    for pair in 0..PAIRS {
        drop(black_box(Vec::<u8>::with_capacity(16 + pair as usize % 64)));
    }
    monotonic_ns() - began_ns
}

/// What recording adds to a call of malloc or free.
#[derive(Debug, Clone, Copy)]
pub(super) struct CallCost {
    /// All of it, in nanoseconds.
    pub(super) ns: f64,
    /// What of it is in the time that is measured.
    pub(super) floor: ClockFloor,
}

/// What recording with `options` adds; `None`: it could not be measured. Takes some milliseconds.
pub(super) fn of_a_call(library: &Path, options: ShimOptions) -> Option<CallCost> {
    let mut shims = Shims::wait_for_programs(options).ok()?;
    let (variables, mut counter) = (shims.variables(library), Counter::default());
    let recorded_ns = run_loop(variables, || {
        shims.drain(&mut counter);
    })?;
    shims.drain(&mut counter);
    let is_recorded = counter.calls >= CALLS && shims.counts().lost == 0;
    let bare_ns = loop_ns();
    let floor = ClockFloor {
        call_ns: above(counter.call_ns, bare_ns),
        release_ns: above(counter.release_ns, bare_ns),
    };
    is_recorded.then(|| CallCost { ns: (recorded_ns - bare_ns).max(0.0), floor })
}

/// What most of some measured times have more than a call without a recorder takes. A tenth have
/// less: it is taken from every call, so it should not be what disturbances made of it.
fn above(mut times_ns: Vec<u64>, bare_ns: f64) -> u64 {
    if times_ns.is_empty() {
        return 0;
    }
    let tenth = times_ns.len() / 10;
    let (_, low_ns, _) = times_ns.select_nth_unstable(tenth);
    // How a pair's time is shared by malloc and free is not known: it is some nanoseconds.
    low_ns.saturating_sub(rounded(bare_ns))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small time")]
fn rounded(ns: f64) -> u64 {
    ns.max(0.0).round() as u64
}

/// Runs the loop with these environment variables, and `meanwhile` again and again. Returns what it
/// prints.
fn run_loop(
    variables: Vec<(OsString, Option<OsString>)>,
    mut meanwhile: impl FnMut(),
) -> Option<f64> {
    let command = [sys::process::own_program().ok()?.into_os_string(), LOOP_VERB.into()];
    let capture = Capture::new().ok()?;
    let program = Program::find(&command).ok()?.with_variables(variables).captured(&capture);
    // Not by posix_spawn(3), which waits for the child without being able to stop: after Ctrl-Z
    // just then, the shell would wait for ever.
    let setup = Setup { dies_with_parent: true, ..Setup::default() };
    let mut child = program.start(setup).and_then(Waiting::go).ok()?;
    let until = Instant::now() + PATIENCE;
    let ending = loop {
        meanwhile();
        match child.ended_within(LOOK_EVERY).ok()? {
            None if Instant::now() < until => {}
            ending => break ending?,
        }
    };
    let printed = capture.output().ok().filter(|_| ending == WaitStatus::Exited(0))?;
    let printed = String::from_utf8(printed).ok()?;
    printed.trim().parse().ok().filter(|ns: &f64| ns.is_finite())
}

/// Counts calls, and keeps their times.
#[derive(Default)]
struct Counter {
    calls: u64,
    call_ns: Vec<u64>,
    release_ns: Vec<u64>,
}

impl CallTaker for Counter {
    fn call(&mut self, _: u64, call: &Allocation) {
        self.calls += 1;
        let times_ns =
            if call.only_gives_back() { &mut self.release_ns } else { &mut self.call_ns };
        times_ns.extend(call.latency_ns.map(NonZeroU64::get));
    }
}

impl CallSink for Counter {
    type Taker = Counter;

    fn begins(&mut self, _: ThreadNumber, _: Thread, _: u32) {}

    fn taker(&mut self, _: ThreadNumber) -> Option<&mut Counter> {
        Some(self)
    }

    fn ends(&mut self, _: ThreadNumber) {}
}
