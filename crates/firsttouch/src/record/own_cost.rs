//! What recording adds to an allocation call, measured before the program starts: a loop of malloc
//! and free is timed here, and in another process of this program that has the library.
//!
//! The loop is shallow and alone, so its figure is about the least that a call of the program pays.

use std::ffi::OsString;
use std::hint::black_box;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use collect::shim::{CallSink, CallTaker, ShimOptions, Shims, ThreadNumber};
use events::{Allocation, Thread};
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

/// What recording with `options` adds to a call of malloc or free, in nanoseconds; `None`: it could
/// not be measured. Takes some milliseconds.
pub(super) fn per_call_ns(library: &Path, options: ShimOptions) -> Option<f64> {
    let mut shims = Shims::wait_for_programs(options).ok()?;
    let (variables, mut counter) = (shims.variables(library), Counter::default());
    let recorded_ns = run_loop(variables, || {
        shims.drain(&mut counter);
    })?;
    shims.drain(&mut counter);
    let is_recorded = counter.calls >= CALLS && shims.counts().lost == 0;
    is_recorded.then(|| (recorded_ns - loop_ns()).max(0.0))
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

/// Counts calls.
#[derive(Default)]
struct Counter {
    calls: u64,
}

impl CallTaker for Counter {
    fn call(&mut self, _: u64, _: &Allocation) {
        self.calls += 1;
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
