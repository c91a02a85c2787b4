//! Mappings as the kernel reports them, and their kinds.

use crate::{Device, Interner, Module, ModuleId, Name};

/// The name of the memory that a recorded program shares with its recorder (`memfd_create(2)`), by
/// which readers tell it from the program's own.
pub const RECORDER_MEMORY: &str = "firsttouch-recorder";

/// With this begins the file name of the library by which a program is recorded; 16 hexadecimal
/// digits and `.so` follow.
pub const RECORDER_LIBRARY: &str = "shim-";

/// A range of addresses that is mapped from now on as described, replacing what was there before.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapping {
    /// The first address.
    pub start: u64,
    /// The first address after it.
    pub end: u64,
    /// Its offset in the file.
    pub offset_bytes: u64,
    /// `PROT_READ` 1, `PROT_WRITE` 2, `PROT_EXEC` 4.
    pub protection: u32,
    /// The file, or the name that the program gave it; [`Name::NONE`] if the kind says everything.
    pub name: Name,
    /// The file that is mapped; [`ModuleId::NONE`] without one.
    pub module: ModuleId,
    /// The kind of the mapping, as far as the name shows it.
    pub kind: MappingKind,
    /// Whether it has hugetlb pages.
    pub hugetlb: bool,
}

/// A mapping with its name as text, as in `/proc/PID/maps` and perf's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MappingReport<'a> {
    /// The first address.
    pub start: u64,
    /// The first address after it.
    pub end: u64,
    /// Its offset in the file.
    pub offset_bytes: u64,
    /// `PROT_READ` 1, `PROT_WRITE` 2, `PROT_EXEC` 4.
    pub protection: u32,
    /// Whether it was mapped with `MAP_SHARED`.
    pub shared: bool,
    /// The file, a name in brackets, or empty.
    pub name: &'a str,
    /// The device of the file.
    pub device: Device,
    /// The inode of the file; 0 without one.
    pub inode: u64,
    /// The generation of that inode; 0 if unknown.
    pub generation: u64,
}

impl MappingReport<'_> {
    /// The mapping, with its texts and its file interned.
    #[must_use]
    pub fn intern(&self, interner: &mut Interner) -> Mapping {
        let MappingReport {
            start,
            end,
            offset_bytes,
            protection,
            name,
            device,
            inode,
            generation,
            ..
        } = *self;
        let kind = MappingKind::of_name(name, self.shared);
        let text = interner.text(name);
        let module = if kind.is_file() && inode != 0 {
            interner.module(Module { path: text, device, inode, generation })
        } else {
            ModuleId::NONE
        };
        let name_is_kept = kind.keeps_name(name);
        let hugetlb = name.starts_with("/anon_hugepage");
        let name = if name_is_kept { text } else { Name::NONE };
        Mapping { start, end, offset_bytes, protection, name, module, kind, hugetlb }
    }
}

/// The kinds of mappings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MappingKind {
    /// The heap: memory below the program break.
    Heap,
    /// Private memory without a file.
    Anonymous,
    /// Shared memory without a file.
    SharedAnonymous,
    /// A file, mapped private: changes stay with the process.
    PrivateFile,
    /// A file, mapped shared: changes reach the file.
    SharedFile,
    /// The stack of the first thread, which grows on demand.
    Stack,
    /// Memory mapped as a stack (`MAP_STACK`).
    ThreadStack,
    /// Mappings that the kernel adds to each process: vdso, vvar, vsyscall.
    Kernel,
    /// Something else.
    Other,
}

impl MappingKind {
    /// The kind of a mapping with `name`, in the form of `/proc/PID/maps` and perf's records
    /// (`show_map_vma` in `fs/proc/task_mmu.c`, `perf_event_mmap_event` in kernel/events/core.c);
    /// `shared`: mapped with `MAP_SHARED`.
    #[must_use]
    pub fn of_name(name: &str, shared: bool) -> MappingKind {
        let anonymous = if shared { MappingKind::SharedAnonymous } else { MappingKind::Anonymous };
        match name {
            "" => anonymous,
            "[heap]" => MappingKind::Heap,
            "[stack]" => MappingKind::Stack,
            _ if ["[vdso]", "[vvar", "[vsyscall]", "[uprobes]"]
                .iter()
                .any(|own| name.starts_with(own)) =>
            {
                MappingKind::Kernel
            }
            // Named by prctl(PR_SET_VMA_ANON_NAME).
            _ if name.starts_with("[anon_shmem:") => MappingKind::SharedAnonymous,
            _ if name.starts_with("//anon") || name.starts_with("[anon:") => anonymous,
            // A thread's stack in kernels before 4.5.
            _ if name.starts_with("[stack:") => MappingKind::ThreadStack,
            // The files behind shared anonymous memory, memory of shmget(2), and huge pages without
            // a file.
            _ if ["/dev/zero", "/SYSV", "/anon_hugepage"]
                .iter()
                .any(|own| name.starts_with(own)) =>
            {
                anonymous
            }
            _ if name.starts_with('/') && shared => MappingKind::SharedFile,
            _ if name.starts_with('/') => MappingKind::PrivateFile,
            _ => MappingKind::Other,
        }
    }

    /// Whether a mapping of this kind keeps `name`. The kernel's own names for memory without a
    /// file say no more than the kind.
    fn keeps_name(self, name: &str) -> bool {
        let unnamed = name.starts_with("//anon")
            || self == MappingKind::SharedAnonymous && name.starts_with('/');
        !matches!(self, MappingKind::Heap | MappingKind::Stack) && !unnamed
    }

    /// Whether a file is mapped.
    #[must_use]
    pub const fn is_file(self) -> bool {
        matches!(self, MappingKind::PrivateFile | MappingKind::SharedFile)
    }

    /// The label of a mapping without a name, in brackets as in `/proc/PID/maps`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            MappingKind::Heap => "[heap]",
            MappingKind::Anonymous => "[anonymous]",
            MappingKind::SharedAnonymous => "[shared anonymous]",
            MappingKind::PrivateFile => "[file]",
            MappingKind::SharedFile => "[shared file]",
            MappingKind::Stack => "[stack]",
            MappingKind::ThreadStack => "[thread stack]",
            MappingKind::Kernel => "[vdso]",
            MappingKind::Other => "[other]",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::MappingKind as K;
    use super::*;

    #[test]
    fn kinds_follow_from_names() {
        for (name, own, shared) in [
            ("", K::Anonymous, K::SharedAnonymous),
            ("//anon", K::Anonymous, K::SharedAnonymous),
            ("[heap]", K::Heap, K::Heap),
            ("[anon:jit]", K::Anonymous, K::SharedAnonymous),
            ("/dev/zero (deleted)", K::Anonymous, K::SharedAnonymous),
            ("/lib/libc.so.6", K::PrivateFile, K::SharedFile),
            ("[vvar_vclock]", K::Kernel, K::Kernel),
            ("anon_inode:[perf_event]", K::Other, K::Other),
        ] {
            assert_eq!((K::of_name(name, false), K::of_name(name, true)), (own, shared), "{name}");
        }
    }

    #[test]
    fn reports_are_interned() {
        let mut interner = Interner::default();
        let file =
            MappingReport { end: 4096, name: "/lib/a.so", inode: 7, ..MappingReport::default() };
        let (first, heap) = (
            file.intern(&mut interner),
            MappingReport { name: "[heap]", inode: 0, ..file }.intern(&mut interner),
        );
        let replaced = MappingReport { inode: 8, ..file }.intern(&mut interner);
        assert_eq!(
            (first.kind, first.name, replaced.name),
            (K::PrivateFile, first.name, first.name)
        );
        assert_ne!(first.module, replaced.module, "another file with that path");
        assert_eq!(interner.table().module(first.module).map(|module| module.inode), Some(7));
        assert_eq!((heap.kind, heap.name, heap.module), (K::Heap, Name::NONE, ModuleId::NONE));
        let huge = MappingReport { name: "/anon_hugepage (deleted)", ..file }.intern(&mut interner);
        assert_eq!((huge.kind, huge.hugetlb), (K::Anonymous, true));
    }
}
