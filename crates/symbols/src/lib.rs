//! Names of code: functions, files and lines, from the symbols and debug information of the files
//! that had the code when it was recorded.
//!
//! A file is used only if it is the build that was recorded. Debug information may be in a separate
//! file, next to it or below `/usr/lib/debug` (also by build id).

mod demangle;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use blazesym::helper::read_elf_build_id;
use blazesym::symbolize::source::{Elf, Source};
use blazesym::symbolize::{CodeInfo, Input, Sym, Symbolized};

use demangle::demangled;

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

/// Finds names, and remembers the files that it has read.
#[derive(Debug)]
pub struct Symbolizer {
    files: blazesym::symbolize::Symbolizer,
    changed: BTreeSet<PathBuf>,
    missing: BTreeSet<PathBuf>,
}

impl Default for Symbolizer {
    fn default() -> Self {
        Symbolizer::new()
    }
}

impl Symbolizer {
    /// A symbolizer that has read no file.
    #[must_use]
    pub fn new() -> Symbolizer {
        let files = blazesym::symbolize::Symbolizer::builder()
            .enable_auto_reload(false)
            .enable_demangling(false)
            .build();
        Symbolizer { files, changed: BTreeSet::new(), missing: BTreeSet::new() }
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
        let none = || vec![Vec::new(); offsets.len()];
        // A recording comes from anywhere: it must not make this program wait for a pipe.
        if !path.is_absolute() || !path.is_file() {
            self.missing.insert(path.to_owned());
            return none();
        }
        if let Some(recorded) = build_id {
            match read_elf_build_id(path) {
                Ok(found) if found.as_deref() == Some(recorded) => {}
                Ok(_) => {
                    self.changed.insert(path.to_owned());
                    return none();
                }
                Err(_) => {
                    self.missing.insert(path.to_owned());
                    return none();
                }
            }
        }
        let source = Source::Elf(Elf::new(path));
        let Ok(found) = self.files.symbolize(&source, Input::FileOffset(offsets)) else {
            self.missing.insert(path.to_owned());
            return none();
        };
        let mut frames: Vec<Vec<SymbolFrame>> = found.iter().map(functions).collect();
        frames.resize(offsets.len(), Vec::new());
        frames
    }

    /// The files that are not the build that was recorded, or no longer have its build id.
    pub fn changed(&self) -> impl Iterator<Item = &Path> {
        self.changed.iter().map(PathBuf::as_path)
    }

    /// The files that are not there, or could not be read.
    pub fn missing(&self) -> impl Iterator<Item = &Path> {
        self.missing.iter().map(PathBuf::as_path)
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
