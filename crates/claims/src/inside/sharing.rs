//! What parent and child see of each other's writes, and what a copy costs.

use std::io::{Read, Write, pipe};
use std::time::Instant;

use sys::fork::Copy;
use sys::mapping::{Mapping, Policy};
use sys::usage::Usage;

use super::{failed, page_bytes};
use crate::facts::{Sharing, Timed};
use crate::protocol::FaultKind;

/// Bits of the child's exit status.
const SAW_SHARED: u8 = 1;
const SAW_PRIVATE: u8 = 2;

/// The parent writes after the fork, the child reads and writes, the parent reads.
pub(super) fn share() -> Result<Sharing, String> {
    let page = page_bytes();
    let mut shared = Mapping::new(2 * page, Policy::Shared).map_err(failed("mmap"))?;
    let mut private = Mapping::new(2 * page, Policy::Plain).map_err(failed("mmap"))?;
    let (mut wait, mut go) = pipe().map_err(failed("pipe"))?;
    let child = {
        let (shared, private) = (&mut shared, &mut private);
        let wait = &mut wait;
        Copy::start(move || {
            let _ = wait.read_exact(&mut [0]);
            let saw = |mapping: &Mapping, bit| if mapping.byte(0) == 1 { bit } else { 0 };
            let status = saw(shared, SAW_SHARED) | saw(private, SAW_PRIVATE);
            shared.touch(page);
            private.touch(page);
            status
        })
    };
    let child = child.map_err(failed("fork"))?;
    shared.touch(0);
    private.touch(0);
    go.write_all(&[0]).map_err(failed("pipe"))?;
    let status = child.wait().ok_or("the forked child was killed")?;
    Ok(Sharing {
        shared_down: status & SAW_SHARED != 0,
        private_down: status & SAW_PRIVATE != 0,
        shared_up: shared.byte(page) == 1,
        private_up: private.byte(page) == 1,
    })
}

/// Writes a byte to each page of `bytes` of small pages and times all of it.
pub(super) fn fault(bytes: usize, kind: FaultKind) -> Result<Timed, String> {
    let mut mapping = Mapping::new(bytes, Policy::Plain).map_err(failed("mmap"))?;
    // A kernel without huge pages says EINVAL.
    let _ = mapping.refuse_huge_pages();
    match kind {
        FaultKind::FirstTouch => Ok(touch(&mut mapping)),
        FaultKind::CopyOnWrite => {
            mapping.touch_pages();
            // The child sleeps until a byte comes, or until the parent is gone and it is killed for want of a writer.
            let (mut wait, mut go) = pipe().map_err(failed("pipe"))?;
            let sleeper = Copy::start(|| {
                let _ = wait.read(&mut [0]);
                0
            });
            let sleeper = sleeper.map_err(failed("fork"))?;
            let timed = touch(&mut mapping);
            go.write_all(&[0]).map_err(failed("pipe"))?;
            let _ = sleeper.wait();
            Ok(timed)
        }
    }
}

fn touch(mapping: &mut Mapping) -> Timed {
    let before = Usage::of_this_thread();
    let start = Instant::now();
    mapping.touch_pages();
    let elapsed = start.elapsed();
    let after = Usage::of_this_thread();
    Timed {
        time_ns: u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX),
        minor_faults: after.minor_faults - before.minor_faults,
        major_faults: after.major_faults - before.major_faults,
        sum: 0,
    }
}
