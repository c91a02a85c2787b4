//! The numbers of the memory syscalls on this architecture, as perf events, ptrace(2) and
//! seccomp(2) give them, and of those that a tracer must know. From 424 on they are the same on
//! every architecture; libc lacks names for some of them on some architectures.

/// `brk(2)`.
pub const BRK: u32 = number(libc::SYS_brk);
/// `get_mempolicy(2)`.
pub const GET_MEMPOLICY: u32 = number(libc::SYS_get_mempolicy);
/// `io_destroy(2)`.
pub const IO_DESTROY: u32 = number(libc::SYS_io_destroy);
/// `io_setup(2)`.
pub const IO_SETUP: u32 = number(libc::SYS_io_setup);
/// `io_uring_register(2)`.
pub const IO_URING_REGISTER: u32 = number(libc::SYS_io_uring_register);
/// `madvise(2)`.
pub const MADVISE: u32 = number(libc::SYS_madvise);
/// `map_shadow_stack(2)`.
pub const MAP_SHADOW_STACK: u32 = 453;
/// `mbind(2)`.
pub const MBIND: u32 = number(libc::SYS_mbind);
/// `memfd_create(2)`.
pub const MEMFD_CREATE: u32 = number(libc::SYS_memfd_create);
/// `memfd_secret(2)`.
pub const MEMFD_SECRET: u32 = 447;
/// `migrate_pages(2)`.
pub const MIGRATE_PAGES: u32 = number(libc::SYS_migrate_pages);
/// `mincore(2)`.
pub const MINCORE: u32 = number(libc::SYS_mincore);
/// `mlock(2)`.
pub const MLOCK: u32 = number(libc::SYS_mlock);
/// `mlock2(2)`.
pub const MLOCK2: u32 = number(libc::SYS_mlock2);
/// `mlockall(2)`.
pub const MLOCKALL: u32 = number(libc::SYS_mlockall);
/// `mmap(2)`.
pub const MMAP: u32 = number(libc::SYS_mmap);
/// `move_pages(2)`.
pub const MOVE_PAGES: u32 = number(libc::SYS_move_pages);
/// `mprotect(2)`.
pub const MPROTECT: u32 = number(libc::SYS_mprotect);
/// `mremap(2)`.
pub const MREMAP: u32 = number(libc::SYS_mremap);
/// `mseal(2)`.
pub const MSEAL: u32 = 462;
/// `msync(2)`.
pub const MSYNC: u32 = number(libc::SYS_msync);
/// `munlock(2)`.
pub const MUNLOCK: u32 = number(libc::SYS_munlock);
/// `munlockall(2)`.
pub const MUNLOCKALL: u32 = number(libc::SYS_munlockall);
/// `munmap(2)`.
pub const MUNMAP: u32 = number(libc::SYS_munmap);
/// `pkey_mprotect(2)`.
pub const PKEY_MPROTECT: u32 = number(libc::SYS_pkey_mprotect);
/// `prctl(2)`.
pub const PRCTL: u32 = number(libc::SYS_prctl);
/// `process_madvise(2)`.
pub const PROCESS_MADVISE: u32 = 440;
/// `process_mrelease(2)`.
pub const PROCESS_MRELEASE: u32 = 448;
/// `ptrace(2)`.
pub const PTRACE: u32 = number(libc::SYS_ptrace);
/// `remap_file_pages(2)`.
pub const REMAP_FILE_PAGES: u32 = number(libc::SYS_remap_file_pages);
/// `seccomp(2)`.
pub const SECCOMP: u32 = number(libc::SYS_seccomp);
/// `set_mempolicy(2)`.
pub const SET_MEMPOLICY: u32 = number(libc::SYS_set_mempolicy);
/// `set_mempolicy_home_node(2)`.
pub const SET_MEMPOLICY_HOME_NODE: u32 = 450;
/// `shmat(2)`.
pub const SHMAT: u32 = number(libc::SYS_shmat);
/// `shmdt(2)`.
pub const SHMDT: u32 = number(libc::SYS_shmdt);
/// `userfaultfd(2)`.
pub const USERFAULTFD: u32 = number(libc::SYS_userfaultfd);

const fn number(number: libc::c_long) -> u32 {
    assert!(
        number >= 0 && number.cast_unsigned() <= u32::MAX as libc::c_ulong,
        "a syscall has a number"
    );
    #[expect(clippy::cast_possible_truncation, reason = "as asserted")]
    {
        number.cast_unsigned() as u32
    }
}
