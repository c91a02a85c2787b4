//! Why a page fault happened, inferred: the kernel does not say. docs/trace.md has the rules and
//! where they fail.

use events::{Cause, MappingKind};

/// What is known of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Evidence {
    /// What is mapped there.
    pub(crate) kind: MappingKind,
    /// What may be done there.
    pub(crate) access: Access,
    /// What happened to the page before.
    pub(crate) before: Before,
    /// The fault read from a device.
    pub(crate) major: bool,
}

/// What the protection of a mapping allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nothing.
    Refused,
    /// Anything but writing.
    Read,
    /// Writing as well.
    Write,
}

/// What happened to a page since it was mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// Nothing.
    Nothing,
    /// A fault nearby may have brought it along from the page cache.
    BroughtAlong,
    /// Nothing that was seen, but it may have been there all the same.
    Perhaps,
    /// It was touched.
    Touched,
}

/// The cause that `evidence` leaves.
pub(crate) fn of(evidence: Evidence) -> Cause {
    // The access is refused, and the program gets a signal.
    if evidence.access == Access::Refused {
        return Cause::Unknown;
    }
    match evidence.kind {
        MappingKind::Heap | MappingKind::Anonymous | MappingKind::ThreadStack => {
            own_memory(evidence, Cause::FirstTouch)
        }
        MappingKind::Stack => own_memory(evidence, Cause::Stack),
        // Shared pages are never copied; a second fault means that the page was taken away
        // meanwhile.
        MappingKind::SharedAnonymous if evidence.before == Before::Touched => Cause::Unknown,
        MappingKind::SharedAnonymous => Cause::FirstTouch,
        MappingKind::PrivateFile => private_file(evidence),
        MappingKind::SharedFile => shared_file(evidence),
        MappingKind::Kernel | MappingKind::Other => Cause::Unknown,
    }
}

fn own_memory(evidence: Evidence, first: Cause) -> Cause {
    match (evidence.before, evidence.access) {
        // It came back from swap.
        _ if evidence.major => Cause::Unknown,
        (Before::Nothing | Before::BroughtAlong, _) => first,
        (Before::Touched, Access::Write) => Cause::CopyOnWrite,
        // A write that is refused, or nobody knows.
        (Before::Touched | Before::Perhaps, _) => Cause::Unknown,
    }
}

fn private_file(evidence: Evidence) -> Cause {
    match (evidence.before, evidence.access) {
        // What is copied is in memory already.
        _ if evidence.major => Cause::File,
        (Before::Touched | Before::BroughtAlong, Access::Write) => Cause::CopyOnWrite,
        (Before::Touched, _) => Cause::Unknown,
        // Brought along or not: what can only be read faults only while it is missing.
        _ => Cause::File,
    }
}

fn shared_file(evidence: Evidence) -> Cause {
    match (evidence.before, evidence.access) {
        // A write after a read faults once more, for the file system to hear of it (page_mkwrite).
        _ if evidence.major || evidence.access == Access::Write => Cause::File,
        (Before::Touched, _) => Cause::Unknown,
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
            (MappingKind::Kernel, [U; 10]),
            (MappingKind::Other, [U; 10]),
        ] {
            assert_eq!(causes(kind), expect, "{kind:?}");
        }
    }
}
