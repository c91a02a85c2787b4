//! The type of a file's file system, and its free space: statfs(2), statvfs(3), statx(2).

use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{AtFlags, StatVfsMountFlags, StatxFlags, fstatfs, statfs, statvfs, statx};

use crate::Errno;

/// The alignment that most disks require, used if the kernel does not report it (`STATX_DIOALIGN`
/// came with Linux 6.1).
const USUAL_ALIGNMENT_BYTES: u32 = 4096;

/// Magic numbers of statfs(2) and `include/uapi/linux/magic.h`, with the usual names.
const NAMES: [(u32, &str); 17] = [
    (0xef53, "ext4"),
    (TMPFS, "tmpfs"),
    (0x794c_7630, "overlay"),
    (0x5846_5342, "xfs"),
    (0x9123_683e, "btrfs"),
    (0xf2f5_2010, "f2fs"),
    (0x2fc1_2fc1, "zfs"),
    (0xca45_1a4e, "bcachefs"),
    (0x6969, "nfs"),
    (0x6573_5546, "fuse"),
    (0x0102_1997, "9p"),
    (0xff53_4d42, "cifs"),
    (0x4d44, "vfat"),
    (0x2011_bab0, "exfat"),
    (HUGETLBFS, "hugetlbfs"),
    (RAMFS, "ramfs"),
    (PROC, "proc"),
];
const PROC: u32 = 0x9fa0;
const TMPFS: u32 = 0x0102_1994;
const RAMFS: u32 = 0x8584_58f6;
const HUGETLBFS: u32 = 0x9584_58f6;

/// The type of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filesystem {
    magic: u32,
}

impl Filesystem {
    /// The file system of an open file.
    ///
    /// # Errors
    /// The errno of fstatfs(2).
    pub fn of_file(file: impl AsFd) -> Result<Self, Errno> {
        fstatfs(file)
            .map(|stat| Filesystem::from_magic(stat.f_type))
            .map_err(|e| Errno(e.raw_os_error()))
    }

    /// The file system of the file or directory at `path`.
    ///
    /// # Errors
    /// The errno of statfs(2): ENOENT, EACCES, ENOTDIR.
    pub fn of_path(path: &Path) -> Result<Self, Errno> {
        statfs(path)
            .map(|stat| Filesystem::from_magic(stat.f_type))
            .map_err(|e| Errno(e.raw_os_error()))
    }

    /// The type of `f_type` differs between architectures, and every magic number has 32 bits.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "32 bits, whatever the type"
    )]
    fn from_magic(magic: rustix::fs::FsWord) -> Self {
        Filesystem { magic: magic as u32 }
    }

    /// Its name; ext2 and ext3 share ext4's magic number and are called ext4.
    #[must_use]
    pub fn name(self) -> String {
        let known = NAMES.iter().find(|(magic, _)| *magic == self.magic);
        known.map_or_else(|| format!("type {:#x}", self.magic), |(_, name)| (*name).to_owned())
    }

    /// Whether it is tmpfs.
    #[must_use]
    pub fn is_tmpfs(self) -> bool {
        self.magic == TMPFS
    }

    /// Whether it is that of `/proc`.
    #[must_use]
    pub fn is_proc(self) -> bool {
        self.magic == PROC
    }

    /// Whether files exist in memory alone: no disk backs the page cache, so nothing can be dropped
    /// from it, and nothing can bypass it. (Since Linux 6.6 tmpfs accepts `O_DIRECT`, but still
    /// copies from the cache.)
    #[must_use]
    pub fn is_memory(self) -> bool {
        [TMPFS, RAMFS, HUGETLBFS].contains(&self.magic)
    }
}

/// Free space for an ordinary user on the file system of `path`.
///
/// # Errors
/// The errno of statvfs(3).
pub fn free_bytes(path: &Path) -> Result<u64, Errno> {
    statvfs(path)
        .map(|stat| stat.f_bavail.saturating_mul(stat.f_frsize))
        .map_err(|e| Errno(e.raw_os_error()))
}

/// Whether programs can load no code from the files of `folder` (mount(8), noexec).
#[must_use]
pub fn forbids_code(folder: &Path) -> bool {
    statvfs(folder).is_ok_and(|stat| stat.f_flag.contains(StatVfsMountFlags::NOEXEC))
}

/// The size that offsets, lengths and buffer addresses of `O_DIRECT` must be a multiple of. `None`
/// if the file system does not support direct reads of this file.
#[must_use]
pub fn direct_alignment_bytes(file: impl AsFd) -> Option<u32> {
    let Ok(stat) = statx(file, c"", AtFlags::EMPTY_PATH, StatxFlags::DIOALIGN) else {
        return Some(USUAL_ALIGNMENT_BYTES);
    };
    if !StatxFlags::from_bits_retain(stat.stx_mask).contains(StatxFlags::DIOALIGN) {
        return Some(USUAL_ALIGNMENT_BYTES);
    }
    let alignment = stat.stx_dio_mem_align.max(stat.stx_dio_offset_align);
    (stat.stx_dio_offset_align > 0).then_some(alignment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_their_names() {
        let proc = Filesystem::of_path(Path::new("/proc")).unwrap();
        assert_eq!(
            (proc.name().as_str(), proc.is_memory(), proc.is_tmpfs()),
            ("proc", false, false)
        );
        assert_eq!(Filesystem { magic: 7 }.name(), "type 0x7");
        assert!(Filesystem { magic: TMPFS }.is_memory());
        assert_eq!(Filesystem::of_path(Path::new("/proc/nothing/here")), Err(Errno(libc::ENOENT)));
        let file = std::fs::File::open("/proc/self/stat").unwrap();
        assert_eq!(Filesystem::of_file(&file), Ok(proc));
    }

    #[test]
    fn free_space_is_reported() {
        assert!(free_bytes(&std::env::temp_dir()).unwrap() > 0);
        assert!(free_bytes(Path::new("/nowhere")).is_err());
    }

    #[test]
    fn alignments_are_powers_of_two() {
        let program = std::fs::File::open("/proc/self/exe").unwrap();
        match direct_alignment_bytes(&program) {
            Some(bytes) => assert!(bytes.is_power_of_two() && bytes <= 1 << 20, "{bytes}"),
            None => skips::skip("no direct reads on the file system of this program"),
        }
    }
}
