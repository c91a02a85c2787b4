//! Names of code from the files on this machine.

use std::collections::BTreeMap;
use std::path::PathBuf;

use analysis::recording::{CodeFile, FrameName, SymbolSource};
use results::recording::{Unnamed, UnnamedFile};
use symbols::{DebugFolders, SymbolTrouble, Symbolizer};

/// Names from the files on this machine.
pub(super) struct FileNames {
    symbols: Symbolizer,
    /// Where files are whose folders were left out of the recording.
    here: PathBuf,
    /// The files by their paths in the recording and their build ids, and where they are.
    asked: BTreeMap<(String, Option<Vec<u8>>), PathBuf>,
}

impl FileNames {
    pub(super) fn new() -> FileNames {
        let folders = DebugFolders { fetched: fetched(), ..DebugFolders::default() };
        FileNames {
            symbols: Symbolizer::new(folders),
            here: std::env::current_dir().unwrap_or_default(),
            asked: BTreeMap::new(),
        }
    }
}

/// Where debuginfod-find(1) puts what it fetches.
fn fetched() -> Option<PathBuf> {
    let folder = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let in_cache = |cache: PathBuf| cache.join("debuginfod_client");
    folder("DEBUGINFOD_CACHE_PATH")
        .or_else(|| folder("XDG_CACHE_HOME").map(in_cache))
        .or_else(|| folder("HOME").map(|home| in_cache(home.join(".cache"))))
}

impl SymbolSource for FileNames {
    fn names(&mut self, file: CodeFile<'_>, offsets: &[u64]) -> Vec<Vec<FrameName>> {
        let is_bare = !file.path.is_empty() && !file.path.contains('/');
        let path = if is_bare { self.here.join(file.path) } else { PathBuf::from(file.path) };
        let found = self.symbols.frames(&path, file.build_id, offsets);
        self.asked.insert((file.path.to_owned(), file.build_id.map(<[u8]>::to_vec)), path);
        let name = |frame: symbols::SymbolFrame| FrameName {
            function: frame.function,
            file: frame.file,
            line: frame.line,
            offset_bytes: frame.offset_bytes,
        };
        found.into_iter().map(|frames| frames.into_iter().map(name).collect()).collect()
    }

    /// The files by the paths in the recording.
    fn unnamed(&self) -> Vec<UnnamedFile> {
        let mut files = Vec::new();
        for ((path, build_id), place) in &self.asked {
            let Some(findings) = self.symbols.findings(place, build_id.as_deref()) else {
                continue;
            };
            let mut push = |why, reason| {
                let (path, build_id) =
                    (path.clone(), build_id.as_deref().map(symbols::hexadecimal));
                files.push(UnnamedFile { path, why, build_id, reason, cost_ns: 0 });
            };
            match &findings.trouble {
                Some(SymbolTrouble::Missing) => push(Unnamed::Missing, None),
                Some(SymbolTrouble::Changed) => push(Unnamed::Changed, None),
                Some(SymbolTrouble::Unchecked) => push(Unnamed::Unchecked, None),
                Some(SymbolTrouble::Unreadable(why)) => {
                    push(Unnamed::Unreadable, Some(why.clone()));
                }
                None => {}
            }
            if let Some(unusable) = findings.unusable.first() {
                let reason = format!("{}: {}", unusable.path.display(), unusable.why);
                push(Unnamed::NoLines, Some(reason));
            }
        }
        files
    }
}
