//! Allocation calls: a library inside the program (`shim`) writes them to memory that it shares
//! with us (`wire`), and we read behind it. docs/recorder.md explains the protocol.
//!
//! ```text
//!   program starts -- hello --> listener: makes its memory, answers with it
//!   program writes records ---> region: reads them behind it, frees units
//!                                 clock: ticks to the stream's time
//! ```

mod clock;
mod library;
mod listener;
mod region;
mod units;

pub use library::{Library, LibraryError};
pub use wire::sampling::MEAN_BYTES_MAX as SAMPLED_BYTES_MAX;

use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use events::{Allocation, Definition, Interner, StackSampling, Thread};
use sys::Errno;

use clock::TickClock;
use listener::Guests;
use region::Region;

/// What is recorded of allocation calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShimOptions {
    /// The size of the memory that each process shares with us, in bytes.
    pub buffer_bytes: u64,
    /// One call of free in this number is timed, on average; 1: all.
    pub frees_per_timed: u32,
    /// Which stacks are recorded.
    pub stacks: Stacks,
}

/// Which stacks are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stacks {
    /// That of every call.
    #[default]
    Full,
    /// That of every call, found in two ways that are compared.
    Checked,
    /// Those of calls that are chosen by chance, by the bytes that they ask for.
    Sampled(StackSampling),
    /// None.
    None,
}

impl Default for ShimOptions {
    fn default() -> Self {
        ShimOptions { buffer_bytes: 8 << 20, frees_per_timed: 8, stacks: Stacks::Full }
    }
}

/// A thread that writes allocation calls, for as long as the recording lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ThreadNumber(pub u32);

/// Who takes the calls of all threads.
pub trait CallSink {
    /// Takes the calls of one thread.
    type Taker: CallTaker;
    /// A thread begins to write. `program` is the number of what its process executes: another one
    /// after execve(2), the same after fork(2).
    fn begins(&mut self, number: ThreadNumber, thread: Thread, program: u32);
    /// The taker of a thread that has begun.
    fn taker(&mut self, number: ThreadNumber) -> Option<&mut Self::Taker>;
    /// Nothing more will come from this thread.
    fn ends(&mut self, number: ThreadNumber);
}

/// Takes the calls of a thread.
pub trait CallTaker {
    /// A call, in the order in which its calls ended. It began at `time_ns` of the stream's clock.
    fn call(&mut self, time_ns: u64, call: &Allocation);
}

/// What the processes say of their own recording, added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShimCounts {
    /// Processes that wrote: programs, and their forks.
    pub processes: u64,
    /// Threads that wrote.
    pub threads: u64,
    /// Calls that were not recorded since no unit was free.
    pub lost: u64,
    /// Time that threads waited for us to free a unit, in nanoseconds.
    pub waited_ns: u64,
    /// Calls inside another call of their thread, which are not recorded.
    pub nested: u64,
    /// Stacks that end too early.
    pub cut_stacks: u64,
    /// Stacks that are not recorded.
    pub unknown_stacks: u64,
    /// Stacks that were found in two ways, and those of them that differed.
    pub checked_stacks: u64,
    /// See `checked_stacks`.
    pub wrong_stacks: u64,
    /// Programs with an allocator of their own, whose calls are not recorded.
    pub own_allocators: u64,
    /// Libraries that were opened with `RTLD_DEEPBIND`, whose calls are not recorded.
    pub deep_libraries: u64,
    /// Processes that stopped recording since the recorder gave no sign of life for seconds. Their
    /// later calls are not recorded.
    pub gave_up: u64,
    /// How far the two clocks were apart at worst, in nanoseconds.
    pub clock_error_ns: u64,
}

/// The recorder's side of all shims.
#[derive(Debug)]
pub struct Shims {
    guests: Arc<Guests>,
    listener: Option<JoinHandle<()>>,
    regions: Vec<Region>,
    clock: TickClock,
    frames: Interner,
    gone: ShimCounts,
    greeted: Vec<u32>,
    writers: u32,
}

impl Shims {
    /// Waits for programs from now on.
    ///
    /// # Errors
    /// The errno of the socket, or EAGAIN: no thread could be started.
    pub fn wait_for_programs(options: ShimOptions) -> Result<Shims, Errno> {
        let clock = TickClock::start();
        let guests = Arc::new(Guests::new(options, clock.ticks_per_ms())?);
        let listener = listener::start(Arc::clone(&guests))?;
        Ok(Shims {
            guests,
            listener: Some(listener),
            regions: Vec::new(),
            clock,
            frames: Interner::default(),
            gone: ShimCounts::default(),
            greeted: Vec::new(),
            writers: 0,
        })
    }

    /// The environment variables that make a program load the library at `path`, before those that
    /// it is made to load already, and write to us.
    #[must_use]
    pub fn variables(&self, path: &Path) -> Vec<(OsString, Option<OsString>)> {
        const PRELOAD: &str = "LD_PRELOAD";
        let mut preload = path.as_os_str().to_owned();
        if let Some(others) = std::env::var_os(PRELOAD).filter(|others| !others.is_empty()) {
            preload.push(":");
            preload.push(others);
        }
        let socket = OsString::from(self.guests.socket_name());
        vec![(PRELOAD.into(), Some(preload)), (wire::VARIABLE.into(), Some(socket))]
    }

    /// Reads everything that was written since the last time. Returns the number of calls.
    pub fn drain(&mut self, sink: &mut impl CallSink) -> u64 {
        for (memory, guest) in self.guests.take() {
            self.regions.iter_mut().for_each(|region| region.is_greeted_by(guest));
            self.greeted.push(guest.pid);
            let program = u32::try_from(self.greeted.len()).unwrap_or(u32::MAX);
            let region = Region::new(memory, guest, program);
            // The order may have come after its memory was prepared.
            region.set_quiet(self.guests.is_quiet());
            self.regions.push(region);
        }
        self.clock.look();
        let mut calls = 0;
        for region in &mut self.regions {
            calls += region.drain(&self.clock, &mut self.frames, &mut self.writers, sink);
        }
        calls
    }

    /// Lets go of the memory of processes that are gone. To be called now and then: it looks at
    /// processes.
    pub fn settle(&mut self, sink: &mut impl CallSink) {
        for mut region in std::mem::take(&mut self.regions) {
            region.free_units();
            if !region.has_lost_its_guest() {
                self.regions.push(region);
                continue;
            }
            match region.retire() {
                Ok(mut last) => {
                    last.drain(&self.clock, &mut self.frames, &mut self.writers, sink);
                    self.gone = self.gone.plus(last.counts(&self.clock));
                    last.end(sink);
                }
                Err(region) => self.regions.push(*region),
            }
        }
    }

    /// Whether processes keep more memory than when [`Self::settle`] was called last.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.regions.iter().any(Region::is_crowded)
    }

    /// The frames that were seen since the last call, for the stream that the calls go to.
    pub fn take_frames(&mut self, into: &mut Vec<Definition>) {
        self.frames.take_new(into);
    }

    /// Tells all programs to record nothing, or to record. Those of which the reader does not know
    /// yet are told by the next [`Self::drain`].
    pub fn set_quiet(&self, is_quiet: bool) {
        if self.guests.is_quiet() != is_quiet {
            self.guests.set_quiet(is_quiet);
            self.regions.iter().for_each(|region| region.set_quiet(is_quiet));
        }
    }

    /// Tells all programs that their calls are read, if not at this moment.
    pub fn beat(&self) {
        self.regions.iter().for_each(Region::beat);
    }

    /// The process of each program that has loaded the library.
    #[must_use]
    pub fn greeted(&self) -> &[u32] {
        &self.greeted
    }

    /// What the processes say of their own recording, so far.
    #[must_use]
    pub fn counts(&self) -> ShimCounts {
        let all = self.regions.iter().map(|region| region.counts(&self.clock));
        let counts = all.fold(self.gone, ShimCounts::plus);
        ShimCounts { clock_error_ns: self.clock.error_ns(), ..counts }
    }
}

impl Drop for Shims {
    fn drop(&mut self) {
        self.set_quiet(true);
        self.guests.close();
        if let Some(listener) = self.listener.take() {
            // It has ended, or does so by the doorbell.
            let _ = listener.join();
        }
        // Nobody reads what these write, so they must not wait for it.
        for (memory, guest) in self.guests.take() {
            Region::new(memory, guest, 0).set_quiet(true);
        }
    }
}

impl ShimCounts {
    fn plus(self, other: ShimCounts) -> ShimCounts {
        ShimCounts {
            processes: self.processes + other.processes,
            threads: self.threads + other.threads,
            lost: self.lost + other.lost,
            waited_ns: self.waited_ns + other.waited_ns,
            nested: self.nested + other.nested,
            cut_stacks: self.cut_stacks + other.cut_stacks,
            unknown_stacks: self.unknown_stacks + other.unknown_stacks,
            checked_stacks: self.checked_stacks + other.checked_stacks,
            wrong_stacks: self.wrong_stacks + other.wrong_stacks,
            own_allocators: self.own_allocators + other.own_allocators,
            deep_libraries: self.deep_libraries + other.deep_libraries,
            gave_up: self.gave_up + other.gave_up,
            clock_error_ns: self.clock_error_ns.max(other.clock_error_ns),
        }
    }
}
