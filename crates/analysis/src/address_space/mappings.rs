//! The kernel's reports of mappings. A report may cover more than the new mapping, because the
//! kernel joins a mapping with one that it continues. Reports also follow mprotect(2) and the
//! growth of the stack, without a new mapping.

use std::sync::Arc;

use events::{Mapping, MappingKind, ModuleId, Thread};

use super::AddressSpace;
use super::calls::HUGE_BYTES;
use super::regions::{ACCESSIBLE, MappedRegion};

impl AddressSpace {
    /// Applies the kernel's report of `mapping`, which came while `thread` was in the kernel.
    pub(crate) fn map(&mut self, mapping: &Mapping, thread: Thread, time_ns: u64) {
        let reported = reported(mapping, self.was_there);
        if reported.start >= reported.end {
            return;
        }
        self.settle(time_ns);
        self.settle_between(reported.start, reported.end, thread.tid, time_ns);
        if reported.kind == MappingKind::Stack {
            // execve(2) has written the arguments.
            Arc::make_mut(&mut self.tables).touch(reported.end - 1, 0);
        }
        if reported.kind == MappingKind::Heap && self.break_at.is_none() {
            self.break_at = Some(reported.end);
        }
        // Without syscalls, a report identical to an existing mapping means a new mapping in its
        // place.
        let again =
            !self.sees_calls() && !matches!(reported.kind, MappingKind::Heap | MappingKind::Stack);
        let known = self.regions.parts(reported.start, reported.end);
        let whole = self.regions.at(reported.start).copied();
        let whole = whole.map(|whole| MappedRegion { vma: reported.vma, ..whole });
        if again && whole == Some(reported) {
            self.forget(&known);
        }
        let mut at = reported.start;
        for part in &known {
            self.put_if_any(reported.part(at, part.start), time_ns);
            let piece = reported.part(part.start, part.end);
            match refined(part, &piece) {
                Some(better) if better == *part => {}
                Some(better) => {
                    self.regions_mut().replace(better);
                }
                None => self.put(piece, time_ns),
            }
            at = part.end;
        }
        self.put_if_any(reported.part(at, reported.end), time_ns);
    }

    fn put_if_any(&mut self, region: MappedRegion, time_ns: u64) {
        if region.start < region.end {
            for part in self.staying(region, time_ns) {
                self.put(part, time_ns);
            }
        }
    }
}

/// The mapping as a region.
fn reported(mapping: &Mapping, was_there: bool) -> MappedRegion {
    let kind = mapping.kind;
    let region =
        MappedRegion::new(mapping.start, mapping.end, kind, mapping.protection & ACCESSIBLE);
    MappedRegion {
        name: mapping.name,
        module: mapping.module,
        offset_bytes: if region.has_offset() { mapping.offset_bytes } else { 0 },
        hugetlb_bytes: if mapping.hugetlb { HUGE_BYTES } else { 0 },
        was_there,
        ..region
    }
    .accounted()
}

/// `known` refined by the kernel's report `piece` of the same addresses; `None` if `piece` is
/// another mapping.
pub(super) fn refined(known: &MappedRegion, piece: &MappedRegion) -> Option<MappedRegion> {
    let mut same = MappedRegion { protection: piece.protection, perhaps: false, ..*known };
    // The kernel itself has made it writable: the loader of a program, without a syscall.
    same.vma.accounted |= piece.vma.accounted && !known.vma.unreserved;
    let name = if piece.name.is_some() { piece.name } else { known.name };
    let module = if piece.module == ModuleId::NONE { known.module } else { piece.module };
    let is_own = |kind| {
        matches!(
            kind,
            MappingKind::Heap
                | MappingKind::Anonymous
                | MappingKind::ThreadStack
                | MappingKind::Stack
        )
    };
    match (known.kind, piece.kind) {
        // The syscall is more exact than a report without a file.
        (own, MappingKind::Anonymous) if is_own(own) => Some(MappedRegion { name, ..same }),
        (own, MappingKind::Heap | MappingKind::Stack) if is_own(own) => {
            let grows_down = known.grows_down || piece.grows_down;
            Some(MappedRegion { kind: piece.kind, name, grows_down, ..same })
        }
        (MappingKind::SharedAnonymous, MappingKind::SharedAnonymous) => {
            let continues = known.offset_bytes == piece.offset_bytes;
            continues.then_some(MappedRegion { name, ..same })
        }
        (MappingKind::PrivateFile, MappingKind::PrivateFile)
        | (MappingKind::SharedFile, MappingKind::SharedFile) => {
            let continues = known.offset_bytes == piece.offset_bytes;
            (continues && (!known.name.is_some() || known.name == piece.name))
                .then_some(MappedRegion { name, module, ..same })
        }
        // The descriptor was not a file: /dev/zero, a device, a ring of perf or io_uring.
        (MappingKind::PrivateFile, MappingKind::Anonymous)
        | (MappingKind::SharedFile, MappingKind::SharedAnonymous)
        | (MappingKind::PrivateFile | MappingKind::SharedFile, MappingKind::Other)
            if !known.name.is_some() && piece.name.is_some() =>
        {
            let offset_bytes = piece.offset_bytes;
            Some(MappedRegion { kind: piece.kind, name, offset_bytes, ..same })
        }
        (MappingKind::Kernel, MappingKind::Kernel) | (MappingKind::Other, MappingKind::Other)
            if known.name == piece.name =>
        {
            Some(same)
        }
        _ => None,
    }
}
