//! Names of code: functions, files and lines, from the symbols and debug information of the files
//! that had the code when it was recorded.
//!
//! A file is used only if it is the build that was recorded. Debug information may be in a separate
//! file, next to it, below `/usr/lib/debug` (also by build id), or where debuginfod-find(1) puts
//! it.

mod debug_files;
mod demangle;
mod elf_file;
mod source;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use blazesym::symbolize::{CodeInfo, Sym, Symbolized};

pub use debug_files::{DebugFolders, UnusableDebugFile, hexadecimal};
use demangle::demangled;
use source::Source;

/// A function at an instruction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SymbolFrame {
    /// Its name, demangled.
    pub function: Option<String>,
    /// The source file.
    pub file: Option<String>,
    /// The line in it.
    pub line: Option<u32>,
    /// The offset of the instruction in the function, in bytes; `None` for an inlined one.
    pub offset_bytes: Option<u64>,
}

/// Why the code of a file has no names, or names that may be wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SymbolTrouble {
    /// It is not there.
    Missing,
    /// It is not the build that was recorded, or no longer has its build id.
    Changed,
    /// It cannot be read, for this reason.
    Unreadable(String),
    /// No build id was recorded: the file that is there now may be another build.
    Unchecked,
}

/// What was found of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SymbolFindings {
    /// What is wrong with it.
    pub trouble: Option<SymbolTrouble>,
    /// Debug files that are there and cannot be used, and its own debug information if that is so.
    pub unusable: Vec<UnusableDebugFile>,
}

/// A file, by its path and the build id that was recorded.
type FileKey = (PathBuf, Option<Vec<u8>>);

/// Finds names, and remembers the files that it has read.
#[derive(Debug)]
pub struct Symbolizer {
    names: blazesym::symbolize::Symbolizer,
    folders: DebugFolders,
    sources: BTreeMap<FileKey, (Option<Source>, SymbolFindings)>,
}

impl Symbolizer {
    /// A symbolizer that has read no file, and looks for debug files in `folders`.
    #[must_use]
    pub fn new(folders: DebugFolders) -> Symbolizer {
        let names = blazesym::symbolize::Symbolizer::builder()
            .enable_auto_reload(false)
            .enable_demangling(false)
            .set_debug_dirs(Some(&folders.by_path))
            .build();
        Symbolizer { names, folders, sources: BTreeMap::new() }
    }

    /// The functions at each of `offsets` bytes in the file at `path`, if it is the build with
    /// `build_id` (not checked where that is unknown): inlined functions innermost first, then the
    /// one that they were inlined into. Empty for an offset without a name.
    pub fn frames(
        &mut self,
        path: &Path,
        build_id: Option<&[u8]>,
        offsets: &[u64],
    ) -> Vec<Vec<SymbolFrame>> {
        let (source, findings) = self
            .sources
            .entry((path.to_owned(), build_id.map(<[u8]>::to_vec)))
            .or_insert_with(|| Source::of(path, build_id, &self.folders));
        match source {
            Some(source) => source.frames(&self.names, offsets, findings),
            None => vec![Vec::new(); offsets.len()],
        }
    }

    /// What was found of the file at `path` with `build_id`, if it has been asked for.
    #[must_use]
    pub fn findings(&self, path: &Path, build_id: Option<&[u8]>) -> Option<&SymbolFindings> {
        let key = (path.to_owned(), build_id.map(<[u8]>::to_vec));
        self.sources.get(&key).map(|(_, findings)| findings)
    }
}

/// The functions at an instruction, innermost first.
fn functions(found: &Symbolized<'_>) -> Vec<SymbolFrame> {
    let Some(Sym { name, code_info, inlined, offset, .. }) = found.as_sym() else {
        return Vec::new();
    };
    let inner = inlined.iter().rev().map(|inner| frame(&inner.name, inner.code_info.as_ref()));
    let outer = frame(name, code_info.as_deref());
    inner.chain([SymbolFrame { offset_bytes: Some(*offset as u64), ..outer }]).collect()
}

fn frame(name: &str, code: Option<&CodeInfo<'_>>) -> SymbolFrame {
    SymbolFrame {
        function: (!name.is_empty()).then(|| demangled(name)),
        file: code.map(|code| code.to_path().to_string_lossy().into_owned()),
        line: code.and_then(|code| code.line),
        offset_bytes: None,
    }
}
