//! Perf events, `perf_event_open(2)`: here a counter of page faults, a software event that needs no
//! hardware; in [`event`], [`ring`] and [`record`] events that write a record each time they
//! happen.
//!
//! Safety story: the attribute block is plain data that the kernel copies, and the descriptor is
//! owned.
#![allow(unsafe_code)]

pub mod event;
pub mod record;
pub mod ring;

use std::io::Read;
use std::os::fd::FromRawFd;

use perf_event_open_sys::bindings::{
    PERF_COUNT_SW_PAGE_FAULTS, PERF_TYPE_SOFTWARE, perf_event_attr,
};
use perf_event_open_sys::{ioctls, perf_event_open};

use crate::Errno;

#[expect(clippy::cast_possible_truncation, reason = "some hundred bytes")]
const ATTRIBUTES_BYTES: u32 = size_of::<perf_event_attr>() as u32;

/// Counts the page faults that this thread, and threads that it starts from now on, take in user
/// mode; an ordinary user may count no others at `perf_event_paranoid` 2. Excluded are faults that
/// the kernel takes on the thread's behalf (read(2) into fresh memory) and pages that a call
/// populates.
#[derive(Debug)]
pub struct FaultCounter(std::fs::File);

impl FaultCounter {
    /// Opens the counter, not yet counting.
    ///
    /// # Errors
    /// EACCES or EPERM: `perf_event_paranoid` above 2, or a container's seccomp filter. ENOSYS: a
    /// kernel without perf events.
    pub fn new() -> Result<Self, Errno> {
        FaultCounter::open(true)
    }

    /// Opens a counter of the thread's faults in kernel mode as well, not yet counting:
    /// `perf_event_paranoid` 1 or below, or `CAP_PERFMON`.
    ///
    /// # Errors
    /// As [`FaultCounter::new`], and EACCES at `perf_event_paranoid` 2.
    pub fn with_kernel_mode() -> Result<Self, Errno> {
        FaultCounter::open(false)
    }

    fn open(user_mode_only: bool) -> Result<Self, Errno> {
        let mut attributes = perf_event_attr { type_: PERF_TYPE_SOFTWARE, ..Default::default() };
        attributes.size = ATTRIBUTES_BYTES;
        attributes.config = u64::from(PERF_COUNT_SW_PAGE_FAULTS);
        attributes.set_disabled(1);
        attributes.set_inherit(1);
        attributes.set_exclude_kernel(u64::from(user_mode_only));
        attributes.set_exclude_hv(1);
        // This thread, on any processor.
        open(&mut attributes, 0, -1).map(FaultCounter)
    }

    /// Starts counting.
    pub fn start(&self) {
        // SAFETY: the descriptor is a perf event; the request takes no memory.
        let failed = unsafe { ioctls::ENABLE(std::os::fd::AsRawFd::as_raw_fd(&self.0), 0) };
        debug_assert_eq!(failed, 0, "PERF_EVENT_IOC_ENABLE of an own event cannot fail");
    }

    /// Stops counting and returns the count.
    ///
    /// # Errors
    /// EIO if the kernel has put the event into an error state.
    pub fn stop(mut self) -> Result<u64, Errno> {
        // SAFETY: as in `start`.
        unsafe { ioctls::DISABLE(std::os::fd::AsRawFd::as_raw_fd(&self.0), 0) };
        let mut count = [0; 8];
        match self.0.read_exact(&mut count) {
            Ok(()) => Ok(u64::from_ne_bytes(count)),
            Err(e) => Err(Errno(e.raw_os_error().unwrap_or(libc::EIO))),
        }
    }
}

/// Opens an event of the thread `tid` (0: the calling thread) on the processor `cpu` (-1: any).
fn open(attributes: &mut perf_event_attr, tid: i32, cpu: i32) -> Result<std::fs::File, Errno> {
    // SAFETY: the kernel reads `attributes` up to its `size`, and may write its own size there.
    let fd = unsafe {
        perf_event_open(
            std::ptr::from_mut(attributes),
            tid,
            cpu,
            -1,
            8, /* PERF_FLAG_FD_CLOEXEC */
        )
    };
    if fd < 0 {
        return Err(Errno::last());
    }
    // SAFETY: the descriptor is new and ours.
    Ok(unsafe { std::fs::File::from_raw_fd(fd) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::{OwnMapping, Policy};
    use crate::memory::Memory;

    #[test]
    fn every_first_touch_faults_once_and_populated_pages_never() {
        let count = |policy| {
            let counter = FaultCounter::new()?;
            let mut mapping = OwnMapping::new(1000 * 4096, policy).unwrap();
            counter.start();
            mapping.fill(1);
            counter.stop()
        };
        match (count(Policy::Plain), count(Policy::Populate)) {
            (Ok(plain), Ok(populated)) => {
                let thp = crate::machine::thp().unwrap_or_default();
                if thp != "always" {
                    assert!((1000..1010).contains(&plain), "{plain} faults for 1,000 pages");
                }
                assert!(populated < 10, "{populated} faults for populated pages");
            }
            (Err(e), _) | (_, Err(e)) => {
                skips::skip(&format!("page faults cannot be counted here: {e}"));
            }
        }
    }
}
