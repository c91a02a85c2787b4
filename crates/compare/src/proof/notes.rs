//! Memory that an arm's setting cannot reach.

use std::ffi::OsString;

use super::refusal::PRELOAD;
use super::resolve::{Malloc, is_file, name_of};
use super::{LoadedFile, Picture, Variable};
use crate::arm::PreparedArm;
use crate::tunables::VARIABLE;

/// An allocator, by what its copies leave in a program.
struct Embedded {
    name: &'static str,
    /// Its functions, under names of their own.
    symbols: &'static [&'static str],
    /// The start of its messages.
    text: &'static str,
    /// The start of its library's name.
    library: &'static str,
}

const EMBEDDED: [Embedded; 3] = [
    Embedded {
        name: "jemalloc",
        symbols: &["_rjem_malloc", "je_malloc", "_rjem_mallocx", "je_mallocx", "mallocx"],
        text: "<jemalloc>: ",
        library: "libjemalloc",
    },
    Embedded {
        name: "mimalloc",
        symbols: &["mi_malloc"],
        text: "mimalloc: ",
        library: "libmimalloc",
    },
    Embedded {
        name: "tcmalloc",
        symbols: &["tc_malloc", "TCMallocInternalMalloc"],
        text: "tcmalloc: ",
        library: "libtcmalloc",
    },
];

/// A runtime with memory of its own.
struct Runtime {
    /// A function that only it exports.
    symbol: &'static str,
    /// What it keeps from malloc.
    note: &'static str,
    /// The variable, and the start of its value, that turn this off.
    off: Option<(&'static str, &'static str)>,
}

const RUNTIMES: [Runtime; 4] = [
    Runtime {
        symbol: "_ZN2v87Isolate10GetCurrentEv",
        note: "V8 takes the JavaScript heap from the kernel itself: the setting reaches only what \
               is outside it (buffers, libraries)",
        off: None,
    },
    Runtime {
        symbol: "JNI_CreateJavaVM",
        note: "the JVM takes the Java heap from the kernel itself: the setting reaches only native \
               memory (threads, the compiler, libraries)",
        off: None,
    },
    Runtime {
        symbol: "PyObject_Malloc",
        note: "CPython serves objects of up to 512 bytes from pools of its own: the setting \
               reaches only larger ones and libraries (PYTHONMALLOC=malloc gives malloc all of \
               them)",
        off: Some(("PYTHONMALLOC", "malloc")),
    },
    Runtime {
        symbol: "_emalloc",
        note: "PHP serves its scripts from a heap of its own: the setting reaches only what is \
               outside it (USE_ZEND_ALLOC=0 gives malloc all of it)",
        off: Some(("USE_ZEND_ALLOC", "0")),
    },
];

/// The symbols that are looked for in each file.
pub(super) const SYMBOLS: &[&str] = &[
    "_rjem_malloc",
    "je_malloc",
    "_rjem_mallocx",
    "je_mallocx",
    "mallocx",
    "mi_malloc",
    "tc_malloc",
    "TCMallocInternalMalloc",
    "_ZN2v87Isolate10GetCurrentEv",
    "JNI_CreateJavaVM",
    "PyObject_Malloc",
    "_emalloc",
];

/// The texts that are looked for in the program.
pub(super) const TEXTS: &[&str] = &["<jemalloc>: ", "mimalloc: ", "tcmalloc: ", VARIABLE];

/// What is to be known of `arm` besides its proof.
pub(super) fn of(picture: &Picture, arm: &PreparedArm, malloc: &Malloc) -> Vec<String> {
    let mut notes = Vec::new();
    let preloads = arm.allocator.as_ref().is_some_and(|allocator| allocator.library.is_some());
    let of_malloc = arm.tunables.iter().any(|tunable| tunable.name.starts_with("glibc.malloc."));
    if preloads || of_malloc {
        notes.extend(go(picture));
        notes.extend(runtimes(picture));
        notes.extend(own_allocator(picture, malloc));
        notes.extend(linked_allocator(picture, malloc));
    }
    notes.extend(dropped_variables(picture, arm));
    let changes = preloads || !arm.tunables.is_empty() || arm.huge_pages_off;
    if changes && picture.had_children == Some(true) {
        notes.push(format!(
            "{} has run other programs, which may get the setting by inheritance and were not \
             looked at",
            picture.name()
        ));
    }
    notes
}

/// The variables of `arm`, apart from those that are proved, that the program did not get. That may
/// be as it should: what the command starts first may be what reads them.
fn dropped_variables(picture: &Picture, arm: &PreparedArm) -> Vec<String> {
    let is_dropped = |(name, wanted): &&(OsString, Option<OsString>)| {
        let is_proved = name == PRELOAD && arm.allocator.is_some()
            || name == VARIABLE && !arm.tunables.is_empty();
        let is_there = match picture.variable(&name.to_string_lossy()) {
            Variable::Set(value) => wanted.as_deref() == Some(value),
            Variable::Unset => wanted.is_none(),
            Variable::Unknown => true,
        };
        !is_proved && !is_there
    };
    let note = |(name, wanted): &(OsString, Option<OsString>)| {
        let what = match wanted {
            Some(value) => format!("{}={} had not", name.display(), value.display()),
            None => format!("the removal of {} had not", name.display()),
        };
        format!("{what} reached {} when it started", picture.name())
    };
    arm.variables.iter().filter(is_dropped).map(note).collect()
}

/// Words about a language whose programs are linked statically.
pub(super) fn language_of(picture: &Picture) -> Option<&'static str> {
    let is_go = picture.program.linkage.as_ref().is_some_and(|linkage| linkage.go);
    is_go.then_some(" (a Go program, whose runtime does not use malloc)")
}

fn go(picture: &Picture) -> Option<String> {
    let linkage = picture.program.linkage.as_ref()?;
    linkage.go.then(|| {
        "Go's runtime takes the heap of Go code from the kernel itself: the setting reaches only C \
         code (cgo)"
            .to_owned()
    })
}

fn runtimes(picture: &Picture) -> Vec<String> {
    let exports = |symbol: &str| {
        let of = |object: &LoadedFile| {
            object.linkage.as_ref().is_some_and(|linkage| linkage.exported.contains(symbol))
        };
        picture.loaded.iter().flatten().any(of)
    };
    let is_off = |(name, start): (&str, &str)| match picture.variable(name) {
        Variable::Set(value) => value.to_string_lossy().starts_with(start),
        Variable::Unset | Variable::Unknown => false,
    };
    RUNTIMES
        .iter()
        .filter(|runtime| exports(runtime.symbol) && !runtime.off.is_some_and(is_off))
        .map(|runtime| runtime.note.to_owned())
        .collect()
}

/// The allocator that is linked into the program, by name, and whether that is certain: its
/// messages alone may be there for another reason.
pub(super) fn embedded(picture: &Picture) -> Option<(&'static str, bool)> {
    let linkage = picture.program.linkage.as_ref()?;
    let has =
        |symbol: &&str| linkage.internal.contains(*symbol) || linkage.exported.contains(*symbol);
    let by_function = EMBEDDED.iter().find(|embedded| embedded.symbols.iter().any(&has));
    let by_text = || EMBEDDED.iter().find(|embedded| linkage.texts.contains(embedded.text));
    match by_function {
        Some(embedded) => Some((embedded.name, true)),
        None => by_text().map(|embedded| (embedded.name, false)),
    }
}

/// An allocator inside the program whose functions do not have the names of the C library's.
fn own_allocator(picture: &Picture, malloc: &Malloc) -> Option<String> {
    let (name, is_certain) = embedded(picture)?;
    matches!(malloc, Malloc::File(object) if object.path != picture.program.path).then(|| {
        let what = if is_certain {
            format!("also has {name} linked into it")
        } else {
            format!("has messages of {name}, so that may be linked into it")
        };
        format!(
            "{} {what}: memory that it takes from it by other names than malloc is out of reach",
            picture.name()
        )
    })
}

/// A library of another allocator that the program is linked with.
fn linked_allocator(picture: &Picture, malloc: &Malloc) -> Option<String> {
    let Malloc::File(used) = malloc else { return None };
    let is_allocator = |object: &&LoadedFile| {
        let name = name_of(object).unwrap_or_default();
        EMBEDDED.iter().any(|embedded| name.starts_with(embedded.library))
            && !is_file(object, &used.path)
    };
    let other = picture.loaded.iter().flatten().find(is_allocator)?;
    Some(format!(
        "{} is loaded too: malloc and free do not come from it, but what is its own (such as \
         mallctl) still does",
        other.path.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_looked_for_is_read() {
        for embedded in &EMBEDDED {
            assert!(embedded.symbols.iter().all(|symbol| SYMBOLS.contains(symbol)));
            assert!(TEXTS.contains(&embedded.text), "{}", embedded.name);
        }
        assert!(RUNTIMES.iter().all(|runtime| SYMBOLS.contains(&runtime.symbol)));
    }
}
