//! Why a page fault happened.

/// Why a page fault happened. The kernel does not say; analysis infers it from mappings and earlier
/// faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cause {
    /// Memory without contents was used for the first time.
    FirstTouch,
    /// A page that was there had to be copied before it could be written.
    CopyOnWrite,
    /// A page of a file had to be found, and mapped.
    File,
    /// The stack of the first thread grew.
    Stack,
    /// What was observed allows no other answer.
    Unknown,
}

impl Cause {
    /// Its word in files for other programs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Cause::FirstTouch => "first-touch",
            Cause::CopyOnWrite => "copy-on-write",
            Cause::File => "file",
            Cause::Stack => "stack",
            Cause::Unknown => "unknown",
        }
    }
}
