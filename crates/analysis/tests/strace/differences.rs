//! Accepted differences from strace, with their reasons.

use events::Call;

use super::reading::{Decoded, Raw};

/// An accepted difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Difference {
    Followed,
    NewName,
    NewCall,
    Fifth,
    OtherRun,
    Unread,
    NotText,
    EmptyRing,
    AddressReturned,
}

impl Difference {
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Difference::Followed => "a pointer that strace follows into the program's memory",
            Difference::NewName => "a name that is newer than this strace",
            Difference::NewCall => "a call that is newer than this strace",
            Difference::Fifth => {
                "mremap's fifth argument with MREMAP_DONTUNMAP, which strace shows since 6.10"
            }
            Difference::OtherRun => "the id of a System V segment, another in every run",
            Difference::Unread => {
                "an empty name, which an event does not distinguish from one that was not read"
            }
            Difference::NotText => "a name that is not UTF-8, which an event has with replacements",
            Difference::EmptyRing => {
                "an array of io_uring_register without elements, which some of its operations have"
            }
            Difference::AddressReturned => "an address that strace prints as a decimal number",
        }
    }
}

/// Pointer arguments that strace follows, some only if the call succeeded.
const FOLLOWED: [(Call, usize); 13] = [
    (Call::GetMempolicy, 0),
    (Call::GetMempolicy, 1),
    (Call::IoSetup, 1),
    (Call::IoUringRegister, 2),
    (Call::Mbind, 3),
    (Call::MigratePages, 2),
    (Call::MigratePages, 3),
    (Call::Mincore, 2),
    (Call::MovePages, 2),
    (Call::MovePages, 3),
    (Call::MovePages, 4),
    (Call::ProcessMadvise, 1),
    (Call::SetMempolicy, 1),
];

/// Arguments with names that strace 6.1 does not know, as we and as it shows them.
const NEW_NAMES: [(&str, &str); 21] = [
    ("MADV_GUARD_INSTALL", "0x66 /* MADV_??? */"),
    ("MADV_GUARD_REMOVE", "0x67 /* MADV_??? */"),
    ("MAP_DROPPABLE|MAP_ANONYMOUS", "0x8 /* MAP_??? */|MAP_ANONYMOUS"),
    ("MAP_PRIVATE|MAP_ANONYMOUS|MAP_ABOVE4G", "MAP_PRIVATE|MAP_ANONYMOUS|0x80"),
    ("MFD_NOEXEC_SEAL", "0x8 /* MFD_??? */"),
    ("MFD_EXEC", "0x10 /* MFD_??? */"),
    ("MFD_CLOEXEC|MFD_EXEC", "MFD_CLOEXEC|0x10"),
    ("MPOL_WEIGHTED_INTERLEAVE", "0x6 /* MPOL_??? */"),
    ("IORING_REGISTER_SYNC_CANCEL", "0x18 /* IORING_REGISTER_??? */"),
    ("IORING_REGISTER_FILE_ALLOC_RANGE", "0x19 /* IORING_REGISTER_??? */"),
    ("IORING_REGISTER_PBUF_STATUS", "0x1a /* IORING_REGISTER_??? */"),
    ("IORING_REGISTER_NAPI", "0x1b /* IORING_REGISTER_??? */"),
    ("IORING_UNREGISTER_NAPI", "0x1c /* IORING_REGISTER_??? */"),
    ("IORING_REGISTER_CLOCK", "0x1d /* IORING_REGISTER_??? */"),
    ("IORING_REGISTER_CLONE_BUFFERS", "0x1e /* IORING_REGISTER_??? */"),
    ("IORING_REGISTER_SEND_MSG_RING", "0x1f /* IORING_REGISTER_??? */"),
    ("IORING_REGISTER_ZCRX_IFQ", "0x20 /* IORING_REGISTER_??? */"),
    ("IORING_REGISTER_RESIZE_RINGS", "0x21 /* IORING_REGISTER_??? */"),
    ("IORING_REGISTER_MEM_REGION", "0x22 /* IORING_REGISTER_??? */"),
    ("IORING_REGISTER_QUERY", "0x23 /* IORING_REGISTER_??? */"),
    (
        "IORING_REGISTER_RING_FDS|IORING_REGISTER_USE_REGISTERED_RING",
        "0x80000014 /* IORING_REGISTER_??? */",
    ),
];

/// The differences between our text of a call and strace's, or `None` if there is an unknown one.
pub(crate) fn between(
    raw: &Raw,
    ours: &[String],
    outcome: &str,
    theirs: &Decoded,
    followed: bool,
) -> Option<Vec<Difference>> {
    let call = raw.syscall.call;
    if raw.nameless {
        return Some(vec![Difference::NewCall]);
    }
    let mut found = Vec::new();
    let dont_unmap = raw.syscall.arguments[3] & 7 == 5;
    if call == Call::Mremap && dont_unmap && theirs.arguments.len() == 4 && ours.len() == 5 {
        found.push(Difference::Fifth);
    } else if ours.len() != theirs.arguments.len() {
        return None;
    }
    for (index, (ours, theirs)) in ours.iter().zip(&theirs.arguments).enumerate() {
        if ours != theirs {
            found.push(between_arguments(call, index, ours, theirs, followed)?);
        }
    }
    match (outcome == theirs.outcome, call) {
        (true, _) => Some(found),
        (false, Call::MapShadowStack) => {
            found.push(Difference::AddressReturned);
            Some(found)
        }
        (false, _) => None,
    }
}

fn between_arguments(
    call: Call,
    index: usize,
    ours: &str,
    theirs: &str,
    followed: bool,
) -> Option<Difference> {
    let address = ours.starts_with("0x");
    match (call, index) {
        _ if NEW_NAMES.contains(&(ours, theirs)) => Some(Difference::NewName),
        (Call::Shmat, 0) if ours.parse::<u32>().is_ok() && theirs.parse::<u32>().is_ok() => {
            Some(Difference::OtherRun)
        }
        (Call::MemfdCreate, 0) if address && theirs == "\"\"" => Some(Difference::Unread),
        (Call::MemfdCreate, 0) if ours == r#""\357\277\275""# && theirs == r#""\377""# => {
            Some(Difference::NotText)
        }
        (Call::IoUringRegister, 2) if address && theirs == "[]" => Some(Difference::EmptyRing),
        _ if followed && address && FOLLOWED.contains(&(call, index)) => Some(Difference::Followed),
        _ => None,
    }
}
