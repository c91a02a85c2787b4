//! The ring buffer through which the kernel passes records (`perf_event_open(2)`, "MMAP layout").
//!
//! ```text
//!   page 0: data_tail (ours), data_head (the kernel's), both counting bytes since the start
//!   then    a power of two of pages:   ... free | tail > unread records > head | free ...
//! ```
//! The kernel writes after `data_head` and stops before it would reach `data_tail`; we read between
//! the two, and then move the tail.
//!
//! Safety story: the mapping is owned and unmapped once. The kernel never changes bytes between
//! tail and head; the head is read with acquire and the tail written with release, as the manual
//! requires, so the bytes do not change while they are copied.
#![allow(unsafe_code)]

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use perf_event_open_sys::bindings::perf_event_mmap_page;

use super::event::PerfEvent;
use crate::Errno;

/// The ring of one event, into which others on the same processor may write as well.
#[derive(Debug)]
pub struct Ring {
    control: NonNull<perf_event_mmap_page>,
    data_bytes: usize,
    /// The number of bytes read so far.
    tail: u64,
}

// SAFETY: the mapping belongs to the ring, whichever thread has it.
unsafe impl Send for Ring {}

impl Ring {
    /// Maps a ring of `data_bytes` for `event`.
    ///
    /// # Errors
    /// EPERM: more than `perf_event_mlock_kb` and `RLIMIT_MEMLOCK` allow this user. EINVAL:
    /// `data_bytes` is not a power of two of pages.
    pub fn new(event: &PerfEvent, data_bytes: usize) -> Result<Self, Errno> {
        let page = rustix::param::page_size();
        // SAFETY: a null hint lets the kernel choose a free range; the descriptor is an open perf
        // event.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                page + data_bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                event.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(Errno::last());
        }
        let control = NonNull::new(start.cast()).ok_or(Errno(libc::EINVAL))?;
        Ok(Ring { control, data_bytes, tail: 0 })
    }

    /// Its capacity in bytes.
    #[must_use]
    pub fn data_bytes(&self) -> usize {
        self.data_bytes
    }

    /// Appends the unread bytes to `into` and frees their room for the kernel. Returns their
    /// number.
    pub fn take(&mut self, into: &mut Vec<u8>) -> usize {
        let head = self.head().load(Ordering::Acquire);
        let unread = usize::try_from(head.wrapping_sub(self.tail))
            .unwrap_or(usize::MAX)
            .min(self.data_bytes);
        let start = usize::try_from(self.tail % self.data_bytes as u64).unwrap_or(0);
        let first = unread.min(self.data_bytes - start);
        into.reserve(unread);
        for (from, len) in [(start, first), (0, unread - first)] {
            // SAFETY: `from` is within the data.
            let from = unsafe { self.data().add(from) };
            // SAFETY: so is `from + len`, and the kernel does not change bytes between tail and
            // head.
            into.extend_from_slice(unsafe { std::slice::from_raw_parts(from, len) });
        }
        self.tail = head;
        self.tail_word().store(head, Ordering::Release);
        unread
    }

    fn data(&self) -> *const u8 {
        // SAFETY: the data follow the control page within the mapping.
        unsafe { self.control.as_ptr().cast::<u8>().add(rustix::param::page_size()) }
    }

    fn head(&self) -> &AtomicU64 {
        // SAFETY: the page lives as long as the mapping; no reference to it is made.
        let head = unsafe { &raw mut (*self.control.as_ptr()).data_head };
        // SAFETY: the field is aligned and only ever accessed atomically.
        unsafe { AtomicU64::from_ptr(head) }
    }

    fn tail_word(&self) -> &AtomicU64 {
        // SAFETY: as in `head`.
        let tail = unsafe { &raw mut (*self.control.as_ptr()).data_tail };
        // SAFETY: as in `head`.
        unsafe { AtomicU64::from_ptr(tail) }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: mapped by `new` with this length; no reference into it outlives the ring.
        unsafe {
            libc::munmap(self.control.as_ptr().cast(), rustix::param::page_size() + self.data_bytes)
        };
    }
}
