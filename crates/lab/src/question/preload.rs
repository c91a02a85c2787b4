//! The environment of a child: variables, and another allocator, which is preloaded and checked.

use std::collections::BTreeMap;
use std::path::Path;

use crate::question::arm::nearest;

/// The environment of a child, in addition to that of this process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// Its allocator; `None`: the one of this process's environment.
    pub allocator: Option<Allocator>,
    /// Variables, by name.
    pub variables: BTreeMap<String, String>,
}

/// An allocator as the user names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allocator {
    /// Its name on the command line.
    pub name: String,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    /// The C library's, even if this process was started with another.
    System,
    /// The first of these libraries that exists is preloaded; `ld.so` searches for it (`ld.so(8)`,
    /// `LD_PRELOAD`).
    Libraries(&'static [&'static str], Package),
    /// The file with this name.
    File,
}

/// The Debian package that contains a library.
type Package = &'static str;

/// Shared objects, by the names that distributions use.
const KNOWN: [(&str, &[&str], Package); 3] = [
    ("jemalloc", &["libjemalloc.so.2", "libjemalloc.so.1", "libjemalloc.so"], "libjemalloc2"),
    ("mimalloc", &["libmimalloc.so.3", "libmimalloc.so.2", "libmimalloc.so"], "libmimalloc2.0"),
    (
        "tcmalloc",
        &[
            "libtcmalloc_minimal.so.4",
            "libtcmalloc.so.4",
            "libtcmalloc_minimal.so",
            "libtcmalloc.so",
        ],
        "libtcmalloc-minimal4",
    ),
];

/// How a child gets the allocator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preloaded {
    /// The value of `LD_PRELOAD`; `None`: the variable is removed.
    pub library: Option<String>,
    /// The file that malloc comes from then.
    pub origin: String,
}

impl Allocator {
    /// `system`, `jemalloc`, `mimalloc`, `tcmalloc`, or the path of a shared object.
    ///
    /// # Errors
    /// A message with the known names.
    pub fn named(name: &str) -> Result<Self, String> {
        let known = KNOWN.iter().find(|(known, ..)| *known == name);
        let kind = match known {
            Some((_, libraries, package)) => Kind::Libraries(libraries, package),
            None if name == "system" => Kind::System,
            None if name.contains('/') => file(name)?,
            None => {
                let names = || ["system"].into_iter().chain(KNOWN.map(|(known, ..)| known));
                let near = if matches!(name, "glibc" | "libc" | "default" | "ptmalloc") {
                    Some("system")
                } else {
                    nearest(name, names())
                };
                let hint = near.map_or(".".to_owned(), |near| format!("; did you mean {near}?"));
                let known = names().collect::<Vec<_>>().join(", ");
                return Err(format!(
                    "unknown allocator {name:?}{hint} Known: {known}; or give the path of a shared \
                     object, such as ./libmine.so"
                ));
            }
        };
        Ok(Allocator { name: name.to_owned(), kind })
    }

    /// Finds the library to preload. `origin_with(library)` is the file that a child's malloc comes
    /// from with that library preloaded (`None`: without preloading).
    ///
    /// # Errors
    /// Why it is not available here, and what to do.
    pub fn resolve(
        &self,
        mut origin_with: impl FnMut(Option<&str>) -> Result<Option<String>, String>,
    ) -> Result<Preloaded, String> {
        let unknown =
            || "cannot find out where malloc comes from: dladdr(3) does not find it".to_owned();
        let system = origin_with(None)?.ok_or_else(unknown)?;
        let mut found = |library: &str| -> Result<Option<Preloaded>, String> {
            let origin = origin_with(Some(library))?.filter(|origin| same_file(origin, library));
            Ok(origin.map(|origin| Preloaded { library: Some(library.to_owned()), origin }))
        };
        match self.kind {
            Kind::System => Ok(Preloaded { library: None, origin: system }),
            Kind::Libraries(libraries, package) => {
                for library in libraries {
                    if let Some(preloaded) = found(library)? {
                        return Ok(preloaded);
                    }
                }
                Err(format!(
                    "{} is not installed: the linker finds no {}; install it (Debian: apt-get \
                     install {package}), or give the path of its file",
                    self.name, libraries[0]
                ))
            }
            Kind::File => found(&self.name)?.ok_or_else(|| {
                format!(
                    "{} was preloaded, but malloc still comes from {system}: it is not a shared \
                     object that defines malloc, or is for another architecture",
                    self.name
                )
            }),
        }
    }
}

/// The file must exist, and its path must not contain spaces or colons, at which `LD_PRELOAD` is
/// split.
fn file(name: &str) -> Result<Kind, String> {
    if name.contains([' ', ':', '\t', '\n']) {
        return Err(format!(
            "the path of an allocator must not contain spaces or colons (ld.so(8), LD_PRELOAD): \
             {name:?}"
        ));
    }
    match std::fs::metadata(name) {
        Ok(metadata) if metadata.is_file() => Ok(Kind::File),
        Ok(_) => Err(format!("the allocator {name} is not a regular file")),
        Err(error) => Err(format!("cannot use the allocator {name}: {error}")),
    }
}

/// Whether `origin` is the file of `library`, a path or a name that the linker searches for.
fn same_file(origin: &str, library: &str) -> bool {
    if library.contains('/') {
        let real = |path: &str| Path::new(path).canonicalize().ok();
        return real(origin).is_some_and(|origin| Some(origin) == real(library));
    }
    Path::new(origin).file_name().is_some_and(|name| name.to_string_lossy().starts_with(library))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine that has these libraries, which define malloc.
    fn with(there: &[&str]) -> impl FnMut(Option<&str>) -> Result<Option<String>, String> {
        move |library| {
            let found = library
                .filter(|library| there.contains(library))
                .map(|library| format!("/usr/lib/{library}"));
            Ok(Some(found.unwrap_or("/lib/libc.so.6".to_owned())))
        }
    }

    #[test]
    fn the_first_existing_library_is_used() {
        let resolve =
            |name: &str, there: &[&str]| Allocator::named(name).unwrap().resolve(with(there));
        let jemalloc = resolve("jemalloc", &["libjemalloc.so.1"]).unwrap();
        assert_eq!(
            (jemalloc.library.as_deref(), &*jemalloc.origin),
            (Some("libjemalloc.so.1"), "/usr/lib/libjemalloc.so.1")
        );
        assert_eq!(resolve("system", &[]).unwrap().library, None);
        let missing = resolve("mimalloc", &["libjemalloc.so.2"]).unwrap_err();
        assert!(missing.contains("apt-get install libmimalloc2.0"), "{missing}");
    }

    #[test]
    fn a_file_without_malloc_is_detected() {
        let program = std::env::current_exe().unwrap();
        let error =
            Allocator::named(program.to_str().unwrap()).unwrap().resolve(with(&[])).unwrap_err();
        assert!(error.contains("malloc still comes from /lib/libc.so.6"), "{error}");
    }

    #[test]
    fn names_are_checked_before_anything_runs() {
        for (name, expect) in [
            ("jmalloc", "did you mean jemalloc?"),
            ("/nonexistent/liballoc.so", "/nonexistent/liballoc.so"),
            ("/", "not a regular file"),
            ("/a b.so", "spaces"),
        ] {
            let error = Allocator::named(name).unwrap_err();
            assert!(error.contains(expect), "{error}");
        }
    }
}
