//! What the command paid before its main, with names.

use events::{BuildId, Definitions, ModuleId};
use results::recording::Seen;
use results::start::ProgramStart;

use super::{CodeFile, SymbolSource};
use crate::allocations::AllocationAccount;
use crate::start::program_start;

/// The start of the command, if it is known and faults were seen.
pub(super) fn start(
    account: &AllocationAccount,
    seen: Seen,
    definitions: &Definitions,
    symbols: &mut dyn SymbolSource,
) -> Option<ProgramStart> {
    let start = account.start.as_ref().filter(|_| seen.faults)?;
    let functions = |module: ModuleId, offsets: &[u64]| {
        let Some(file) = definitions.module(module) else { return Vec::new() };
        let path = definitions.text(file.path);
        let build_id = definitions.build_id(module).map(BuildId::as_bytes);
        let names = symbols.names(CodeFile { path, build_id }, offsets);
        let functions = |names: Vec<super::FrameName>| {
            names.into_iter().filter_map(|name| name.function).collect()
        };
        names.into_iter().map(functions).collect()
    };
    Some(program_start(start, definitions, functions))
}
