//! What the kernel keeps of a mapping beside its addresses, its protection and its object: it
//! decides whether two neighbours are one mapping, and whether memory has been committed for it.
//! (`struct vm_area_struct`; `vma_merge_new_range` of mm/vma.c, `accountable_mapping` of
//! mm/mmap.c, `mprotect_fixup` of mm/mprotect.c.)

use events::MappingKind;

use super::regions::{ACCESSIBLE, MappedRegion, WRITABLE};

/// `MAP_NORESERVE` of `<asm-generic/mman-common.h>`.
const MAP_NORESERVE: u64 = 0x4000;

/// How the kernel of the observed machine accounts for memory and frees page tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KernelRules {
    /// Memory that does not fit is never committed (`vm.overcommit_memory` 2): then
    /// `MAP_NORESERVE` has no effect.
    pub strict_commit: bool,
    /// `MADV_DONTNEED` of a whole page table frees it (Linux 6.14, `CONFIG_PT_RECLAIM`).
    pub frees_empty_tables: bool,
}

/// Flags of a mapping that nothing here depends on, but by which the kernel tells it from its
/// neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct OtherFlags(u32);

impl OtherFlags {
    pub(crate) const RANDOM: OtherFlags = OtherFlags(1);
    pub(crate) const SEQUENTIAL: OtherFlags = OtherFlags(1 << 1);
    pub(crate) const NOT_FORKED: OtherFlags = OtherFlags(1 << 2);
    pub(crate) const MERGEABLE: OtherFlags = OtherFlags(1 << 3);
    pub(crate) const NOT_DUMPED: OtherFlags = OtherFlags(1 << 4);
    pub(crate) const WIPED_ON_FORK: OtherFlags = OtherFlags(1 << 5);
    pub(crate) const LOCKED: OtherFlags = OtherFlags(1 << 6);
    pub(crate) const LOCKED_ON_FAULT: OtherFlags = OtherFlags(1 << 7);
    pub(crate) const SEALED: OtherFlags = OtherFlags(1 << 8);
    const KEY_SHIFT: u32 = 16;
    const POLICY_SHIFT: u32 = 24;

    pub(crate) fn has(self, other: OtherFlags) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether every page of it is locked, so it is populated.
    pub(crate) fn is_locked_whole(self) -> bool {
        self.has(OtherFlags::LOCKED) && !self.has(OtherFlags::LOCKED_ON_FAULT)
    }

    pub(crate) const fn with(self, other: OtherFlags) -> OtherFlags {
        OtherFlags(self.0 | other.0)
    }

    pub(crate) const fn without(self, other: OtherFlags) -> OtherFlags {
        OtherFlags(self.0 & !other.0)
    }

    /// With this protection key (`pkey_mprotect(2)`).
    pub(crate) fn with_key(self, key: u32) -> OtherFlags {
        OtherFlags(self.0 & !(0xff << Self::KEY_SHIFT) | (key & 0xff) << Self::KEY_SHIFT)
    }

    /// With this memory policy (mbind(2)), of which the mode tells it from others.
    pub(crate) fn with_policy(self, mode: u32) -> OtherFlags {
        OtherFlags(self.0 & !(0xff << Self::POLICY_SHIFT) | (mode & 0xff) << Self::POLICY_SHIFT)
    }

    /// After madvise(2) with this advice.
    pub(crate) fn advised(self, advice: u64) -> OtherFlags {
        let reading = OtherFlags::RANDOM.with(OtherFlags::SEQUENTIAL);
        match advice {
            0 => self.without(reading),
            1 => self.without(reading).with(OtherFlags::RANDOM),
            2 => self.without(reading).with(OtherFlags::SEQUENTIAL),
            10 => self.with(OtherFlags::NOT_FORKED),
            11 => self.without(OtherFlags::NOT_FORKED),
            12 => self.with(OtherFlags::MERGEABLE),
            13 => self.without(OtherFlags::MERGEABLE),
            16 => self.with(OtherFlags::NOT_DUMPED),
            17 => self.without(OtherFlags::NOT_DUMPED),
            18 => self.with(OtherFlags::WIPED_ON_FORK),
            19 => self.without(OtherFlags::WIPED_ON_FORK),
            _ => self,
        }
    }
}

/// What the kernel keeps of a mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Vma {
    /// It has committed memory for it (`VM_ACCOUNT`).
    pub(crate) accounted: bool,
    /// It is not to commit memory for it (`VM_NORESERVE`).
    pub(crate) unreserved: bool,
    /// Other flags.
    pub(crate) flags: OtherFlags,
    /// The number of its pages' owner (`anon_vma`); 0 before it has had a page of its own.
    pub(crate) owner: u32,
    /// How far it has been moved since it had its first page.
    pub(crate) moved_bytes: u64,
}

impl Vma {
    /// Whether the kernel makes one mapping of it and the `next` one, as far as this decides.
    /// Owners up to `inherited` are those of pages that a parent had before fork(2).
    pub(crate) fn is_continued_by(&self, next: &Vma, inherited: u32) -> bool {
        let owners = match (self.owner, next.owner) {
            (own, other) if own == other => true,
            (0, own) | (own, 0) => own > inherited,
            _ => false,
        };
        owners && Vma { owner: next.owner, ..*self } == *next
    }

    /// The one mapping that becomes of it and the `next` one.
    pub(crate) fn joined(self, next: &Vma) -> Vma {
        Vma { owner: self.owner.max(next.owner), ..self }
    }

    /// Whether `next` takes part in the owner of this mapping's pages when it gets its first page
    /// (`anon_vma_compatible` of mm/vma.c).
    pub(crate) fn shares_owner_with(&self, next: &Vma) -> bool {
        Vma { owner: next.owner, ..*self } == *next
    }
}

impl MappedRegion {
    /// The region of an mmap(2) with these `flags`.
    pub(crate) fn reserved(self, flags: u64, rules: KernelRules) -> MappedRegion {
        let is_hugetlb = self.hugetlb_bytes != 0;
        let unreserved = flags & MAP_NORESERVE != 0 && (is_hugetlb || !rules.strict_commit);
        let accounted = self.is_accountable() && self.is_writable() && !unreserved;
        MappedRegion { vma: Vma { accounted, unreserved, ..self.vma }, ..self }
    }

    /// The region of memory that is accounted if it can be written.
    pub(crate) fn accounted(self) -> MappedRegion {
        self.reserved(0, KernelRules::default())
    }

    /// Whether the kernel commits memory for it once it can be written.
    fn is_accountable(&self) -> bool {
        self.is_private() && self.hugetlb_bytes == 0
    }

    /// Whether its pages are its own.
    pub(crate) fn is_private(&self) -> bool {
        !matches!(
            self.kind,
            MappingKind::SharedAnonymous
                | MappingKind::SharedFile
                | MappingKind::Kernel
                | MappingKind::Other
        )
    }

    /// Changes its protection (mprotect(2)).
    pub(crate) fn protect(&mut self, protection: u32) {
        let was_writable = self.is_writable();
        self.protection = protection & ACCESSIBLE;
        if protection & WRITABLE != 0 {
            self.vma.accounted |= self.is_accountable() && !was_writable && !self.vma.unreserved;
        } else if self.is_private() && !self.is_file() && self.vma.owner == 0 {
            // Without pages, what was committed is given back.
            self.vma.accounted = false;
        }
    }

    /// The region after a move by `distance` (modulo 2^64), from `start` to `end`.
    pub(crate) fn moved(self, distance: u64, start: u64, end: u64) -> MappedRegion {
        let mut vma = self.vma;
        vma.moved_bytes = match (vma.owner, self.is_file()) {
            (1.., false) => vma.moved_bytes.wrapping_add(distance),
            _ => 0,
        };
        MappedRegion { start, end, vma, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(protection: u32) -> MappedRegion {
        MappedRegion::new(0x1000, 0x2000, MappingKind::Anonymous, protection)
    }

    #[test]
    fn private_memory_is_accounted_once_it_can_be_written() {
        let lax = KernelRules::default();
        let strict = KernelRules { strict_commit: true, ..lax };
        for (region, flags, rules, expected) in [
            (memory(3), 0, lax, true),
            (memory(1), 0, lax, false),
            (memory(3), MAP_NORESERVE, lax, false),
            (memory(3), MAP_NORESERVE, strict, true),
            (MappedRegion { hugetlb_bytes: 2 << 20, ..memory(3) }, 0, lax, false),
            (MappedRegion { kind: MappingKind::SharedAnonymous, ..memory(3) }, 0, lax, false),
            (MappedRegion { kind: MappingKind::PrivateFile, ..memory(3) }, 0, lax, true),
        ] {
            assert_eq!(region.reserved(flags, rules).vma.accounted, expected, "{region:?} {flags}");
        }
    }

    #[test]
    fn protection_accounts_and_gives_back_what_was_never_touched() {
        let mut untouched = memory(0).reserved(0, KernelRules::default());
        untouched.protect(3);
        assert!(untouched.vma.accounted);
        untouched.protect(0);
        assert!(!untouched.vma.accounted);
        let mut touched = memory(3).accounted();
        touched.vma.owner = 1;
        touched.protect(1);
        assert!(touched.vma.accounted);
        let mut unreserved = memory(0).reserved(MAP_NORESERVE, KernelRules::default());
        unreserved.protect(3);
        assert!(!unreserved.vma.accounted);
    }

    #[test]
    fn mappings_join_unless_their_pages_have_two_owners() {
        let owned = |owner| Vma { owner, ..Vma::default() };
        assert!(owned(0).is_continued_by(&owned(2), 0) && owned(2).is_continued_by(&owned(2), 0));
        assert!(!owned(1).is_continued_by(&owned(2), 0));
        assert!(!owned(2).is_continued_by(&owned(0), 2), "a child's, with its parent's pages");
        assert!(!owned(0).is_continued_by(&Vma { accounted: true, ..owned(0) }, 0));
    }
}
