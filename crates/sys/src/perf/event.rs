//! Perf events of one thread (and of those that it starts) on one processor, which write records
//! into a ring.
//!
//! Safety story: the ioctls take a number, a descriptor that is borrowed meanwhile, or a pointer to
//! a live local of the type that `perf_event_open(2)` names.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::io::Read;
use std::os::fd::AsRawFd;

use perf_event_open_sys::bindings as perf;
use perf_event_open_sys::ioctls;

use super::record::Samples;
use super::record::mode;
use super::{ATTRIBUTES_BYTES, open};
use crate::Errno;

/// What an event watches. [`super::record`] has the contents of its samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Watched {
    /// Nothing: the event has no samples.
    Nothing,
    /// A page fault has begun: `PERF_COUNT_SW_PAGE_FAULTS`, which the kernel emits on entry.
    FaultBegins,
    /// A minor fault is complete: `PERF_COUNT_SW_PAGE_FAULTS_MIN`.
    MinorFaultEnds,
    /// A major fault is complete: `PERF_COUNT_SW_PAGE_FAULTS_MAJ`.
    MajorFaultEnds,
    /// The tracepoint `raw_syscalls:sys_enter` with this id, where the filter matches.
    CallBegins(u64, String),
    /// The tracepoint `raw_syscalls:sys_exit` with this id, where the filter matches.
    CallEnds(u64, String),
}

/// The target of an event, and when it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventTarget {
    /// The thread. Threads and processes that it starts from now on are included.
    pub tid: u32,
    /// The processor.
    pub cpu: u32,
    /// Excludes kernel mode, as an ordinary user must at `perf_event_paranoid` 2. Tracepoints are
    /// always in kernel mode.
    pub user_mode_only: bool,
    /// Whether the event starts at the thread's next execve(2) instead of at once.
    pub from_exec: bool,
    /// Also records the start and end of threads, mappings, and switches on and off the processor.
    /// A separate event for these would make each context switch slower.
    pub sideband: bool,
}

/// An open event. Closing it ends it for the thread's descendants as well.
#[derive(Debug)]
pub struct PerfEvent {
    file: std::fs::File,
    samples: Option<Samples>,
}

/// The counts of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PerfReading {
    /// How often it happened, including the times when its record was lost.
    pub count: u64,
    /// Records that were lost because the ring was full. `None`: a kernel before 6.0, which reports
    /// them only in the ring.
    pub lost: Option<u64>,
}

impl PerfEvent {
    /// Opens an event that writes one record each time it happens. A reader that polls the ring's
    /// event wakes up each time `wake_bytes` more have been written.
    ///
    /// # Errors
    /// EACCES or EPERM: `perf_event_paranoid`, a container's seccomp filter, or another user's
    /// process. ESRCH: the thread is gone. EMFILE: too many open files. ENOENT: no such tracepoint.
    /// EINVAL: the filter. ENOSYS: a kernel without perf.
    pub fn open(watched: &Watched, target: EventTarget, wake_bytes: u32) -> Result<Self, Errno> {
        let mut attributes = attributes(watched, target, wake_bytes);
        let (Ok(tid), Ok(cpu)) = (i32::try_from(target.tid), i32::try_from(target.cpu)) else {
            return Err(Errno(libc::ESRCH));
        };
        let mut opened = open(&mut attributes, tid, cpu);
        // Kernels before 6.0 do not count lost records, and those before 5.11 do not report the
        // size of a page.
        if opened.as_ref().err() == Some(&Errno(libc::EINVAL)) {
            attributes.read_format = 0;
            opened = open(&mut attributes, tid, cpu);
        }
        if opened.as_ref().err() == Some(&Errno(libc::EINVAL)) {
            attributes.sample_type &= !PAGE_SIZE;
            opened = open(&mut attributes, tid, cpu);
        }
        let sized = attributes.sample_type & PAGE_SIZE != 0;
        let event = PerfEvent { file: opened?, samples: samples(watched, sized) };
        if let Watched::CallBegins(_, filter) | Watched::CallEnds(_, filter) = watched {
            event.filter(filter)?;
        }
        Ok(event)
    }

    /// The contents of its samples, if it has any.
    #[must_use]
    pub fn samples(&self) -> Option<Samples> {
        self.samples
    }

    /// Restricts the event to where `filter` matches (Documentation/trace/events.rst).
    fn filter(&self, filter: &str) -> Result<(), Errno> {
        let filter = CString::new(filter).map_err(|_| Errno(libc::EINVAL))?;
        // SAFETY: the string is NUL-terminated and lives through the call.
        let failed =
            unsafe { ioctls::SET_FILTER(self.file.as_raw_fd(), filter.as_ptr().cast_mut()) };
        if failed == 0 { Ok(()) } else { Err(Errno::last()) }
    }

    /// Its id in samples. Events that descendants inherit have the same id.
    ///
    /// # Errors
    /// None is known for an open event.
    pub fn id(&self) -> Result<u64, Errno> {
        let mut id = 0;
        // SAFETY: the kernel writes one u64.
        let failed = unsafe { ioctls::ID(self.file.as_raw_fd(), &raw mut id) };
        if failed == 0 { Ok(id) } else { Err(Errno::last()) }
    }

    /// Writes its records into the ring of `other`, an event on the same processor.
    ///
    /// # Errors
    /// EINVAL if they are on different processors.
    pub fn write_to(&self, other: &PerfEvent) -> Result<(), Errno> {
        // SAFETY: both descriptors are open perf events.
        let failed = unsafe { ioctls::SET_OUTPUT(self.file.as_raw_fd(), other.file.as_raw_fd()) };
        if failed == 0 { Ok(()) } else { Err(Errno::last()) }
    }

    /// Starts it, or starts it again.
    pub fn start(&self) {
        // SAFETY: the request takes no memory.
        let failed = unsafe { ioctls::ENABLE(self.file.as_raw_fd(), 0) };
        debug_assert_eq!(failed, 0, "PERF_EVENT_IOC_ENABLE of an own event cannot fail");
    }

    /// Stops it for all descendants.
    pub fn stop(&self) {
        // SAFETY: the request takes no memory.
        let failed = unsafe { ioctls::DISABLE(self.file.as_raw_fd(), 0) };
        debug_assert_eq!(failed, 0, "PERF_EVENT_IOC_DISABLE of an own event cannot fail");
    }

    /// Its counts so far, over all threads.
    ///
    /// # Errors
    /// EIO if the kernel has put the event into an error state.
    pub fn read(&self) -> Result<PerfReading, Errno> {
        let mut bytes = [0; 16];
        let read = (&self.file)
            .read(&mut bytes)
            .map_err(|e| Errno(e.raw_os_error().unwrap_or(libc::EIO)))?;
        let word = |at: usize| u64::from_ne_bytes(std::array::from_fn(|i| bytes[at + i]));
        Ok(PerfReading { count: word(0), lost: (read == 16).then(|| word(8)) })
    }

    pub(super) fn as_raw_fd(&self) -> i32 {
        self.file.as_raw_fd()
    }
}

impl From<PerfEvent> for std::os::fd::OwnedFd {
    fn from(event: PerfEvent) -> Self {
        event.file.into()
    }
}

impl std::os::fd::AsFd for PerfEvent {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// The contents of samples; `sized`: they end with the size of the page.
fn samples(watched: &Watched, sized: bool) -> Option<Samples> {
    Some(match watched {
        Watched::Nothing => return None,
        Watched::FaultBegins => Samples::FaultBegins { sized },
        Watched::MinorFaultEnds => Samples::FaultEnds { major: false, sized },
        Watched::MajorFaultEnds => Samples::FaultEnds { major: true, sized },
        Watched::CallBegins(..) => Samples::CallBegins,
        Watched::CallEnds(..) => Samples::CallEnds,
    })
}

const PAGE_SIZE: u64 = perf::PERF_SAMPLE_DATA_PAGE_SIZE as u64;

/// Every record has the task, the time and the id of its event; samples of page faults and syscalls
/// have more.
fn attributes(watched: &Watched, target: EventTarget, wake_bytes: u32) -> perf::perf_event_attr {
    let always = perf::PERF_SAMPLE_IDENTIFIER | perf::PERF_SAMPLE_TID | perf::PERF_SAMPLE_TIME;
    let software =
        |config: u32, more: u32| (perf::PERF_TYPE_SOFTWARE, u64::from(config), always | more);
    let (type_, config, sample_type) = match watched {
        Watched::Nothing => software(perf::PERF_COUNT_SW_DUMMY, 0),
        // The size is 0 if there is no page yet.
        Watched::FaultBegins => software(
            perf::PERF_COUNT_SW_PAGE_FAULTS,
            perf::PERF_SAMPLE_IP | perf::PERF_SAMPLE_ADDR | perf::PERF_SAMPLE_DATA_PAGE_SIZE,
        ),
        Watched::MinorFaultEnds => {
            software(perf::PERF_COUNT_SW_PAGE_FAULTS_MIN, perf::PERF_SAMPLE_DATA_PAGE_SIZE)
        }
        // Three unused words give these samples a length that no other event's samples have (see
        // `super::record`).
        Watched::MajorFaultEnds => software(
            perf::PERF_COUNT_SW_PAGE_FAULTS_MAJ,
            perf::PERF_SAMPLE_ADDR
                | perf::PERF_SAMPLE_CPU
                | perf::PERF_SAMPLE_PERIOD
                | perf::PERF_SAMPLE_DATA_PAGE_SIZE,
        ),
        Watched::CallBegins(id, _) => (
            perf::PERF_TYPE_TRACEPOINT,
            *id,
            always | perf::PERF_SAMPLE_RAW | perf::PERF_SAMPLE_REGS_USER,
        ),
        Watched::CallEnds(id, _) => {
            (perf::PERF_TYPE_TRACEPOINT, *id, always | perf::PERF_SAMPLE_RAW)
        }
    };
    let mut attributes = perf::perf_event_attr { type_, config, ..Default::default() };
    attributes.size = ATTRIBUTES_BYTES;
    attributes.sample_type = u64::from(sample_type);
    attributes.__bindgen_anon_1.sample_period = 1;
    attributes.read_format = u64::from(perf::PERF_FORMAT_LOST);
    if matches!(watched, Watched::CallBegins(..)) {
        attributes.sample_regs_user = mode::REGISTERS;
    }
    attributes.set_inherit(1);
    attributes.set_disabled(u64::from(target.from_exec));
    attributes.set_enable_on_exec(u64::from(target.from_exec));
    attributes.set_exclude_hv(1);
    let tracepoint = matches!(watched, Watched::CallBegins(..) | Watched::CallEnds(..));
    attributes.set_exclude_kernel(u64::from(target.user_mode_only && !tracepoint));
    attributes.set_use_clockid(1);
    attributes.clockid = libc::CLOCK_MONOTONIC;
    attributes.set_watermark(1);
    attributes.__bindgen_anon_2.wakeup_watermark = wake_bytes;
    if target.sideband {
        attributes.set_sample_id_all(1);
        attributes.set_task(1);
        attributes.set_comm(1);
        attributes.set_comm_exec(1);
        attributes.set_mmap(1);
        attributes.set_mmap2(1);
        attributes.set_mmap_data(1);
        attributes.set_context_switch(1);
    }
    attributes
}
