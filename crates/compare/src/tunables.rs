//! The settings of the C library (`GLIBC_TUNABLES`).

/// A setting, checked against what the C library lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tunable {
    /// `glibc.malloc.mmap_threshold`.
    pub name: String,
    /// Its value as the C library reads it.
    pub value: String,
}
