//! Files in lines: by their names alone, as long as no two files of a trace have the same one.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use results::trace::MappingLabel;

use crate::text::cleaned;
use crate::view::View;

/// The files that the lines of a trace have named so far.
#[derive(Debug)]
pub struct FileNames {
    whole_paths: bool,
    /// For each file name its path, or `None` once several paths have it.
    paths: HashMap<Box<str>, Option<Arc<str>>>,
}

impl FileNames {
    /// None so far; with `-v` each file is shown by its path.
    #[must_use]
    pub fn new(view: View) -> FileNames {
        FileNames { whole_paths: view.verbose, paths: HashMap::new() }
    }

    /// How `mapping` is shown. A file goes by its name until another file of that name comes; from
    /// then on both go by their paths. So a bare name always means the first file that has it.
    pub(crate) fn place<'a>(&mut self, mapping: Option<&'a MappingLabel>) -> Place<'a> {
        let path = mapping.and_then(|mapping| mapping.name.as_ref()).filter(|_| !self.whole_paths);
        let with_folder = match path.and_then(|path| Some((path, file_name(path)?))) {
            None => true,
            Some((path, name)) => match self.paths.get_mut(name) {
                Some(None) => true,
                Some(Some(known)) if known == path => false,
                Some(several) => {
                    *several = None;
                    true
                }
                None => {
                    self.paths.insert(name.into(), Some(Arc::clone(path)));
                    false
                }
            },
        };
        Place { mapping, with_folder }
    }

    /// Takes note of the files of `mappings`, before any of them is shown.
    pub(crate) fn know<'a>(&mut self, mappings: impl Iterator<Item = &'a MappingLabel>) {
        for mapping in mappings {
            self.place(Some(mapping));
        }
    }
}

/// The name of a file in a folder. `None` for a name that is no path, and for one that only looks
/// like a path (a memfd, shared memory, a device).
fn file_name(path: &str) -> Option<&str> {
    let (folder, name) = path.rsplit_once('/')?;
    let is_file = folder.starts_with('/')
        && !["/memfd:", "/dev", "/SYSV"].iter().any(|begin| path.starts_with(begin));
    (is_file && !name.is_empty()).then_some(name)
}

/// A mapping in words: its file, or its kind.
pub(crate) struct Place<'a> {
    mapping: Option<&'a MappingLabel>,
    with_folder: bool,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(mapping) = self.mapping else { return f.write_str("unknown memory") };
        let Some(name) = mapping.name.as_deref() else {
            return f.write_str(mapping.kind.label().trim_matches(['[', ']']));
        };
        let name = if self.with_folder { name } else { file_name(name).unwrap_or(name) };
        f.write_str(&cleaned(name))
    }
}

#[cfg(test)]
mod tests {
    use events::MappingKind;

    use super::*;

    #[test]
    fn a_file_goes_by_its_name_until_another_has_it() {
        let shown = |view: View, paths: &[&str]| -> Vec<String> {
            let mut names = FileNames::new(view);
            let mut show = |path: &&str| {
                let name = Some(Arc::from(*path));
                let label = MappingLabel { kind: MappingKind::PrivateFile, name, start: 0 };
                names.place(Some(&label)).to_string()
            };
            paths.iter().map(&mut show).collect()
        };
        let brief = |paths: &[&str]| shown(View::brief(None), paths);
        assert_eq!(
            brief(&["/a/x.so", "/b/y.so", "/a/x.so", "/c/x.so", "/a/x.so", "/b/y.so"]),
            ["x.so", "y.so", "x.so", "/c/x.so", "/a/x.so", "y.so"]
        );
        let others = ["[anon: a/b]", "/memfd:a/b (deleted)", "/dev/zero (deleted)", "/init", ""];
        assert_eq!(brief(&others), others);
        assert_eq!(brief(&["/a/gone.so (deleted)"]), ["gone.so (deleted)"]);
        assert_eq!(shown(View::verbose(None), &["/a/x.so"]), ["/a/x.so"]);
    }
}
