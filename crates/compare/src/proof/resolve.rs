//! Which file `malloc` resolves to.

use std::path::Path;

use super::{LoadedFile, Picture};

/// The symbol itself.
pub(super) const MALLOC: &str = "malloc";

/// Where the calls of `malloc` go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Malloc<'a> {
    /// To this file: the first that exports it, by the dynamic linker's order.
    File(&'a LoadedFile),
    /// Those of the program to itself, bound when it was linked; those of its libraries to this
    /// file, if any.
    Inside(Option<&'a LoadedFile>),
    /// There is no dynamic linker: whatever the program has was linked into it.
    Static,
    /// The dynamic linker had loaded nothing that exports it.
    Nowhere,
    /// That cannot be seen, and why.
    Unknown(String),
}

impl Malloc<'_> {
    /// The file, if it is one.
    pub(super) fn file(&self) -> Option<String> {
        match self {
            Malloc::File(object) => Some(object.path.display().to_string()),
            _ => None,
        }
    }
}

/// Where the calls of `malloc` of the program in `picture` go.
pub(super) fn malloc(picture: &Picture) -> Malloc<'_> {
    let unreadable = |path: &Path| {
        Malloc::Unknown(format!(
            "{} cannot be read any more, so it is unknown whether malloc comes from it",
            path.display()
        ))
    };
    let Some(linkage) = &picture.program.linkage else { return unreadable(&picture.program.path) };
    let Some(loaded) = &picture.loaded else {
        return Malloc::Unknown(format!(
            "this user may not read the dynamic linker's list of what it loaded into {}",
            picture.name()
        ));
    };
    if loaded.is_empty() && linkage.interpreter.is_none() {
        return if is_dynamic_linker(&picture.program) {
            Malloc::Unknown(format!(
                "the program was started through {}, whose list of loaded files is not where that \
                 of a program is: give the program itself as the command",
                picture.name()
            ))
        } else {
            Malloc::Static
        };
    }
    let mut found = None;
    for object in loaded {
        match &object.linkage {
            None => return unreadable(&object.path),
            Some(linkage) if linkage.exported.contains(MALLOC) => {
                found = Some(object);
                break;
            }
            Some(_) => {}
        }
    }
    if linkage.internal.contains(MALLOC) {
        return Malloc::Inside(found);
    }
    found.map_or(Malloc::Nowhere, Malloc::File)
}

/// Whether `object` is a dynamic linker.
fn is_dynamic_linker(object: &LoadedFile) -> bool {
    name_of(object).is_some_and(|name| name.starts_with("ld-") || name.starts_with("ld64.so"))
}

/// Whether `object` is the C library.
pub(super) fn is_c_library(object: &LoadedFile) -> bool {
    name_of(object).is_some_and(|name| {
        name.starts_with("libc.so") || name.starts_with("libc.musl") || name.starts_with("ld-musl")
    })
}

/// The name of a library: its own, or that of its file.
pub(super) fn name_of(object: &LoadedFile) -> Option<String> {
    let soname = object.linkage.as_ref().and_then(|linkage| linkage.soname.clone());
    soname.or_else(|| Some(object.path.file_name()?.to_string_lossy().into_owned()))
}

/// Whether `object` is the file `path`.
pub(super) fn is_file(object: &LoadedFile, path: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    object.path == path || real(path).is_some_and(|path| real(&object.path) == Some(path))
}
