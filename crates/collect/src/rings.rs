//! The perf events of a program: one set and one ring for each processor.

use std::os::fd::{AsFd, BorrowedFd};

use sys::Errno;
use sys::perf::event::{Event, Reading, Watched, Whose};
use sys::perf::record::{Format, Samples};
use sys::perf::ring::Ring;

/// The largest ring for one processor, and for all together. At some 90 bytes a fault and 1.2 us between them, 8 MiB are a
/// tenth of a second in which the reader may be kept from reading.
const RING_BYTES_MAX: usize = 8 << 20;
const RINGS_BYTES_MAX: usize = 256 << 20;
/// Below this a ring is full before anyone can read it.
const RING_BYTES_MIN: usize = 16 << 10;

/// What is to be seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) faults: bool,
    /// The numbers of the tracepoints `sys_enter` and `sys_exit`, and the filter for both.
    pub(crate) calls: Option<(u64, u64, String)>,
    /// The kernel may not be looked into.
    pub(crate) user_mode_only: bool,
    /// From the thread's next execve(2) on.
    pub(crate) from_exec: bool,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Rings {
    processors: Vec<Processor>,
    pub(crate) format: Format,
    pub(crate) has_faults: bool,
}

#[derive(Debug)]
struct Processor {
    cpu: u32,
    ring: Ring,
    events: Vec<(Watched, Event)>,
}

/// What all of them counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Page faults, whether or not their records found room.
    pub(crate) faults: u64,
    /// Records that found no room; `None` where the kernel does not say.
    pub(crate) lost: Option<u64>,
}

impl Rings {
    /// Opens the events of the thread `tid` on each of `cpus`.
    ///
    /// # Errors
    /// As [`Event::open`] and [`Ring::new`].
    pub(crate) fn open(wanted: &Wanted, tid: u32, cpus: &[u32]) -> Result<Self, Errno> {
        let mut rings =
            Rings { processors: Vec::with_capacity(cpus.len()), format: Format::default(), has_faults: wanted.faults };
        let mut ring_bytes = largest_ring(cpus.len());
        for &cpu in cpus {
            let (lives, ring) = match first(wanted, tid, cpu, &mut ring_bytes) {
                // Taken away since the list was read.
                Err(Errno(libc::ENODEV)) => continue,
                opened => opened?,
            };
            rings.processors.push(Processor { cpu, ring, events: vec![(Watched::Lives, lives)] });
            rings.fill(rings.processors.len() - 1, wanted, tid)?;
        }
        Ok(rings)
    }

    /// Adds another thread of the same program.
    ///
    /// # Errors
    /// As [`Event::open`].
    pub(crate) fn add(&mut self, wanted: &Wanted, tid: u32) -> Result<(), Errno> {
        for at in 0..self.processors.len() {
            let lives = open(&Watched::Lives, wanted, tid, self.processors[at].cpu, self.ring_bytes())?;
            lives.write_to(&self.processors[at].events[0].1)?;
            self.processors[at].events.push((Watched::Lives, lives));
            self.fill(at, wanted, tid)?;
        }
        Ok(())
    }

    /// Opens everything but the lives, into the processor's ring.
    fn fill(&mut self, at: usize, wanted: &Wanted, tid: u32) -> Result<(), Errno> {
        let mut watched = Vec::new();
        if wanted.faults {
            watched.push((Watched::FaultBegins, Samples::FaultBegins));
            watched.push((Watched::MinorFaultEnds, Samples::FaultEnds { major: false }));
            watched.push((Watched::MajorFaultEnds, Samples::FaultEnds { major: true }));
        }
        if let Some((enter, exit, filter)) = &wanted.calls {
            watched.push((Watched::CallBegins(*enter, filter.clone()), Samples::CallBegins));
            watched.push((Watched::CallEnds(*exit, filter.clone()), Samples::CallEnds));
        }
        for (watched, samples) in watched {
            let event = open(&watched, wanted, tid, self.processors[at].cpu, self.ring_bytes())?;
            event.write_to(&self.processors[at].events[0].1)?;
            self.format.add(event.id()?, samples);
            self.processors[at].events.push((watched, event));
        }
        Ok(())
    }

    /// Reads every ring, one after the other, into `into`. Returns how many bytes that were.
    pub(crate) fn take(&mut self, into: &mut Vec<u8>) -> usize {
        self.processors.iter_mut().map(|processor| processor.ring.take(into)).sum()
    }

    /// What becomes readable when a ring fills, and hangs up when no thread of its events is left.
    pub(crate) fn watched(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.processors.iter().flat_map(|processor| {
            processor.events.iter().filter(|(watched, _)| *watched == Watched::Lives).map(|(_, event)| event.as_fd())
        })
    }

    /// The room for records on each processor, in bytes.
    pub(crate) fn ring_bytes(&self) -> usize {
        self.processors.iter().map(|processor| processor.ring.data_bytes()).min().unwrap_or(0)
    }

    /// Ends all events; what is in the rings stays.
    pub(crate) fn stop(&self) {
        for (_, event) in self.processors.iter().flat_map(|processor| &processor.events) {
            event.stop();
        }
    }

    /// What was counted.
    pub(crate) fn totals(&self) -> Totals {
        let mut totals = Totals { faults: 0, lost: Some(0) };
        for (watched, event) in self.processors.iter().flat_map(|processor| &processor.events) {
            let Reading { count, lost } = event.read().unwrap_or_default();
            if *watched == Watched::FaultBegins {
                totals.faults += count;
            }
            totals.lost = totals.lost.zip(lost).map(|(sum, lost)| sum + lost);
        }
        totals
    }
}

fn largest_ring(processors: usize) -> usize {
    let share = (RINGS_BYTES_MAX / processors.max(1)).min(RING_BYTES_MAX);
    1 << share.max(RING_BYTES_MIN).ilog2()
}

/// The event that a processor's ring belongs to, and the largest ring that this user may have: an ordinary one is held to
/// `perf_event_mlock_kb` a processor, which other perf programs of the same user share, and to `RLIMIT_MEMLOCK`.
fn first(wanted: &Wanted, tid: u32, cpu: u32, ring_bytes: &mut usize) -> Result<(Event, Ring), Errno> {
    loop {
        let event = open(&Watched::Lives, wanted, tid, cpu, *ring_bytes)?;
        match Ring::new(&event, *ring_bytes) {
            Err(Errno(libc::EPERM | libc::ENOMEM)) if *ring_bytes > RING_BYTES_MIN => *ring_bytes /= 2,
            ring => return Ok((event, ring?)),
        }
    }
}

/// Opens an event that wakes the reader when a quarter of the ring is full: before that it is not worth it, and the rest
/// is the time that the reader has to come.
fn open(watched: &Watched, wanted: &Wanted, tid: u32, cpu: u32, ring_bytes: usize) -> Result<Event, Errno> {
    let whose = Whose { tid, cpu, user_mode_only: wanted.user_mode_only, from_exec: wanted.from_exec };
    Event::open(watched, whose, u32::try_from(ring_bytes / 4).unwrap_or(u32::MAX))
}
