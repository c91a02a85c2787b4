//! What a fault before `main` is for.

use events::{Definitions, MappingKind, ModuleId};
use results::start::StartCause;

use crate::address_space::MappedRegion;

/// Whose code took the fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Toucher {
    /// The kernel, before any instruction of the program has run.
    Exec,
    /// The kernel, in a syscall.
    Kernel,
    /// What relocates the program: the dynamic linker, or a program without one until it has.
    Linker(ModuleId),
    /// A file with other code.
    Code(ModuleId),
    /// Code of no known file.
    Elsewhere,
}

/// The file of the code at `region`, and whether it is part of the recorder.
pub(super) fn is_recorders(region: Option<&MappedRegion>, definitions: &Definitions) -> bool {
    region.is_some_and(|region| {
        definitions.is_recorders_memory(region.name)
            || definitions.is_recorders_library(region.module)
    })
}

/// The cause of a fault in `region`, and the file that it belongs to. `below` is the mapping that
/// ends where `region` begins: bss follows the data of its file.
pub(super) fn of(
    toucher: Toucher,
    region: Option<&MappedRegion>,
    below: Option<&MappedRegion>,
) -> (StartCause, ModuleId) {
    let code = match toucher {
        Toucher::Linker(module) | Toucher::Code(module) => module,
        Toucher::Exec | Toucher::Kernel | Toucher::Elsewhere => ModuleId::NONE,
    };
    let Some(region) = region else { return (StartCause::Unknown, code) };
    let is_data =
        |region: &MappedRegion| region.kind == MappingKind::PrivateFile && region.is_writable();
    let bss = below.filter(|below| region.kind == MappingKind::Anonymous && is_data(below));
    let own = bss.unwrap_or(region).module;
    let file = if own == ModuleId::NONE { code } else { own };
    let is_cold = match region.kind {
        MappingKind::PrivateFile | MappingKind::SharedFile => !is_data(region),
        MappingKind::Kernel => true,
        _ => false,
    };
    let cause = match toucher {
        Toucher::Exec => StartCause::Exec,
        _ if is_cold => StartCause::ColdPages,
        Toucher::Linker(_) if is_data(region) || bss.is_some() => StartCause::Relocations,
        Toucher::Code(_) => StartCause::Constructors,
        Toucher::Linker(_) | Toucher::Kernel | Toucher::Elsewhere => StartCause::Memory,
    };
    (cause, file)
}

#[cfg(test)]
mod tests {
    use super::StartCause as C;
    use super::*;

    fn region(kind: MappingKind, protection: u32, file: u32) -> MappedRegion {
        let module = ModuleId::from_number(file);
        MappedRegion { module, ..MappedRegion::new(0x1000, 0x2000, kind, protection) }
    }

    #[test]
    fn a_fault_is_for_what_touches_it_and_where() {
        let (linker, code) =
            (Toucher::Linker(ModuleId::from_number(1)), Toucher::Code(ModuleId::from_number(2)));
        let text = region(MappingKind::PrivateFile, 5, 3);
        let data = region(MappingKind::PrivateFile, 3, 3);
        let memory = region(MappingKind::Anonymous, 3, 0);
        let stack = region(MappingKind::Stack, 3, 0);
        for (toucher, region, below, expect) in [
            (Toucher::Exec, Some(text), None, (C::Exec, 3)),
            (Toucher::Exec, Some(stack), None, (C::Exec, 0)),
            (linker, Some(text), None, (C::ColdPages, 3)),
            (code, Some(text), None, (C::ColdPages, 3)),
            (Toucher::Kernel, Some(text), None, (C::ColdPages, 3)),
            (linker, Some(data), None, (C::Relocations, 3)),
            (code, Some(data), None, (C::Constructors, 3)),
            (linker, Some(memory), Some(data), (C::Relocations, 3)),
            (code, Some(memory), Some(data), (C::Constructors, 3)),
            (linker, Some(memory), Some(text), (C::Memory, 1)),
            (code, Some(memory), None, (C::Constructors, 2)),
            (code, Some(stack), Some(data), (C::Constructors, 2)),
            (Toucher::Kernel, Some(memory), None, (C::Memory, 0)),
            (Toucher::Elsewhere, Some(data), None, (C::Memory, 3)),
            (linker, None, None, (C::Unknown, 1)),
        ] {
            let (cause, file) = of(toucher, region.as_ref(), below.as_ref());
            assert_eq!((cause, file.number()), expect, "{toucher:?} {region:?} {below:?}");
        }
    }
}
