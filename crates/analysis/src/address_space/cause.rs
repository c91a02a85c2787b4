//! Infers the cause of a page fault, which the kernel does not report. docs/trace.md has the rules
//! and their limits.

use events::{Cause, MappingKind};

/// The evidence for a fault's cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Evidence {
    /// The kind of mapping.
    pub(crate) kind: MappingKind,
    /// The allowed access.
    pub(crate) access: Access,
    /// The history of the page.
    pub(crate) before: Before,
    /// Whether the fault read from a device.
    pub(crate) major: bool,
}

/// The access that a mapping's protection allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// No access.
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

/// The cause that follows from `evidence`.
pub(crate) fn of(evidence: Evidence) -> Cause {
    // The access is refused; the program gets a signal.
    if evidence.access == Access::Refused {
        return Cause::Unknown;
    }
    match evidence.kind {
        MappingKind::Heap | MappingKind::Anonymous | MappingKind::ThreadStack => {
            own_memory(evidence, Cause::FirstTouch)
        }
        MappingKind::Stack => own_memory(evidence, Cause::Stack),
        // Shared pages are never copied; a second fault means that the page was removed in between.
        MappingKind::SharedAnonymous if evidence.before == Before::Touched => Cause::Unknown,
        MappingKind::SharedAnonymous => Cause::FirstTouch,
        MappingKind::PrivateFile => private_file(evidence),
        MappingKind::SharedFile => shared_file(evidence),
        MappingKind::Kernel => kernel_page(evidence),
        MappingKind::Other => Cause::Unknown,
    }
}

fn own_memory(evidence: Evidence, first: Cause) -> Cause {
    match (evidence.before, evidence.access) {
        // It came back from swap.
        _ if evidence.major => Cause::Unknown,
        (Before::Nothing | Before::BroughtAlong, _) => first,
        (Before::Touched, Access::Write) => Cause::CopyOnWrite,
        // A refused write, or unknown.
        (Before::Touched | Before::Perhaps, _) => Cause::Unknown,
    }
}

fn private_file(evidence: Evidence) -> Cause {
    match (evidence.before, evidence.access) {
        // A copied page is already in memory, so a major fault is not a copy.
        _ if evidence.major => Cause::File,
        (Before::Touched | Before::BroughtAlong, Access::Write) => Cause::CopyOnWrite,
        (Before::Touched, _) => Cause::Unknown,
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
            let new =
                Evidence { kind, access: Access::Write, before: Before::Nothing, major: false };
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
}
