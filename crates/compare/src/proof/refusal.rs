//! Why an arm is refused: the reasons in words.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use lab::question::preload::Preloaded;
use sys::process::WaitStatus;

use super::resolve::{Malloc, is_c_library, is_file, name_of};
use super::{LoadedFile, Picture, Variable, notes};
use crate::arm::PreparedArm;
use crate::tunables::{Tunable, VARIABLE, is_musl};

/// The environment variable that preloads.
pub(super) const PRELOAD: &str = "LD_PRELOAD";

/// Checks that `malloc` comes from the `wanted` allocator. Returns why that could not be seen, if
/// so.
pub(super) fn allocator(
    picture: &Picture,
    wanted: &Preloaded,
    malloc: &Malloc,
) -> Result<Option<String>, String> {
    match &wanted.library {
        Some(library) => preloaded(picture, library, &wanted.origin, malloc),
        None => system(picture, malloc),
    }
}

/// The library that is preloaded.
fn preloaded(
    picture: &Picture,
    library: &str,
    origin: &str,
    malloc: &Malloc,
) -> Result<Option<String>, String> {
    let name = picture.name();
    let is_it = |object: &LoadedFile| is_file(object, Path::new(origin));
    if *malloc == Malloc::Static {
        return Err(format!(
            "{name} is statically linked{}: no dynamic linker runs, so {PRELOAD} has no effect; \
             link it dynamically, or link the allocator into it",
            notes::language_of(picture).unwrap_or_default()
        ));
    }
    if let Some(reason) = privilege(picture, PRELOAD) {
        return Err(reason);
    }
    if let Malloc::Inside(_) = malloc {
        return Err(own_malloc(picture));
    }
    if let Malloc::File(object) = malloc
        && is_it(object)
    {
        return Ok(None);
    }
    if let Malloc::Unknown(why) = malloc {
        return Ok(Some(why.clone()));
    }
    if let Malloc::File(object) = malloc
        && object.path == picture.program.path
    {
        return Err(own_malloc(picture));
    }
    let is_loaded = picture.loaded.iter().flatten().any(is_it);
    if !is_loaded {
        return Err(not_loaded(picture, library));
    }
    Err(match malloc {
        Malloc::File(object) => format!(
            "{library} was preloaded into {name}, but malloc comes from {}, which the dynamic \
             linker has before it; remove the other library from {PRELOAD} and /etc/ld.so.preload",
            object.path.display()
        ),
        _ => format!("{library} was preloaded into {name}, but it exports no malloc"),
    })
}

/// The C library's own allocator, with nothing preloaded.
fn system(picture: &Picture, malloc: &Malloc) -> Result<Option<String>, String> {
    let name = picture.name();
    match malloc {
        Malloc::File(object) if is_c_library(object) => Ok(None),
        Malloc::File(object) if object.path == picture.program.path => Err(own_malloc(picture)),
        Malloc::Inside(_) => Err(own_malloc(picture)),
        Malloc::File(object) => {
            let library = name_of(object).unwrap_or_default();
            let needs = |other: &&LoadedFile| {
                let needed = other.linkage.as_ref().map(|linkage| &linkage.needed);
                needed.is_some_and(|needed| needed.contains(&library))
            };
            let why = match picture.loaded.iter().flatten().find(needs) {
                Some(other) if other.path == picture.program.path => "it is linked with it".into(),
                Some(other) => format!("{} is linked with it", other.path.display()),
                None => format!("{PRELOAD} or /etc/ld.so.preload loads it"),
            };
            Err(format!(
                "malloc of {name} comes from {}, not from the C library: {why}, so removing \
                 {PRELOAD} does not change that; give unchanged instead of system: the program as \
                 it is",
                object.path.display()
            ))
        }
        Malloc::Static => Ok(Some(format!(
            "{name} is statically linked: which malloc was linked into it cannot be seen"
        ))),
        Malloc::Nowhere => Err(nothing_loaded(picture)),
        Malloc::Unknown(why) => Ok(Some(why.clone())),
    }
}

/// The program has a malloc that comes before every library.
fn own_malloc(picture: &Picture) -> String {
    let which = notes::embedded(picture).map_or(String::new(), |(name, _)| format!(" ({name})"));
    format!(
        "{} has a malloc of its own{which}, which comes before that of any library: {PRELOAD} \
         cannot replace it; build the program without it",
        picture.name()
    )
}

/// The program gets more privilege than its caller.
fn privilege(picture: &Picture, variable: &str) -> Option<String> {
    let how = match (picture.secure, picture.secure_untraced) {
        (Some(true), _) => "runs with more privilege than its caller",
        (_, true) => "gets more privilege than its caller when it is not traced",
        _ => return None,
    };
    Some(format!(
        "{} {how} (set-user-ID, set-group-ID or file capabilities), and the dynamic linker then \
         ignores {variable}; compare a copy of the file without them",
        picture.name()
    ))
}

/// Why the library is not among what the dynamic linker has loaded.
fn not_loaded(picture: &Picture, library: &str) -> String {
    let name = picture.name();
    // "ERROR: ld.so: object '...' from LD_PRELOAD cannot be preloaded (...): ignored."
    let complaint = picture.errors.lines().find(|line| {
        line.contains("ld.so") && line.contains(library) && line.contains("cannot be preloaded")
    });
    if let Some(line) = complaint {
        return format!(
            "{library} cannot be loaded into {name}: {}; give a library that was built for the \
             program's architecture and C library",
            line.trim().trim_end_matches(": ignored.")
        );
    }
    let interpreter = picture.program.linkage.as_ref().and_then(|own| own.interpreter.as_deref());
    if let Some(loader) = interpreter.filter(|loader| is_musl(loader)) {
        return format!(
            "{name} uses musl ({loader}), and {library} is built for another C library; give the \
             path of one that is built for musl{}",
            after(picture)
        );
    }
    match picture.variable(PRELOAD) {
        Variable::Unset => format!(
            "{PRELOAD} was not in the environment of {name} when it started: the command starts it \
             through something that clears the environment (env -i, sudo, su, a wrapper); give the \
             program itself as the command"
        ),
        Variable::Set(value)
            if !value.as_bytes().windows(library.len()).any(|part| part == library.as_bytes()) =>
        {
            format!(
                "{PRELOAD} of {name} was {}, not {library}: something that the command starts sets \
                 it anew; give the program itself as the command",
                value.display()
            )
        }
        _ => nothing_loaded_of(picture, library),
    }
}

fn nothing_loaded_of(picture: &Picture, library: &str) -> String {
    format!(
        "{library} was not loaded into {}, and it is unknown why{}",
        picture.name(),
        after(picture)
    )
}

fn nothing_loaded(picture: &Picture) -> String {
    format!("nothing that is loaded into {} exports malloc{}", picture.name(), after(picture))
}

/// How the program ended, if it failed, and what it said last.
fn after(picture: &Picture) -> String {
    let ending = match picture.ending {
        None | Some(WaitStatus::Exited(0)) => return String::new(),
        Some(ending) => ended(ending),
    };
    format!("; it {ending}{}", last_words(picture))
}

fn ended(ending: WaitStatus) -> String {
    match ending {
        WaitStatus::Killed(signal) => format!("was killed by {}", sys::interrupt::name(signal)),
        WaitStatus::Exited(status) => format!("exited with status {status}"),
    }
}

/// The last line of its standard error.
fn last_words(picture: &Picture) -> String {
    let line = picture.errors.lines().rev().map(str::trim).find(|line| !line.is_empty());
    line.map_or(String::new(), |line| format!(": {line}"))
}

/// Checks that settings of the C library can have an effect.
pub(super) fn tunables(
    picture: &Picture,
    wanted: &[Tunable],
    malloc: &Malloc,
) -> Result<(), String> {
    let name = picture.name();
    let interpreter = picture.program.linkage.as_ref().and_then(|own| own.interpreter.as_deref());
    if let Some(loader) = interpreter.filter(|loader| is_musl(loader)) {
        return Err(format!("{name} uses musl ({loader}), which does not read {VARIABLE}"));
    }
    if let Some(reason) = privilege(picture, VARIABLE) {
        return Err(reason);
    }
    let texts = picture.program.linkage.as_ref().map(|linkage| &linkage.texts);
    if *malloc == Malloc::Static && !texts.is_some_and(|texts| texts.contains(VARIABLE)) {
        return Err(format!(
            "{name} is statically linked{}, and nothing in it reads {VARIABLE}: it has no glibc",
            notes::language_of(picture).unwrap_or_default()
        ));
    }
    let Some(of_malloc) = wanted.iter().find(|tunable| tunable.name.starts_with("glibc.malloc."))
    else {
        return Ok(());
    };
    match malloc {
        Malloc::File(object) if !is_c_library(object) => Err(format!(
            "malloc of {name} comes from {}, not from glibc: {} has no effect on it",
            object.path.display(),
            of_malloc.name
        )),
        Malloc::Inside(_) => Err(format!(
            "{name} has a malloc of its own{}: {} has no effect on it",
            notes::embedded(picture).map_or(String::new(), |(which, _)| format!(" ({which})")),
            of_malloc.name
        )),
        _ => Ok(()),
    }
}

/// Checks that the settings reached the program: `value` is that of its [`VARIABLE`].
pub(super) fn dropped_tunables(
    picture: &Picture,
    wanted: &[Tunable],
    value: Option<&OsStr>,
) -> Result<(), String> {
    let text = value.map(|value| value.to_string_lossy()).unwrap_or_default();
    let is_missing = |tunable: &&Tunable| {
        let entry = format!("{}={}", tunable.name, tunable.value);
        !text.split(':').any(|found| found == entry)
    };
    let Some(missing) = wanted.iter().find(is_missing) else { return Ok(()) };
    let found = match value {
        None => format!("{VARIABLE} was not in the environment of {}", picture.name()),
        Some(_) => {
            format!("{VARIABLE} of {} had no {}={}", picture.name(), missing.name, missing.value)
        }
    };
    Err(format!(
        "{found} when it started: the command starts it through something that changes the \
         environment (env -i, sudo, su, a wrapper); give the program itself as the command"
    ))
}

/// Checks that every library which `arm` preloads by its own `LD_PRELOAD` is loaded. ld.so(8) only
/// warns of one that is missing.
///
/// # Errors
/// The first that is not.
pub(super) fn other_preloads(picture: &Picture, arm: &PreparedArm) -> Result<(), String> {
    let own = arm.variables.iter().find(|(name, _)| name == PRELOAD);
    let Some(((_, Some(list)), loaded)) = own.zip(picture.loaded.as_ref()) else { return Ok(()) };
    let list = list.to_string_lossy();
    let is_loaded = |library: &str| {
        let is_it = |file: &super::LoadedFile| {
            let name = file.path.file_name().map(OsStr::to_string_lossy).unwrap_or_default();
            let wanted = library.rsplit('/').next().unwrap_or(library);
            // A link leads to a file with more of a version in its name.
            let soname = file.linkage.as_ref().and_then(|linkage| linkage.soname.as_deref());
            name.starts_with(wanted) || soname == Some(wanted) || same_file(&file.path, library)
        };
        loaded.iter().any(is_it)
    };
    let missing = list.split([' ', ':']).find(|one| !one.is_empty() && !is_loaded(one));
    missing.map_or(Ok(()), |library| {
        Err(format!(
            "{library} of LD_PRELOAD is not loaded in {}: check its path and its architecture, and \
             that nothing on the way drops the variable",
            picture.name()
        ))
    })
}

fn same_file(path: &std::path::Path, library: &str) -> bool {
    let real = |path: &std::path::Path| path.canonicalize().ok();
    library.contains('/') && real(path).is_some_and(|file| Some(file) == real(library.as_ref()))
}

/// Why the program fails under `arm` although it does not fail as the baseline: its `picture`
/// ended in another way than that of the `baseline`. `None`: it does not.
#[must_use]
pub fn fails_alone(picture: &Picture, arm: &PreparedArm, baseline: &Picture) -> Option<String> {
    let (Some(ending), Some(usual)) = (picture.ending, baseline.ending) else { return None };
    if picture.out_of_time && !baseline.out_of_time {
        return Some(format!(
            "under {} {} did not end in time, and it does as the baseline",
            arm.name,
            program_name(picture)
        ));
    }
    if ending == usual || ending == WaitStatus::Exited(0) || picture.out_of_time {
        return None;
    }
    Some(format!(
        "under {} {} {}, and as the baseline it {}{}",
        arm.name,
        program_name(picture),
        ended(ending),
        ended(usual),
        last_words(picture)
    ))
}

fn program_name(picture: &Picture) -> String {
    if picture.program.path.as_os_str().is_empty() {
        "the program".to_owned()
    } else {
        picture.name()
    }
}
