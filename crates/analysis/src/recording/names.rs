//! The names of frames.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use events::{BuildId, Definitions, ModuleId};

use super::{CodeFile, FrameName, SymbolSource};
use crate::allocations::{AllocationAccount, ResolvedFrame};

/// The names of all frames of an account.
#[derive(Debug)]
pub(super) struct Names {
    files: HashMap<ModuleId, String>,
    names: HashMap<(ModuleId, u64), Vec<FrameName>>,
}

/// A function on a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NamedFrame<'a> {
    /// Its name, if it has one.
    pub(super) name: Option<&'a FrameName>,
    /// The file with its code; empty if unknown.
    pub(super) module: &'a str,
    /// Its place.
    pub(super) frame: ResolvedFrame,
}

impl Names {
    /// Asks `symbols` for the name of each frame once, file by file.
    pub(super) fn of(
        account: &AllocationAccount,
        definitions: &Definitions,
        symbols: &mut dyn SymbolSource,
    ) -> Names {
        let mut wanted: BTreeMap<ModuleId, BTreeSet<u64>> = BTreeMap::new();
        let stacks = account.sites.iter().map(|site| site.stack);
        let touchers = account.details.iter().flat_map(|site| &site.touchers);
        let all = stacks.chain(touchers.map(|(place, ..)| *place));
        for frame in all.flat_map(|stack| account.frames(stack)) {
            if let ResolvedFrame::InFile { module, offset_bytes } = frame {
                wanted.entry(module).or_default().insert(offset_bytes);
            }
        }
        let mut all = Names { files: HashMap::new(), names: HashMap::new() };
        for (module, offsets) in wanted {
            let Some(file) = definitions.module(module) else { continue };
            let path = definitions.text(file.path);
            let build_id = definitions.build_id(module).map(BuildId::as_bytes);
            let offsets: Vec<u64> = offsets.into_iter().collect();
            let names = symbols.names(CodeFile { path, build_id }, &offsets);
            all.files.insert(module, path.to_owned());
            all.names.extend(offsets.into_iter().map(|offset| (module, offset)).zip(names));
        }
        all
    }

    /// The functions at a frame: inlined ones first. At least one, which may have no name.
    pub(super) fn at(&self, frame: ResolvedFrame) -> Vec<NamedFrame<'_>> {
        let ResolvedFrame::InFile { module, offset_bytes } = frame else {
            return vec![NamedFrame { name: None, module: "", frame }];
        };
        let names = self.names.get(&(module, offset_bytes)).map_or(&[][..], Vec::as_slice);
        let module = self.files.get(&module).map_or("", String::as_str);
        let function = |name| NamedFrame { name, module, frame };
        if names.is_empty() {
            return vec![function(None)];
        }
        names.iter().map(|name| function(Some(name))).collect()
    }

    /// The lines of a stack for a frame, with its offset in the function if that is wanted.
    pub(super) fn lines(&self, frame: ResolvedFrame, with_offset: bool) -> Vec<String> {
        self.at(frame).iter().map(|function| function.line(with_offset)).collect()
    }
}

impl NamedFrame<'_> {
    /// The function; without a name its offset in the file, or its address.
    pub(super) fn function(&self) -> String {
        if let Some(function) = self.name.and_then(|name| name.function.as_ref()) {
            return function.clone();
        }
        match self.frame {
            ResolvedFrame::InFile { offset_bytes: at, .. }
            | ResolvedFrame::Elsewhere { address: at } => {
                format!("{at:#x}")
            }
        }
    }

    /// The line, `file:line`, if that is known.
    fn source(&self) -> Option<(&str, u32)> {
        let name = self.name?;
        Some((name.file.as_deref()?, name.line.filter(|&line| line > 0)?))
    }

    /// `function (file:line)`, or with the module, or with "unknown" in place of the line; and the
    /// offset in the function: `function (file:line +0x1c)`.
    fn line(&self, with_offset: bool) -> String {
        let function = self.function();
        let offset = self.name.and_then(|name| name.offset_bytes).filter(|_| with_offset);
        let offset = offset.map_or(String::new(), |offset| format!(" +{offset:#x}"));
        match self.source() {
            Some((file, line)) => format!("{function} ({file}:{line}{offset})"),
            None => format!("{function} ({}{offset})", self.place().unwrap_or("unknown")),
        }
    }

    /// The line without the folders of its file, or the module; `None` if neither is known.
    pub(super) fn at(&self) -> Option<String> {
        match self.source() {
            Some((file, line)) => Some(format!("{}:{line}", base(file))),
            None => self.place().map(str::to_owned),
        }
    }

    /// The name of the module without its folders.
    pub(super) fn place(&self) -> Option<&str> {
        Some(base(self.module)).filter(|name| !name.is_empty())
    }
}

/// A path without its folders.
fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
