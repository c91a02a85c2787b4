//! Separate debug files: where one may be, and which is that of a program or library.
//!
//! The places are those of gdb ("Debugging Information in Separate Files" in its manual), and the
//! cache of debuginfod-find(1).

use std::fmt::Write;
use std::path::{Path, PathBuf};

use crate::elf_file::{DebugInfo, ElfFile, Refusal, checksum};

/// The folders with debug files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DebugFolders {
    /// Those with files by build id (`.build-id/ab/cdef.debug`) and by path.
    pub by_path: Vec<PathBuf>,
    /// What debuginfod-find(1) has fetched.
    pub fetched: Option<PathBuf>,
}

impl Default for DebugFolders {
    fn default() -> Self {
        DebugFolders { by_path: vec![PathBuf::from("/usr/lib/debug")], fetched: None }
    }
}

/// A debug file that is there and cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnusableDebugFile {
    /// Its path.
    pub path: PathBuf,
    /// Why.
    pub why: String,
}

/// The debug file of `file`, which is at `path`. Those that are there and unusable go to
/// `unusable`.
pub(crate) fn debug_file(
    path: &Path,
    file: &ElfFile,
    folders: &DebugFolders,
    unusable: &mut Vec<UnusableDebugFile>,
) -> Option<(PathBuf, ElfFile)> {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    for candidate in candidates(&real, file, folders) {
        if candidate.canonicalize().is_ok_and(|candidate| candidate == real) {
            continue;
        }
        match usable(&candidate, file) {
            Ok(found) => return Some((candidate, found)),
            Err(Refusal::Missing) => {}
            Err(Refusal::Unreadable(why)) => {
                let known = unusable.iter().any(|known| known.path == candidate);
                if !known {
                    unusable.push(UnusableDebugFile { path: candidate, why });
                }
            }
        }
    }
    None
}

/// Where the debug file may be, the surest place first.
fn candidates(real: &Path, file: &ElfFile, folders: &DebugFolders) -> Vec<PathBuf> {
    let mut candidates = Vec::new();
    if let Some(id) = file.build_id.as_deref().filter(|id| id.len() > 1) {
        let hex = hexadecimal(id);
        let name = format!(".build-id/{}/{}.debug", &hex[..2], &hex[2..]);
        candidates.extend(folders.by_path.iter().map(|folder| folder.join(&name)));
        candidates.extend(folders.fetched.iter().map(|cache| cache.join(&hex).join("debuginfo")));
    }
    let mut with_ending = real.file_name().unwrap_or_default().to_owned();
    with_ending.push(".debug");
    // A link has the name of a file, not a way to it.
    let linked = file.debug_link.as_ref().map(|(name, _)| name.as_os_str());
    let linked = linked.and_then(|name| Path::new(name).file_name());
    let parent = real.parent().unwrap_or(Path::new("/"));
    let below_root = parent.strip_prefix("/").unwrap_or(parent);
    for name in linked.into_iter().chain([with_ending.as_os_str()]) {
        candidates.extend([parent.join(name), parent.join(".debug").join(name)]);
        let by_path = folders.by_path.iter();
        candidates.extend(by_path.map(|folder| folder.join(below_root).join(name)));
    }
    candidates
}

/// The debug file at `path`, if it is that of `file` and has something to say.
fn usable(path: &Path, file: &ElfFile) -> Result<ElfFile, Refusal> {
    let unusable = |why: &str| Err(Refusal::Unreadable(why.to_owned()));
    let found = ElfFile::read(path)?;
    let is_its = match (&file.build_id, &found.build_id, &file.debug_link) {
        (Some(own), Some(other), _) => own == other,
        (_, _, Some((_, sum))) => checksum(path) == Some(*sum),
        // By its name alone.
        (_, _, None) => return Err(Refusal::Missing),
    };
    if !is_its {
        return unusable("it is of another build");
    }
    match found.debug_info {
        DebugInfo::Compressed => unusable(COMPRESSED),
        DebugInfo::None if !found.has_symbols => Err(Refusal::Missing),
        _ => Ok(found),
    }
}

/// Why compressed debug information is not read, and what helps.
pub(crate) const COMPRESSED: &str =
    "it is compressed with zstd, which is not read: objcopy --decompress-debug-sections";

/// A build id as tools write it.
#[must_use]
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(build_id: Option<&[u8]>, link: Option<&str>) -> Vec<String> {
        let file = ElfFile {
            build_id: build_id.map(<[u8]>::to_vec),
            debug_link: link.map(|name| (name.into(), 0)),
            ..ElfFile::empty()
        };
        let folders = DebugFolders { fetched: Some("/c".into()), ..DebugFolders::default() };
        let candidates = candidates(Path::new("/usr/bin/ls"), &file, &folders);
        candidates.iter().map(|path| path.display().to_string()).collect()
    }

    #[test]
    fn the_places_of_debug_files() {
        let by_name =
            ["/usr/bin/ls.debug", "/usr/bin/.debug/ls.debug", "/usr/lib/debug/usr/bin/ls.debug"];
        assert_eq!(paths(None, None), by_name);
        assert_eq!(paths(Some(&[0xab]), None), by_name, "too short");
        let by_id = ["/usr/lib/debug/.build-id/ab/cd01.debug", "/c/abcd01/debuginfo"];
        assert_eq!(paths(Some(&[0xab, 0xcd, 1]), None), [&by_id[..], &by_name].concat());
        let linked =
            ["/usr/bin/abc.debug", "/usr/bin/.debug/abc.debug", "/usr/lib/debug/usr/bin/abc.debug"];
        for link in ["abc.debug", "../../etc/abc.debug"] {
            assert_eq!(paths(None, Some(link)), [&linked[..], &by_name].concat(), "{link}");
        }
    }
}
