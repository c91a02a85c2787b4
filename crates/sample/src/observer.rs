//! Facts from an untimed run: faults taken, and where the memory came from.

use sys::Errno;
use sys::allocator;
use sys::perf::FaultCounter;
use sys::proc::{address_space_bytes, resident_now};

use crate::measurement::Observation;

/// Observes an untimed run: counting faults would add work to the fault path of a timed one.
pub(crate) struct Observer {
    counter: Result<FaultCounter, Errno>,
    break_before: Option<usize>,
    space_before: Option<u64>,
    resident_before: Option<u64>,
    break_growth_bytes: u64,
    mapped_growth_bytes: u64,
    resident_growth_bytes: Option<u64>,
}

impl Observer {
    pub(crate) fn begin() -> Self {
        let observer = Observer {
            counter: FaultCounter::new(),
            break_before: allocator::program_break(),
            space_before: address_space_bytes(),
            resident_before: resident_now().map(|r| r.rss_bytes),
            break_growth_bytes: 0,
            mapped_growth_bytes: 0,
            resident_growth_bytes: None,
        };
        if let Ok(counter) = &observer.counter {
            counter.start();
        }
        observer
    }

    pub(crate) fn after_obtain(mut self) -> Self {
        let resident = resident_now().map(|r| r.rss_bytes);
        self.resident_growth_bytes =
            resident.zip(self.resident_before).map(|(now, then)| now.saturating_sub(then));
        let growth = allocator::program_break()
            .zip(self.break_before)
            .map(|(now, then)| now.saturating_sub(then));
        self.break_growth_bytes = growth.unwrap_or(0) as u64;
        let space = address_space_bytes()
            .zip(self.space_before)
            .map(|(now, then)| now.saturating_sub(then));
        self.mapped_growth_bytes = space.unwrap_or(0).saturating_sub(self.break_growth_bytes);
        self
    }

    pub(crate) fn end(self) -> Observation {
        Observation {
            traps: self.counter.and_then(FaultCounter::stop).map_err(|errno| errno.to_string()),
            break_growth_bytes: self.break_growth_bytes,
            mapped_growth_bytes: self.mapped_growth_bytes,
            resident_after_obtain_bytes: self.resident_growth_bytes,
        }
    }
}
