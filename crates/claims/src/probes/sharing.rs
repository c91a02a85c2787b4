//! Which writes parent and child see of each other, and the cost of a copy.

use std::time::Instant;

use sys::fork::Stage;
use sys::mapping::{OwnMapping, Policy};
use sys::memory::Initialised;
use sys::usage::Usage;

use super::{failed, page_bytes};
use crate::facts::{SharingFacts, Timed};
use crate::protocol::FaultKind;

/// Bits of the child's report.
const SAW_SHARED: u64 = 1;
const SAW_PRIVATE: u64 = 2;

/// The parent writes after the fork, the child reads and writes, the parent reads.
pub(super) fn share() -> Result<SharingFacts, String> {
    let page = page_bytes();
    let mut shared = OwnMapping::new(2 * page, Policy::Shared).map_err(failed("mmap"))?;
    let mut private = OwnMapping::new(2 * page, Policy::Plain).map_err(failed("mmap"))?;
    let stage = Stage::new().map_err(failed("pipe"))?;
    let child = {
        let (shared, private) = (&mut shared, &mut private);
        stage.fork_asleep(move || {
            let saw = |mapping: &OwnMapping, bit| if mapping.read_byte(0) == 1 { bit } else { 0 };
            let seen = saw(shared, SAW_SHARED) | saw(private, SAW_PRIVATE);
            shared.touch(page);
            private.touch(page);
            [seen, 0, 0]
        })
    };
    let mut child = child.map_err(|error| error.to_string())?;
    shared.touch(0);
    private.touch(0);
    child.let_go().map_err(|error| error.to_string())?;
    let [seen, ..] = child.wait().map_err(|error| error.to_string())?;
    Ok(SharingFacts {
        shared_down: seen & SAW_SHARED != 0,
        private_down: seen & SAW_PRIVATE != 0,
        shared_up: shared.read_byte(page) == 1,
        private_up: private.read_byte(page) == 1,
    })
}

/// Writes a byte to each page of `bytes` of small pages and times all of it.
pub(super) fn fault(bytes: usize, kind: FaultKind) -> Result<Timed, String> {
    // A kernel without huge pages returns EINVAL.
    let mapping = OwnMapping::new(bytes, Policy::NoHugePage)
        .or_else(|_| OwnMapping::new(bytes, Policy::Plain));
    let mut mapping = mapping.map_err(failed("mmap"))?;
    match kind {
        FaultKind::FirstTouch => Ok(touch(&mut mapping)),
        FaultKind::CopyOnWrite => {
            mapping.touch_pages();
            let stage = Stage::new().map_err(failed("pipe"))?;
            let mut sleeper = stage.fork_asleep(|| [0; 3]).map_err(|error| error.to_string())?;
            sleeper.wait_until_asleep().map_err(|error| error.to_string())?;
            let timed = touch(&mut mapping);
            sleeper.let_go().map_err(|error| error.to_string())?;
            sleeper.wait().map_err(|error| error.to_string())?;
            Ok(timed)
        }
    }
}

fn touch(mapping: &mut OwnMapping) -> Timed {
    let before = Usage::of_this_thread();
    let start = Instant::now();
    mapping.touch_pages();
    let elapsed = start.elapsed();
    let after = Usage::of_this_thread();
    Timed {
        time_ns: u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX),
        minor_faults: after.minor_faults - before.minor_faults,
        major_faults: after.major_faults - before.major_faults,
    }
}
