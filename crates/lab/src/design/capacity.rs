//! Refuses samples that would swap, fail or be killed, before a child is started.

use sys::cgroup::{MemoryLimit, tightest_memory_limit};

/// Memory that the kernel needs to work without reclaim, besides the measured memory and its page
/// tables (8 bytes a page, so 1/512).
pub(crate) const HEADROOM_BYTES: u64 = 32 << 20;
/// Address space of a child's code, libraries and stack.
const CHILD_BYTES: u64 = 24 << 20;

/// Address space that a thread reserves: its stack, and an arena of glibc (`HEAP_MAX_SIZE`, aligned
/// to its size).
const THREAD_BYTES: u64 = (2 << 20) + (128 << 20);

/// The limits on the memory of a child.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemoryLimits {
    /// Total memory of the machine.
    pub ram_bytes: Option<u64>,
    /// The part of it that can be used without swapping.
    pub available_bytes: Option<u64>,
    /// The tightest limit of a control group.
    pub cgroup: Option<MemoryLimit>,
    /// `RLIMIT_AS`.
    pub address_space_bytes: Option<u64>,
    /// `RLIMIT_DATA`.
    pub data_bytes: Option<u64>,
}

impl MemoryLimits {
    /// The current limits.
    #[must_use]
    pub fn now() -> Self {
        MemoryLimits {
            ram_bytes: sys::machine::ram_bytes(),
            available_bytes: sys::proc::available_bytes(),
            cgroup: tightest_memory_limit(),
            address_space_bytes: sys::limits::address_space_bytes(),
            data_bytes: sys::limits::data_bytes(),
        }
    }

    /// The limits left for memory if `threads` share the work, since each thread needs address
    /// space.
    #[must_use]
    pub fn with_threads(&self, threads: u64) -> Self {
        let taken = if threads > 1 { threads.saturating_mul(THREAD_BYTES) } else { 0 };
        let address_space_bytes = self.address_space_bytes.map(|space| space.saturating_sub(taken));
        MemoryLimits { address_space_bytes, ..self.clone() }
    }

    /// The memory that can be touched at once without reclaim, as far as it is known.
    #[must_use]
    pub fn left_bytes(&self) -> u64 {
        let cgroup = self.cgroup.as_ref().map(|limit| limit.left_bytes);
        [self.available_bytes, cgroup].into_iter().flatten().min().unwrap_or(u64::MAX)
    }
}

/// Bytes that a sample needs, with its page tables and the kernel's headroom.
#[must_use]
pub fn needed_bytes(size_bytes: u64, operations: u64, page_bytes: u64) -> u64 {
    let block = size_bytes.div_ceil(page_bytes).saturating_mul(page_bytes);
    let memory = block.saturating_mul(operations);
    memory.saturating_add(memory / 512).saturating_add(HEADROOM_BYTES)
}

/// Whether a sample that needs `needed` bytes fits.
///
/// # Errors
/// The limit that it would exceed, and what would fit.
pub fn check(needed: u64, limits: &MemoryLimits) -> Result<(), Refusal> {
    let over = |left: Option<u64>| left.filter(|&left| needed > left);
    let refusal = |limit: String, left: u64| {
        Err(Refusal { needed, limit, left: left.saturating_sub(HEADROOM_BYTES) })
    };
    if let Some(ram) = over(limits.ram_bytes) {
        return refusal("this machine's memory".to_owned(), ram);
    }
    if let Some(available) = over(limits.available_bytes) {
        return refusal("the memory that is free now".to_owned(), available);
    }
    if let Some(group) = &limits.cgroup
        && needed > group.left_bytes
    {
        return refusal(
            format!("the control group's limit ({})", group.file.display()),
            group.left_bytes,
        );
    }
    let own = |limit: Option<u64>| limit.map(|limit| limit.saturating_sub(CHILD_BYTES));
    if let Some(space) = over(own(limits.address_space_bytes)) {
        return refusal("the limit on address space (ulimit -v)".to_owned(), space);
    }
    if let Some(data) = over(own(limits.data_bytes)) {
        return refusal("the limit on data (ulimit -d)".to_owned(), data);
    }
    Ok(())
}

/// A request for more memory than a limit allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Bytes that a sample needs.
    pub needed: u64,
    /// The limit, in words.
    pub limit: String,
    /// The bytes that it leaves for blocks of memory.
    pub left: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn each_limit_is_named() {
        let ample = MemoryLimits {
            ram_bytes: Some(16 * GIB),
            available_bytes: Some(12 * GIB),
            cgroup: Some(MemoryLimit {
                file: "/g/memory.max".into(),
                limit_bytes: 9 * GIB,
                left_bytes: 8 * GIB,
            }),
            address_space_bytes: Some(6 * GIB),
            data_bytes: Some(4 * GIB),
        };
        let named = |size: u64| match check(needed_bytes(size, 1, 4096), &ample) {
            Ok(()) => String::new(),
            Err(refusal) => refusal.limit,
        };
        assert_eq!(named(3 * GIB), "");
        assert!(named(5 * GIB).contains("ulimit -d"));
        assert!(named(7 * GIB).contains("ulimit -v"));
        assert!(named(10 * GIB).contains("/g/memory.max"));
        assert!(named(13 * GIB).contains("free now"));
        assert!(named(999 << 40).contains("machine"));
    }

    #[test]
    fn threads_take_address_space() {
        let limits = MemoryLimits { address_space_bytes: Some(GIB), ..MemoryLimits::default() };
        assert!(check(64 << 20, &limits.with_threads(4)).is_ok());
        assert!(check(64 << 20, &limits.with_threads(8)).unwrap_err().limit.contains("ulimit -v"));
        assert_eq!(MemoryLimits::default().with_threads(1024), MemoryLimits::default());
    }

    #[test]
    fn unknown_limits_are_ignored() {
        assert_eq!(check(u64::MAX, &MemoryLimits::default()), Ok(()));
        assert_eq!(MemoryLimits::default().left_bytes(), u64::MAX);
    }

    #[test]
    fn batches_and_part_pages_count() {
        assert_eq!(needed_bytes(1, 8192, 4096) - HEADROOM_BYTES, (32 << 20) + (32 << 20) / 512);
        assert_eq!(needed_bytes(u64::MAX, 1, 4096), u64::MAX);
    }
}
