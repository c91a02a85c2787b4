//! Where the names of a program or library come from.

use std::path::{Path, PathBuf};

use blazesym::symbolize::source::{Elf, Source as Names};
use blazesym::symbolize::{Input, Symbolized};

use crate::debug_files::{COMPRESSED, debug_file};
use crate::elf_file::{DebugInfo, ElfFile, Refusal};
use crate::{
    DebugFolders, SymbolFindings, SymbolFrame, SymbolTrouble, UnusableDebugFile, functions,
};

/// A file that is the recorded build.
#[derive(Debug)]
pub(crate) struct Source {
    path: PathBuf,
    file: ElfFile,
    /// The file with its debug information, which may be itself.
    debug: Option<(PathBuf, ElfFile)>,
}

/// How names are looked for, the best way first.
#[derive(Debug, Clone, Copy)]
struct Way<'a> {
    path: &'a Path,
    /// With debug information, or symbols alone.
    debug: bool,
}

impl Source {
    /// The file at `path`, if it can be used.
    pub(crate) fn of(
        path: &Path,
        build_id: Option<&[u8]>,
        folders: &DebugFolders,
    ) -> (Option<Source>, SymbolFindings) {
        let none = |trouble| {
            (None, SymbolFindings { trouble: Some(trouble), ..SymbolFindings::default() })
        };
        let file = match ElfFile::read(path) {
            Ok(file) => file,
            Err(Refusal::Missing) => return none(SymbolTrouble::Missing),
            Err(Refusal::Unreadable(why)) => return none(SymbolTrouble::Unreadable(why)),
        };
        if build_id.is_some() && build_id != file.build_id.as_deref() {
            return none(SymbolTrouble::Changed);
        }
        let mut findings = SymbolFindings {
            trouble: build_id.is_none().then_some(SymbolTrouble::Unchecked),
            ..SymbolFindings::default()
        };
        if file.debug_info == DebugInfo::Compressed {
            let why = COMPRESSED.to_owned();
            findings.unusable.push(UnusableDebugFile { path: path.to_owned(), why });
        }
        let has_own = matches!(file.debug_info, DebugInfo::Whole | DebugInfo::Split);
        let debug = if has_own {
            Some((path.to_owned(), file.clone()))
        } else {
            debug_file(path, &file, folders, &mut findings.unusable)
        };
        let split = debug.as_ref().and_then(|(path, debug)| split(path, debug));
        // Its lines are of inlined functions, of which it has no names: they are not of the
        // function that would stand there.
        let debug = debug.filter(|_| split.is_none());
        findings.unusable.extend(split);
        (Some(Source { path: path.to_owned(), file, debug }), findings)
    }

    /// The functions at each of `offsets` bytes in the file.
    pub(crate) fn frames(
        &self,
        names: &blazesym::symbolize::Symbolizer,
        offsets: &[u64],
        findings: &mut SymbolFindings,
    ) -> Vec<Vec<SymbolFrame>> {
        let mut frames = vec![Vec::new(); offsets.len()];
        let addresses: Vec<Option<u64>> =
            offsets.iter().map(|&offset| self.file.address(offset)).collect();
        for way in self.ways() {
            let left = |index: &usize| frames[*index].is_empty() && addresses[*index].is_some();
            let left: Vec<usize> = (0..offsets.len()).filter(left).collect();
            let asked: Vec<u64> = left.iter().filter_map(|&index| addresses[index]).collect();
            if asked.is_empty() {
                break;
            }
            let (found, error) = way.frames(names, &asked);
            for (index, found) in left.into_iter().zip(found) {
                frames[index] = found;
            }
            if let Some(error) = error.filter(|_| way.debug) {
                self.note(way.path, error, findings);
            }
        }
        frames
    }

    fn ways(&self) -> impl Iterator<Item = Way<'_>> {
        let debug = self.debug.as_ref().map(|(path, _)| path.as_path());
        let own = (debug != Some(self.path.as_path())).then_some(self.path.as_path());
        let way = |debug| move |path| Way { path, debug };
        debug.map(way(true)).into_iter().chain(debug.map(way(false))).chain(own.map(way(false)))
    }

    /// Notes why debug information in `path` could not be read.
    fn note(&self, path: &Path, error: String, findings: &mut SymbolFindings) {
        let shared = self.debug.as_ref().and_then(|(_, debug)| debug.shared_link.as_ref());
        let why = match shared {
            Some(shared) => {
                format!("it needs {}, which cannot be read", Path::new(shared).display())
            }
            None => error,
        };
        if findings.unusable.iter().all(|known| known.path != path) {
            findings.unusable.push(UnusableDebugFile { path: path.to_owned(), why });
        }
    }
}

impl Way<'_> {
    /// The functions at each of `addresses`, and why some have none, if it is an error.
    fn frames(
        self,
        names: &blazesym::symbolize::Symbolizer,
        addresses: &[u64],
    ) -> (Vec<Vec<SymbolFrame>>, Option<String>) {
        let mut elf = Elf::new(self.path);
        elf.debug_syms = self.debug;
        let source = Names::Elf(elf);
        let all = |found: Vec<Symbolized<'_>>| found.iter().map(functions).collect();
        if let Ok(found) = names.symbolize(&source, Input::VirtOffset(addresses)) {
            return (all(found), None);
        }
        // One that cannot be read should not take the names of the others.
        let mut error = None;
        let each =
            |&address: &u64| match names.symbolize_single(&source, Input::VirtOffset(address)) {
                Ok(found) => functions(&found),
                Err(reason) => {
                    error.get_or_insert_with(|| reason.to_string());
                    Vec::new()
                }
            };
        let frames = addresses.iter().map(each).collect();
        (frames, error)
    }
}

/// Says that a part of the debug information in `path` is elsewhere, if it is not found.
fn split(path: &Path, debug: &ElfFile) -> Option<UnusableDebugFile> {
    let mut package = path.as_os_str().to_owned();
    package.push(".dwp");
    let is_split = debug.debug_info == DebugInfo::Split && !Path::new(&package).is_file();
    is_split.then(|| UnusableDebugFile {
        path: path.to_owned(),
        why: "its debug information is split into .dwo files, which are not read: lines and \
              inlined functions are missing (compile without -gsplit-dwarf)"
            .to_owned(),
    })
}
