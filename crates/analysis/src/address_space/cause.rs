//! Infers the cause of a page fault, which the kernel does not report. docs/trace.md has the rules
//! and their limits.

use events::{Cause, MappingKind};

/// The evidence for a fault's cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Evidence {
    /// The kind of mapping.
    pub(crate) kind: MappingKind,
    /// The access.
    pub(crate) access: Access,
    /// The history of the page.
    pub(crate) before: Before,
    /// Whether the page table had the page when the fault began.
    pub(crate) page: PageFound,
    /// What a write to the page does if that is there.
    pub(crate) write: WriteEffect,
    /// Whether the fault read from a device.
    pub(crate) major: bool,
}

/// What a write to a private page that is there, and may not be written, does (`do_wp_page` of
/// mm/memory.c).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WriteEffect {
    /// It copies the page: others have it too, or it is a page of zeros or of a file.
    Copies,
    /// It makes the page writable: it is the process's own, and a fork had protected it.
    Reuses,
    /// One of both.
    Unclear,
}

impl WriteEffect {
    fn cause(self) -> Cause {
        match self {
            WriteEffect::Copies => Cause::CopyOnWrite,
            WriteEffect::Reuses => Cause::Reuse,
            WriteEffect::Unclear => Cause::Unknown,
        }
    }
}

/// The access, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// It was refused, or interrupted: no page came of it.
    Refused,
    /// Any access except writing.
    Read,
    /// Any access.
    Write,
}

/// The history of a page since it was mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// Nothing.
    Nothing,
    /// A nearby fault may have mapped it from the page cache.
    BroughtAlong,
    /// No touch was seen, but the page may be present.
    Perhaps,
    /// It was touched.
    Touched,
}

/// What the kernel found in the page table when the fault began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PageFound {
    /// The page.
    Present,
    /// No page, and the machine has no swap: it has no contents yet, or they are in a file.
    Missing,
    /// No page, but a page that was there before may be in swap.
    MissingOrSwapped,
    /// The kernel does not report it (before Linux 5.11); the history decides.
    Unknown,
}

/// The cause that follows from `evidence`.
pub(crate) fn of(evidence: Evidence) -> Cause {
    // The access is refused; the program gets a signal.
    if evidence.access == Access::Refused {
        return Cause::Unknown;
    }
    let before = evidence.with_page_found();
    match evidence.kind {
        MappingKind::Heap | MappingKind::Anonymous | MappingKind::ThreadStack => {
            own_memory(before, Cause::FirstTouch)
        }
        MappingKind::Stack => own_memory(before, Cause::Stack),
        MappingKind::SharedAnonymous => shared_anonymous(evidence),
        MappingKind::PrivateFile => private_file(before),
        MappingKind::SharedFile => shared_file(before),
        MappingKind::Kernel => kernel_page(before),
        MappingKind::Other => Cause::Unknown,
    }
}

impl Evidence {
    /// The evidence with the history that the page table shows, which is certain, in place of the
    /// history of what was observed.
    fn with_page_found(self) -> Evidence {
        let before = match (self.page, self.before) {
            (PageFound::Unknown, before) => before,
            (PageFound::Present, _) => Before::Touched,
            (PageFound::Missing, _) | (_, Before::Nothing | Before::BroughtAlong) => {
                Before::Nothing
            }
            (PageFound::MissingOrSwapped, _) => Before::Perhaps,
        };
        Evidence { before, ..self }
    }
}

fn own_memory(evidence: Evidence, first: Cause) -> Cause {
    match (evidence.before, evidence.access) {
        // It came back from swap, unless there is none: then the kernel took the fault twice
        // (`mm_account_fault` of mm/memory.c), such as for userfaultfd.
        _ if evidence.major && evidence.page != PageFound::Missing => Cause::Unknown,
        (Before::Nothing | Before::BroughtAlong, _) => first,
        (Before::Touched, Access::Write) => evidence.write.cause(),
        // A refused write, or unknown.
        (Before::Touched | Before::Perhaps, _) => Cause::Unknown,
    }
}

/// Shared pages are never copied. If a page is missing again, it was removed in between: either
/// from this page table only, or for all who share it.
fn shared_anonymous(evidence: Evidence) -> Cause {
    let is_there = evidence.page == PageFound::Present || evidence.before == Before::Touched;
    if is_there { Cause::Unknown } else { Cause::FirstTouch }
}

fn private_file(evidence: Evidence) -> Cause {
    match (evidence.before, evidence.access) {
        // A copied page is already in memory, so a major fault is not a copy.
        _ if evidence.major => Cause::File,
        (Before::Touched | Before::BroughtAlong, Access::Write) => evidence.write.cause(),
        (Before::Touched, _) => Cause::Unknown,
        // It may have been copied, and come back from swap.
        (Before::Perhaps, Access::Write) if evidence.page == PageFound::MissingOrSwapped => {
            Cause::Unknown
        }
        // A page that can only be read faults only while it is missing, whether mapped by a
        // neighbour or not.
        _ => Cause::File,
    }
}

fn shared_file(evidence: Evidence) -> Cause {
    match (evidence.before, evidence.access) {
        // A write after a read faults again, to notify the file system (page_mkwrite).
        _ if evidence.major || evidence.access == Access::Write => Cause::File,
        (Before::Touched, _) => Cause::Unknown,
        _ => Cause::File,
    }
}

/// A page of the vdso or of its data is part of the kernel: a fault only maps it. The vdso is
/// private, so a program that makes it writable and writes gets a copy.
fn kernel_page(evidence: Evidence) -> Cause {
    match (evidence.before, evidence.access) {
        (Before::Touched, Access::Write) => Cause::CopyOnWrite,
        _ => Cause::File,
    }
}

#[cfg(test)]
mod tests {
    use super::Cause::{CopyOnWrite as C, File as F, FirstTouch as T, Stack as S, Unknown as U};
    use super::*;

    #[test]
    fn each_kind_of_memory_has_its_causes() {
        let causes = |kind| {
            let new = Evidence {
                kind,
                access: Access::Write,
                before: Before::Nothing,
                page: PageFound::Unknown,
                write: WriteEffect::Copies,
                major: false,
            };
            let touched = Evidence { before: Before::Touched, ..new };
            [
                new,
                touched,
                Evidence { access: Access::Read, ..touched },
                Evidence { major: true, ..new },
                Evidence { major: true, ..touched },
                Evidence { access: Access::Refused, ..new },
                Evidence { before: Before::BroughtAlong, ..new },
                Evidence { before: Before::BroughtAlong, access: Access::Read, ..new },
                Evidence { before: Before::BroughtAlong, major: true, ..new },
                Evidence { before: Before::Perhaps, ..new },
            ]
            .map(of)
        };
        for (kind, expect) in [
            (MappingKind::Heap, [T, C, U, U, U, U, T, T, U, U]),
            (MappingKind::Anonymous, [T, C, U, U, U, U, T, T, U, U]),
            (MappingKind::ThreadStack, [T, C, U, U, U, U, T, T, U, U]),
            (MappingKind::Stack, [S, C, U, U, U, U, S, S, U, U]),
            (MappingKind::SharedAnonymous, [T, U, U, T, U, U, T, T, T, T]),
            (MappingKind::PrivateFile, [F, C, U, F, F, U, C, F, F, F]),
            (MappingKind::SharedFile, [F, F, U, F, F, U, F, F, F, F]),
            (MappingKind::Kernel, [F, C, F, F, C, U, F, F, F, F]),
            (MappingKind::Other, [U; 10]),
        ] {
            assert_eq!(causes(kind), expect, "{kind:?}");
        }
    }

    /// The page table outranks the history of what was observed.
    #[test]
    fn a_page_that_was_found_or_not_decides() {
        use PageFound::{Missing, MissingOrSwapped, Present};
        let causes = |kind| {
            let cause = |page, before, access| {
                let write = WriteEffect::Copies;
                of(Evidence { kind, access, before, page, write, major: false })
            };
            [
                cause(Present, Before::Nothing, Access::Write),
                cause(Present, Before::Nothing, Access::Read),
                cause(Missing, Before::Nothing, Access::Write),
                cause(Missing, Before::Touched, Access::Write),
                cause(Missing, Before::BroughtAlong, Access::Write),
                cause(Missing, Before::Perhaps, Access::Write),
                cause(MissingOrSwapped, Before::Nothing, Access::Write),
                cause(MissingOrSwapped, Before::Touched, Access::Write),
            ]
        };
        for (kind, expect) in [
            (MappingKind::Heap, [C, U, T, T, T, T, T, U]),
            (MappingKind::Anonymous, [C, U, T, T, T, T, T, U]),
            (MappingKind::ThreadStack, [C, U, T, T, T, T, T, U]),
            (MappingKind::Stack, [C, U, S, S, S, S, S, U]),
            (MappingKind::SharedAnonymous, [U, U, T, U, T, T, T, U]),
            (MappingKind::PrivateFile, [C, U, F, F, F, F, F, U]),
            (MappingKind::SharedFile, [F, U, F, F, F, F, F, F]),
        ] {
            assert_eq!(causes(kind), expect, "{kind:?}");
        }
    }

    /// Of private memory without a device, nothing else is written in place.
    #[test]
    fn a_page_of_nobody_else_is_made_writable() {
        use MappingKind::{Anonymous, Heap, Kernel, PrivateFile, SharedFile, Stack, ThreadStack};
        let cause = |kind, access, write| {
            let (before, page) = (Before::Touched, PageFound::Present);
            of(Evidence { kind, access, before, page, write, major: false })
        };
        for kind in [Heap, Anonymous, ThreadStack, Stack, PrivateFile] {
            assert_eq!(cause(kind, Access::Write, WriteEffect::Reuses), Cause::Reuse, "{kind:?}");
            assert_eq!(cause(kind, Access::Write, WriteEffect::Unclear), U, "{kind:?}");
            assert_eq!(cause(kind, Access::Read, WriteEffect::Reuses), U, "{kind:?}");
        }
        assert_eq!(cause(SharedFile, Access::Write, WriteEffect::Reuses), F);
        assert_eq!(cause(Kernel, Access::Write, WriteEffect::Reuses), C);
    }
}
