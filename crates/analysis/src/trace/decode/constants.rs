//! The definitions of values and flags, as the kernel's headers for programs (include/uapi) define
//! them up to Linux 6.18. x86-64 and aarch64 have the same values unless stated otherwise. The
//! order is strace's order of display.

use super::symbols::{Form, Set};

pub(super) const MREMAP_MAYMOVE: u64 = 1;
pub(super) const MREMAP_FIXED: u64 = 2;
pub(super) const MREMAP_DONTUNMAP: u64 = 4;

const fn flags(definitions: &'static [(u64, &'static str)], unknown: &'static str) -> Set {
    Set { form: Form::Flags, definitions, unknown }
}

const fn one(definitions: &'static [(u64, &'static str)], unknown: &'static str) -> Set {
    Set { form: Form::One, definitions, unknown }
}

/// mmap, mprotect: asm-generic/mman-common.h; those of aarch64 in
/// arch/arm64/include/uapi/asm/mman.h.
pub(super) const PROTECTION: &Set = &flags(
    &[
        (0, "PROT_NONE"),
        (1, "PROT_READ"),
        (2, "PROT_WRITE"),
        (4, "PROT_EXEC"),
        (8, "PROT_SEM"),
        (0x0100_0000, "PROT_GROWSDOWN"),
        (0x0200_0000, "PROT_GROWSUP"),
        #[cfg(target_arch = "aarch64")]
        (0x10, "PROT_BTI"),
        #[cfg(target_arch = "aarch64")]
        (0x20, "PROT_MTE"),
    ],
    "PROT_???",
);

/// The type of a mapping, `MAP_TYPE`: linux/mman.h, and `MAP_FILE` in asm-generic/mman-common.h.
pub(super) const MAPPING: &Set = &Set {
    form: Form::OneAnd(0xf, MAPPING_FLAGS),
    definitions: &[
        (0, "MAP_FILE"),
        (1, "MAP_SHARED"),
        (2, "MAP_PRIVATE"),
        (3, "MAP_SHARED_VALIDATE"),
        (8, "MAP_DROPPABLE"),
    ],
    unknown: "MAP_???",
};

/// The other flags of a mapping: asm-generic/mman-common.h, asm-generic/mman.h; those of x86 in
/// arch/x86/include/uapi/asm/mman.h. `MAP_UNINITIALIZED` is not here: its bit is one of those that
/// size huge pages.
const MAPPING_FLAGS: &Set = &Set {
    form: Form::Huge("MAP_HUGE_SHIFT"),
    definitions: &[
        (0x10, "MAP_FIXED"),
        (0x20, "MAP_ANONYMOUS"),
        #[cfg(target_arch = "x86_64")]
        (0x40, "MAP_32BIT"),
        #[cfg(target_arch = "x86_64")]
        (0x80, "MAP_ABOVE4G"),
        (0x4000, "MAP_NORESERVE"),
        (0x8000, "MAP_POPULATE"),
        (0x1_0000, "MAP_NONBLOCK"),
        (0x100, "MAP_GROWSDOWN"),
        (0x800, "MAP_DENYWRITE"),
        (0x1000, "MAP_EXECUTABLE"),
        (0x2000, "MAP_LOCKED"),
        (0x2_0000, "MAP_STACK"),
        (0x4_0000, "MAP_HUGETLB"),
        (0x8_0000, "MAP_SYNC"),
        (0x10_0000, "MAP_FIXED_NOREPLACE"),
    ],
    unknown: "",
};

/// mremap: linux/mman.h.
pub(super) const REMAP: &Set = &flags(
    &[
        (MREMAP_MAYMOVE, "MREMAP_MAYMOVE"),
        (MREMAP_FIXED, "MREMAP_FIXED"),
        (MREMAP_DONTUNMAP, "MREMAP_DONTUNMAP"),
    ],
    "MREMAP_???",
);

/// madvise, `process_madvise`: asm-generic/mman-common.h.
pub(super) const ADVICE: &Set = &one(
    &[
        (0, "MADV_NORMAL"),
        (1, "MADV_RANDOM"),
        (2, "MADV_SEQUENTIAL"),
        (3, "MADV_WILLNEED"),
        (4, "MADV_DONTNEED"),
        (8, "MADV_FREE"),
        (9, "MADV_REMOVE"),
        (10, "MADV_DONTFORK"),
        (11, "MADV_DOFORK"),
        (12, "MADV_MERGEABLE"),
        (13, "MADV_UNMERGEABLE"),
        (14, "MADV_HUGEPAGE"),
        (15, "MADV_NOHUGEPAGE"),
        (16, "MADV_DONTDUMP"),
        (17, "MADV_DODUMP"),
        (18, "MADV_WIPEONFORK"),
        (19, "MADV_KEEPONFORK"),
        (20, "MADV_COLD"),
        (21, "MADV_PAGEOUT"),
        (22, "MADV_POPULATE_READ"),
        (23, "MADV_POPULATE_WRITE"),
        (24, "MADV_DONTNEED_LOCKED"),
        (25, "MADV_COLLAPSE"),
        (100, "MADV_HWPOISON"),
        (101, "MADV_SOFT_OFFLINE"),
        (102, "MADV_GUARD_INSTALL"),
        (103, "MADV_GUARD_REMOVE"),
    ],
    "MADV_???",
);

/// msync: asm-generic/mman-common.h.
pub(super) const SYNC: &Set =
    &flags(&[(4, "MS_SYNC"), (1, "MS_ASYNC"), (2, "MS_INVALIDATE")], "MS_???");

/// mlock2: asm-generic/mman-common.h.
pub(super) const LOCK: &Set = &flags(&[(1, "MLOCK_ONFAULT")], "MLOCK_???");

/// mlockall: asm-generic/mman.h.
pub(super) const LOCK_ALL: &Set =
    &flags(&[(1, "MCL_CURRENT"), (2, "MCL_FUTURE"), (4, "MCL_ONFAULT")], "MCL_???");

/// `map_shadow_stack`: asm-generic/mman.h.
pub(super) const SHADOW_STACK: &Set =
    &flags(&[(1, "SHADOW_STACK_SET_TOKEN"), (2, "SHADOW_STACK_SET_MARKER")], "SHADOW_STACK_???");

/// mbind, `set_mempolicy`: the policies in linux/mempolicy.h.
pub(super) const POLICY: &Set = &Set {
    form: Form::OneWith(0xe000, POLICY_FLAGS),
    definitions: &[
        (0, "MPOL_DEFAULT"),
        (1, "MPOL_PREFERRED"),
        (2, "MPOL_BIND"),
        (3, "MPOL_INTERLEAVE"),
        (4, "MPOL_LOCAL"),
        (5, "MPOL_PREFERRED_MANY"),
        (6, "MPOL_WEIGHTED_INTERLEAVE"),
    ],
    unknown: "MPOL_???",
};

/// Flags of a policy, `MPOL_MODE_FLAGS`: linux/mempolicy.h.
const POLICY_FLAGS: &Set = &flags(
    &[
        (1 << 15, "MPOL_F_STATIC_NODES"),
        (1 << 14, "MPOL_F_RELATIVE_NODES"),
        (1 << 13, "MPOL_F_NUMA_BALANCING"),
    ],
    "MPOL_???",
);

/// `get_mempolicy`: linux/mempolicy.h.
pub(super) const GET_POLICY: &Set =
    &flags(&[(1, "MPOL_F_NODE"), (2, "MPOL_F_ADDR"), (4, "MPOL_F_MEMS_ALLOWED")], "MPOL_???");

/// mbind: linux/mempolicy.h.
pub(super) const BIND: &Set =
    &flags(&[(1, "MPOL_MF_STRICT"), (2, "MPOL_MF_MOVE"), (4, "MPOL_MF_MOVE_ALL")], "MPOL_???");

/// `move_pages`: linux/mempolicy.h.
pub(super) const MOVE: &Set = &flags(&[(2, "MPOL_MF_MOVE"), (4, "MPOL_MF_MOVE_ALL")], "MPOL_???");

/// `memfd_create`: linux/memfd.h.
pub(super) const MEMFD: &Set = &Set {
    form: Form::Huge("MFD_HUGE_SHIFT"),
    definitions: &[
        (1, "MFD_CLOEXEC"),
        (2, "MFD_ALLOW_SEALING"),
        (4, "MFD_HUGETLB"),
        (8, "MFD_NOEXEC_SEAL"),
        (0x10, "MFD_EXEC"),
    ],
    unknown: "MFD_???",
};

/// `memfd_secret`: asm-generic/fcntl.h.
pub(super) const SECRET: &Set = &flags(&[(0o2_000_000, "O_CLOEXEC")], "");

/// `userfaultfd`: linux/userfaultfd.h, asm-generic/fcntl.h.
pub(super) const FAULT_FILE: &Set = &flags(
    &[(1, "UFFD_USER_MODE_ONLY"), (0o4_000, "O_NONBLOCK"), (0o2_000_000, "O_CLOEXEC")],
    "UFFD_???",
);

/// shmat: linux/shm.h.
pub(super) const ATTACH: &Set = &flags(
    &[
        (0o10_000, "SHM_RDONLY"),
        (0o20_000, "SHM_RND"),
        (0o40_000, "SHM_REMAP"),
        (0o100_000, "SHM_EXEC"),
    ],
    "SHM_???",
);

/// `io_uring_register`: `enum io_uring_register_op` in `linux/io_uring.h`.
pub(super) const RING_REGISTER: &Set = &Set {
    form: Form::OneAnd(0x7fff_ffff, RING_REGISTER_FLAGS),
    definitions: &[
        (0, "IORING_REGISTER_BUFFERS"),
        (1, "IORING_UNREGISTER_BUFFERS"),
        (2, "IORING_REGISTER_FILES"),
        (3, "IORING_UNREGISTER_FILES"),
        (4, "IORING_REGISTER_EVENTFD"),
        (5, "IORING_UNREGISTER_EVENTFD"),
        (6, "IORING_REGISTER_FILES_UPDATE"),
        (7, "IORING_REGISTER_EVENTFD_ASYNC"),
        (8, "IORING_REGISTER_PROBE"),
        (9, "IORING_REGISTER_PERSONALITY"),
        (10, "IORING_UNREGISTER_PERSONALITY"),
        (11, "IORING_REGISTER_RESTRICTIONS"),
        (12, "IORING_REGISTER_ENABLE_RINGS"),
        (13, "IORING_REGISTER_FILES2"),
        (14, "IORING_REGISTER_FILES_UPDATE2"),
        (15, "IORING_REGISTER_BUFFERS2"),
        (16, "IORING_REGISTER_BUFFERS_UPDATE"),
        (17, "IORING_REGISTER_IOWQ_AFF"),
        (18, "IORING_UNREGISTER_IOWQ_AFF"),
        (19, "IORING_REGISTER_IOWQ_MAX_WORKERS"),
        (20, "IORING_REGISTER_RING_FDS"),
        (21, "IORING_UNREGISTER_RING_FDS"),
        (22, "IORING_REGISTER_PBUF_RING"),
        (23, "IORING_UNREGISTER_PBUF_RING"),
        (24, "IORING_REGISTER_SYNC_CANCEL"),
        (25, "IORING_REGISTER_FILE_ALLOC_RANGE"),
        (26, "IORING_REGISTER_PBUF_STATUS"),
        (27, "IORING_REGISTER_NAPI"),
        (28, "IORING_UNREGISTER_NAPI"),
        (29, "IORING_REGISTER_CLOCK"),
        (30, "IORING_REGISTER_CLONE_BUFFERS"),
        (31, "IORING_REGISTER_SEND_MSG_RING"),
        (32, "IORING_REGISTER_ZCRX_IFQ"),
        (33, "IORING_REGISTER_RESIZE_RINGS"),
        (34, "IORING_REGISTER_MEM_REGION"),
        (35, "IORING_REGISTER_QUERY"),
    ],
    unknown: "IORING_REGISTER_???",
};

/// Flags of an operation of `io_uring_register`: `linux/io_uring.h`.
const RING_REGISTER_FLAGS: &Set = &flags(&[(1 << 31, "IORING_REGISTER_USE_REGISTERED_RING")], "");
