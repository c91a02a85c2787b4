//! How much may wait for the consumer, whatever source it came from.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that sources have delivered and the consumer has not received. Beyond the bound a source
/// counts what it loses: the program that is observed never waits for a consumer, and memory has an
/// end.
#[derive(Debug)]
pub(crate) struct Budget {
    waiting_bytes: AtomicUsize,
    most_bytes: usize,
}

impl Budget {
    /// `most_bytes` may wait.
    pub(crate) fn new(most_bytes: usize) -> Self {
        Budget { waiting_bytes: AtomicUsize::new(0), most_bytes }
    }

    /// Whether nothing more may wait.
    pub(crate) fn is_full(&self) -> bool {
        self.waiting_bytes.load(Ordering::Acquire) >= self.most_bytes
    }

    /// `bytes` wait from now on.
    pub(crate) fn add(&self, bytes: usize) {
        self.waiting_bytes.fetch_add(bytes, Ordering::AcqRel);
    }

    /// `bytes` were received.
    pub(crate) fn remove(&self, bytes: usize) {
        self.waiting_bytes.fetch_sub(bytes, Ordering::AcqRel);
    }
}
