//! The size of the memory that a call concerns.

use events::{Call, Syscall};

/// The bytes that `syscall` asked to be mapped, unmapped, protected, advised, locked, looked at or
/// bound: its length argument, not rounded to pages, whether or not the call succeeded. For mremap
/// the new size. `None` if no argument is a length: brk has an address, shmat an object with a
/// size, `process_madvise` a list in memory.
#[must_use]
pub fn bytes(syscall: &Syscall) -> Option<u64> {
    match syscall.call {
        Call::Mremap => Some(syscall.arguments[2]),
        Call::Madvise
        | Call::MapShadowStack
        | Call::Mbind
        | Call::Mincore
        | Call::Mlock
        | Call::Mlock2
        | Call::Mmap
        | Call::Mprotect
        | Call::Mseal
        | Call::Msync
        | Call::Munlock
        | Call::Munmap
        | Call::PkeyMprotect
        | Call::RemapFilePages
        | Call::SetMempolicyHomeNode => Some(syscall.arguments[1]),
        Call::Brk
        | Call::GetMempolicy
        | Call::IoDestroy
        | Call::IoSetup
        | Call::IoUringRegister
        | Call::MemfdCreate
        | Call::MemfdSecret
        | Call::MigratePages
        | Call::Mlockall
        | Call::MovePages
        | Call::Munlockall
        | Call::ProcessMadvise
        | Call::ProcessMrelease
        | Call::SetMempolicy
        | Call::Shmat
        | Call::Shmdt
        | Call::Userfaultfd => None,
    }
}
