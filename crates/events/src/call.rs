//! The memory syscalls.

/// A memory syscall: those that `strace -e trace=memory` shows (6.1), and newer or related ones
/// that create, seal or advise mappings.
#[repr(u8)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is named as in its manual page")]
pub enum Call {
    Brk,
    GetMempolicy,
    IoDestroy,
    IoSetup,
    IoUringRegister,
    Madvise,
    MapShadowStack,
    Mbind,
    MemfdCreate,
    MemfdSecret,
    MigratePages,
    Mincore,
    Mlock,
    Mlock2,
    Mlockall,
    Mmap,
    MovePages,
    Mprotect,
    Mremap,
    Mseal,
    Msync,
    Munlock,
    Munlockall,
    Munmap,
    PkeyMprotect,
    ProcessMadvise,
    ProcessMrelease,
    RemapFilePages,
    SetMempolicy,
    SetMempolicyHomeNode,
    Shmat,
    Shmdt,
    Userfaultfd,
}

impl Call {
    /// All memory syscalls, in the order of their names.
    pub const ALL: [Call; 33] = [
        Call::Brk,
        Call::GetMempolicy,
        Call::IoDestroy,
        Call::IoSetup,
        Call::IoUringRegister,
        Call::Madvise,
        Call::MapShadowStack,
        Call::Mbind,
        Call::MemfdCreate,
        Call::MemfdSecret,
        Call::MigratePages,
        Call::Mincore,
        Call::Mlock,
        Call::Mlock2,
        Call::Mlockall,
        Call::Mmap,
        Call::MovePages,
        Call::Mprotect,
        Call::Mremap,
        Call::Mseal,
        Call::Msync,
        Call::Munlock,
        Call::Munlockall,
        Call::Munmap,
        Call::PkeyMprotect,
        Call::ProcessMadvise,
        Call::ProcessMrelease,
        Call::RemapFilePages,
        Call::SetMempolicy,
        Call::SetMempolicyHomeNode,
        Call::Shmat,
        Call::Shmdt,
        Call::Userfaultfd,
    ];

    /// The name in the kernel's tables and manual pages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Call::Brk => "brk",
            Call::GetMempolicy => "get_mempolicy",
            Call::IoDestroy => "io_destroy",
            Call::IoSetup => "io_setup",
            Call::IoUringRegister => "io_uring_register",
            Call::Madvise => "madvise",
            Call::MapShadowStack => "map_shadow_stack",
            Call::Mbind => "mbind",
            Call::MemfdCreate => "memfd_create",
            Call::MemfdSecret => "memfd_secret",
            Call::MigratePages => "migrate_pages",
            Call::Mincore => "mincore",
            Call::Mlock => "mlock",
            Call::Mlock2 => "mlock2",
            Call::Mlockall => "mlockall",
            Call::Mmap => "mmap",
            Call::MovePages => "move_pages",
            Call::Mprotect => "mprotect",
            Call::Mremap => "mremap",
            Call::Mseal => "mseal",
            Call::Msync => "msync",
            Call::Munlock => "munlock",
            Call::Munlockall => "munlockall",
            Call::Munmap => "munmap",
            Call::PkeyMprotect => "pkey_mprotect",
            Call::ProcessMadvise => "process_madvise",
            Call::ProcessMrelease => "process_mrelease",
            Call::RemapFilePages => "remap_file_pages",
            Call::SetMempolicy => "set_mempolicy",
            Call::SetMempolicyHomeNode => "set_mempolicy_home_node",
            Call::Shmat => "shmat",
            Call::Shmdt => "shmdt",
            Call::Userfaultfd => "userfaultfd",
        }
    }

    /// Whether it returns an address.
    #[must_use]
    pub const fn returns_address(self) -> bool {
        matches!(self, Call::Brk | Call::MapShadowStack | Call::Mmap | Call::Mremap | Call::Shmat)
    }

    /// The index of the argument that points to a string worth reading, if there is one.
    #[must_use]
    pub const fn text_argument(self) -> Option<usize> {
        match self {
            Call::MemfdCreate => Some(0),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_listed_once_and_in_order() {
        assert!(
            Call::ALL.windows(2).all(|pair| pair[0] < pair[1] && pair[0].name() < pair[1].name())
        );
        assert_eq!(Call::ALL.len(), Call::Userfaultfd as usize + 1);
    }
}
