//! Why a page fault happened.

/// Why a page fault happened. The kernel does not report it; analysis infers it from mappings and
/// earlier faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cause {
    /// First access to a page that has no contents yet.
    FirstTouch,
    /// Write to an existing page that had to be copied first.
    CopyOnWrite,
    /// Write to a page that fork(2) had protected and that no other process has any more: it was
    /// made writable again, without a copy.
    Reuse,
    /// Access to a page of a file that was not mapped yet.
    File,
    /// The stack of the first thread grew.
    Stack,
    /// The cause does not follow from what was observed.
    Unknown,
}

impl Cause {
    /// Its word in files for other programs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Cause::FirstTouch => "first-touch",
            Cause::CopyOnWrite => "copy-on-write",
            Cause::Reuse => "reuse",
            Cause::File => "file",
            Cause::Stack => "stack",
            Cause::Unknown => "unknown",
        }
    }
}
