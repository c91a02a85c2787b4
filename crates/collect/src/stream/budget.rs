//! The bound on what may wait for the consumer, over all sources.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that sources have delivered and the consumer has not received. Beyond the bound a source
/// drops events and counts them: the observed program never waits for a consumer, and memory use is
/// bounded.
#[derive(Debug)]
pub(crate) struct Budget {
    waiting_bytes: AtomicUsize,
    most_bytes: usize,
}

impl Budget {
    /// A budget of `most_bytes`.
    pub(crate) fn new(most_bytes: usize) -> Self {
        Budget { waiting_bytes: AtomicUsize::new(0), most_bytes }
    }

    /// Whether the bound is reached.
    pub(crate) fn is_full(&self) -> bool {
        self.waiting_bytes.load(Ordering::Acquire) >= self.most_bytes
    }

    /// Adds waiting `bytes`.
    pub(crate) fn add(&self, bytes: usize) {
        self.waiting_bytes.fetch_add(bytes, Ordering::AcqRel);
    }

    /// Removes `bytes` that the consumer has received.
    pub(crate) fn remove(&self, bytes: usize) {
        self.waiting_bytes.fetch_sub(bytes, Ordering::AcqRel);
    }
}
