//! The perf events of a program: one set and one ring for each processor.

use std::os::fd::{AsFd, BorrowedFd};

use sys::Errno;
use sys::perf::event::{PerfEvent, PerfReading, Target, Watched};
use sys::perf::record::Format;
use sys::perf::ring::Ring;

/// The largest ring for one processor, and for all together. At some 90 bytes a fault and 1.2 us
/// between them, 8 MiB are a tenth of a second in which the reader may be kept from reading.
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
    /// It is the first of its thread, which tells of lives as well, and hangs up when the thread
    /// and all that it started are gone.
    tells_lives: bool,
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
    /// As [`PerfEvent::open`] and [`Ring::new`].
    pub(crate) fn open(wanted: &Wanted, tid: u32, cpus: &[u32]) -> Result<Self, Errno> {
        let mut rings = Rings {
            processors: Vec::with_capacity(cpus.len()),
            format: Format::default(),
            wanted: wanted.clone(),
        };
        let mut ring_bytes = largest_ring(cpus.len());
        for &cpu in cpus {
            let (owner, ring) = match owner(wanted, tid, cpu, &mut ring_bytes) {
                // Taken away since the list was read.
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

    /// Remembers what the samples of an event hold.
    fn know(&mut self, Opened { event, .. }: &Opened) -> Result<(), Errno> {
        if let Some(samples) = event.samples() {
            self.format.add(event.id()?, samples);
        }
        Ok(())
    }

    /// How many there are: one a processor.
    pub(crate) fn count(&self) -> usize {
        self.processors.len()
    }

    /// Reads every ring, one after the other, into `into`. Returns how many bytes each had.
    pub(crate) fn take(&mut self, into: &mut Vec<u8>) -> Vec<usize> {
        self.processors.iter_mut().map(|processor| processor.ring.take(into)).collect()
    }

    /// What becomes readable when a ring fills, and hangs up when no thread of its events is left.
    pub(crate) fn watched(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.events().filter(|opened| opened.tells_lives).map(|opened| opened.event.as_fd())
    }

    /// Ends all events; what is in the rings stays.
    pub(crate) fn stop(&self) {
        self.events().for_each(|opened| opened.event.stop());
    }

    /// What was counted.
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

    fn events(&self) -> impl Iterator<Item = &Opened> {
        self.processors.iter().flat_map(|processor| &processor.events)
    }
}

impl Wanted {
    /// The event of each thread that tells of lives.
    fn first(&self) -> Watched {
        if self.faults { Watched::FaultBegins } else { Watched::Nothing }
    }

    /// The others.
    fn others(&self) -> Vec<Watched> {
        let mut others = Vec::new();
        if self.faults {
            others.extend([Watched::MinorFaultEnds, Watched::MajorFaultEnds]);
        }
        if let Some((enter, exit, filter)) = &self.calls {
            others.push(Watched::CallBegins(*enter, filter.clone()));
            others.push(Watched::CallEnds(*exit, filter.clone()));
        }
        others
    }
}

fn largest_ring(processors: usize) -> usize {
    let share = (RINGS_BYTES_MAX / processors.max(1)).min(RING_BYTES_MAX);
    1 << share.max(RING_BYTES_MIN).ilog2()
}

/// The event that a processor's ring belongs to, and the largest ring that this user may have: an
/// ordinary one is held to `perf_event_mlock_kb` a processor, which other perf programs of the same
/// user share, and to `RLIMIT_MEMLOCK`.
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

/// Opens an event that wakes the reader when a quarter of the ring is full: before that it is not
/// worth it, and the rest is the time that the reader has to come.
fn open(
    watched: &Watched,
    wanted: &Wanted,
    tid: u32,
    cpu: u32,
    ring_bytes: usize,
) -> Result<Opened, Errno> {
    let tells_lives = *watched == wanted.first();
    let target = Target {
        tid,
        cpu,
        user_mode_only: wanted.user_mode_only,
        from_exec: wanted.from_exec,
        sideband: tells_lives,
    };
    let event =
        PerfEvent::open(watched, target, u32::try_from(ring_bytes / 4).unwrap_or(u32::MAX))?;
    Ok(Opened { event, counts_faults: *watched == Watched::FaultBegins, tells_lives })
}
