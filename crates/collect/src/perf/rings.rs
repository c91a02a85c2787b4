//! The perf events of a program: one set and one ring for each processor.

use std::os::fd::{AsFd, BorrowedFd};

use sys::Errno;
use sys::perf::event::{EventTarget, PerfEvent, PerfReading, Watched};
use sys::perf::record::{Format, Samples};
use sys::perf::ring::Ring;

/// The largest ring of one processor, and of all together. At some 90 bytes per fault and 1.2 us
/// between faults, 8 MiB hold a tenth of a second, for which the reader may be delayed.
const RING_BYTES_MAX: usize = 8 << 20;
const RINGS_BYTES_MAX: usize = 256 << 20;
/// A smaller ring would be full before it could be read.
const RING_BYTES_MIN: usize = 16 << 10;

/// The events to open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) faults: bool,
    /// The tracepoints `sys_enter` and `sys_exit`: the id and the filter of each.
    pub(crate) calls: Option<[(u64, String); 2]>,
    /// Whether kernel mode is excluded.
    pub(crate) user_mode_only: bool,
    /// Whether events start at the thread's next execve(2).
    pub(crate) from_exec: bool,
}

/// The rings of all processors.
#[derive(Debug)]
pub(crate) struct Rings {
    processors: Vec<Processor>,
    pub(crate) format: Format,
    pub(crate) wanted: Wanted,
}

#[derive(Debug)]
struct Processor {
    cpu: u32,
    ring: Ring,
    events: Vec<Opened>,
}

#[derive(Debug)]
struct Opened {
    event: PerfEvent,
    counts_faults: bool,
    /// Whether it is the first event of its thread. That one has the sideband records as well, and
    /// its descriptor hangs up when the thread and all its descendants are gone.
    sideband: bool,
}

/// The counts of all events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Page faults, including those whose records were lost.
    pub(crate) faults: u64,
    /// Lost records; `None` if the kernel does not report them.
    pub(crate) lost: Option<u64>,
}

impl Rings {
    /// Opens the events of the thread `tid` on each of `cpus`.
    ///
    /// # Errors
    /// As [`PerfEvent::open`] and [`Ring::new`].
    pub(crate) fn open(wanted: &Wanted, tid: u32, cpus: &[u32]) -> Result<Self, Errno> {
        Rings::open_sized(wanted, tid, cpus, largest_ring(cpus.len()))
    }

    /// As [`Rings::open`], with rings of at most `ring_bytes`, a power of two of pages.
    ///
    /// # Errors
    /// As [`Rings::open`].
    pub(crate) fn open_sized(
        wanted: &Wanted,
        tid: u32,
        cpus: &[u32],
        mut ring_bytes: usize,
    ) -> Result<Self, Errno> {
        let mut rings = Rings {
            processors: Vec::with_capacity(cpus.len()),
            format: Format::default(),
            wanted: wanted.clone(),
        };
        for &cpu in cpus {
            let (owner, ring) = match owner(wanted, tid, cpu, &mut ring_bytes) {
                // The processor has gone offline since the list was read.
                Err(Errno::NO_DEVICE) => continue,
                opened => opened?,
            };
            rings.know(&owner)?;
            rings.processors.push(Processor { cpu, ring, events: vec![owner] });
            rings.fill(rings.processors.len() - 1, tid, &wanted.others())?;
        }
        Ok(rings)
    }

    /// Adds another thread of the same program.
    ///
    /// # Errors
    /// As [`PerfEvent::open`].
    pub(crate) fn add(&mut self, tid: u32) -> Result<(), Errno> {
        let all: Vec<_> =
            std::iter::once(self.wanted.first()).chain(self.wanted.others()).collect();
        (0..self.processors.len()).try_for_each(|at| self.fill(at, tid, &all))
    }

    /// Opens events into the ring of a processor.
    fn fill(&mut self, at: usize, tid: u32, watched: &[Watched]) -> Result<(), Errno> {
        let Processor { cpu, ref ring, .. } = self.processors[at];
        let ring_bytes = ring.data_bytes();
        for watched in watched {
            let opened = open(watched, &self.wanted, tid, cpu, ring_bytes)?;
            opened.event.write_to(&self.processors[at].events[0].event)?;
            self.know(&opened)?;
            self.processors[at].events.push(opened);
        }
        Ok(())
    }

    /// Registers the contents of an event's samples.
    fn know(&mut self, Opened { event, .. }: &Opened) -> Result<(), Errno> {
        if let Some(samples) = event.samples() {
            self.format.add(event.id()?, samples);
        }
        Ok(())
    }

    /// The number of rings, one per processor.
    pub(crate) fn count(&self) -> usize {
        self.processors.len()
    }

    /// Reads every ring, one after the other, into `into`. Returns the number of bytes from each.
    pub(crate) fn take(&mut self, into: &mut Vec<u8>) -> Vec<usize> {
        self.processors.iter_mut().map(|processor| processor.ring.take(into)).collect()
    }

    /// The descriptors that become readable when a ring fills, and hang up when no thread of their
    /// events is left.
    pub(crate) fn watched(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.events().filter(|opened| opened.sideband).map(|opened| opened.event.as_fd())
    }

    /// Starts all events again.
    pub(crate) fn start(&self) {
        self.events().for_each(|opened| opened.event.start());
    }

    /// Stops all events; records in the rings stay.
    pub(crate) fn stop(&self) {
        self.events().for_each(|opened| opened.event.stop());
    }

    /// The counts so far.
    pub(crate) fn totals(&self) -> Totals {
        let mut totals = Totals { faults: 0, lost: Some(0) };
        for opened in self.events() {
            let PerfReading { count, lost } = opened.event.read().unwrap_or_default();
            if opened.counts_faults {
                totals.faults += count;
            }
            totals.lost = totals.lost.zip(lost).map(|(sum, lost)| sum + lost);
        }
        totals
    }

    /// Closes the events on tracepoints. The last one of a tracepoint takes the kernel some 40 ms,
    /// for which nobody waits if the kernel can be made to close it.
    pub(crate) fn close_calls(&mut self) {
        let is_call = |opened: &mut Opened| {
            matches!(opened.event.samples(), Some(Samples::CallBegins | Samples::CallEnds))
        };
        let all = self.processors.iter_mut();
        let calls = all.flat_map(|processor| processor.events.extract_if(.., is_call));
        let calls: Vec<_> = calls.map(|opened| opened.event).collect();
        calls.iter().for_each(PerfEvent::stop);
        let (mut last, mut others) = (Vec::new(), calls);
        for samples in [Samples::CallBegins, Samples::CallEnds] {
            let place = others.iter().position(|event| event.samples() == Some(samples));
            last.extend(place.map(|place| others.swap_remove(place).into()));
        }
        drop(others);
        // Where it fails they are closed here, and it takes its time.
        let _ = sys::leaving::leave_to_kernel(last);
    }

    fn events(&self) -> impl Iterator<Item = &Opened> {
        self.processors.iter().flat_map(|processor| &processor.events)
    }
}

impl Wanted {
    /// The first event of each thread, which has the sideband records.
    fn first(&self) -> Watched {
        if self.faults { Watched::FaultBegins } else { Watched::Nothing }
    }

    /// The other events of each thread.
    fn others(&self) -> Vec<Watched> {
        let mut others = Vec::new();
        if self.faults {
            others.extend([Watched::MinorFaultEnds, Watched::MajorFaultEnds]);
        }
        if let Some([(enter, starts), (exit, ends)]) = &self.calls {
            others.push(Watched::CallBegins(*enter, starts.clone()));
            others.push(Watched::CallEnds(*exit, ends.clone()));
        }
        others
    }
}

fn largest_ring(processors: usize) -> usize {
    let share = (RINGS_BYTES_MAX / processors.max(1)).min(RING_BYTES_MAX);
    1 << share.max(RING_BYTES_MIN).ilog2()
}

/// Opens the event that owns a processor's ring, and the largest ring that this user may have: an
/// ordinary user is limited to `perf_event_mlock_kb` per processor, shared with the user's other
/// perf programs, and to `RLIMIT_MEMLOCK`.
fn owner(
    wanted: &Wanted,
    tid: u32,
    cpu: u32,
    ring_bytes: &mut usize,
) -> Result<(Opened, Ring), Errno> {
    loop {
        let opened = open(&wanted.first(), wanted, tid, cpu, *ring_bytes)?;
        match Ring::new(&opened.event, *ring_bytes) {
            Err(Errno::NOT_PERMITTED | Errno::NO_MEMORY) if *ring_bytes > RING_BYTES_MIN => {
                *ring_bytes /= 2;
            }
            ring => return Ok((opened, ring?)),
        }
    }
}

/// Opens an event that wakes the reader when a quarter of the ring is full: waking earlier would
/// cost more, and the remaining three quarters are the time that the reader has.
fn open(
    watched: &Watched,
    wanted: &Wanted,
    tid: u32,
    cpu: u32,
    ring_bytes: usize,
) -> Result<Opened, Errno> {
    let sideband = *watched == wanted.first();
    let target = EventTarget {
        tid,
        cpu,
        user_mode_only: wanted.user_mode_only,
        from_exec: wanted.from_exec,
        sideband,
    };
    let event =
        PerfEvent::open(watched, target, u32::try_from(ring_bytes / 4).unwrap_or(u32::MAX))?;
    Ok(Opened { event, counts_faults: *watched == Watched::FaultBegins, sideband })
}
