//! The dynamic linker of a program: which file it is, and what it lists when it runs.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sys::elf::{Linkage, Malformed, Wanted};
use sys::interrupt::Interrupt;
use sys::process::WaitStatus;

use super::Listing;

/// How long a dynamic linker may take to print its list.
const PATIENCE: Duration = Duration::from_secs(10);
/// The interpreters of interpreters that execve(2) follows.
const INTERPRETERS_MAX: usize = 5;
/// The part of a script's first line that execve(2) reads.
const FIRST_LINE_BYTES: u64 = 256;
/// A program that every system has, linked as most are.
const USUAL_PROGRAM: &str = "/bin/sh";

/// The dynamic linker of `program`, or of the interpreter of a script. For a static program it is
/// the system's usual one: a static glibc reads the same settings.
///
/// # Errors
/// Why there is none with tunables, and what to do.
pub fn loader_of(program: &Path) -> Result<PathBuf, String> {
    let (path, linkage) = read_following(program)?;
    if let Some(loader) = linkage.interpreter {
        return of_glibc(&path, loader);
    }
    let (path, usual) = read_following(Path::new(USUAL_PROGRAM))?;
    let loader = usual.interpreter.ok_or_else(|| {
        format!(
            "{} is statically linked, and so is {USUAL_PROGRAM}: there is no dynamic linker to ask \
             for the tunables",
            program.display()
        )
    })?;
    of_glibc(&path, loader)
}

/// `loader`, unless it is musl's.
fn of_glibc(program: &Path, loader: String) -> Result<PathBuf, String> {
    if is_musl(&loader) {
        return Err(format!(
            "{} uses musl ({loader}), which has no tunables: compare allocators instead",
            program.display()
        ));
    }
    Ok(PathBuf::from(loader))
}

/// Whether the dynamic linker `loader` is musl's.
pub(crate) fn is_musl(loader: &str) -> bool {
    Path::new(loader).file_name().is_some_and(|name| name.as_bytes().starts_with(b"ld-musl"))
}

/// The ELF program that runs if `program` is executed.
fn read_following(program: &Path) -> Result<(PathBuf, Linkage), String> {
    let mut path = program.to_owned();
    for _ in 0..INTERPRETERS_MAX {
        let unreadable = |error| format!("cannot read {}: {error}", path.display());
        let file = File::open(&path).map_err(unreadable)?;
        match sys::elf::linkage(file, Wanted::default()) {
            Ok(linkage) => return Ok((path, linkage)),
            Err(Malformed::NotElf) => {}
            Err(_) => return Err(format!("{} is a malformed ELF file", path.display())),
        }
        let mut line = Vec::new();
        let file = File::open(&path).map_err(unreadable)?;
        file.take(FIRST_LINE_BYTES).read_to_end(&mut line).map_err(unreadable)?;
        path = interpreter(&line).ok_or_else(|| {
            format!("{} is neither an ELF program nor a script that begins with #!", path.display())
        })?;
    }
    Err(format!("{}: too many interpreters of interpreters", program.display()))
}

/// The interpreter in the first line of a script.
fn interpreter(line: &[u8]) -> Option<PathBuf> {
    let line = line.strip_prefix(b"#!")?.split(|&byte| byte == b'\n').next()?;
    let word = line.trim_ascii().split(u8::is_ascii_whitespace).next()?;
    (!word.is_empty()).then(|| PathBuf::from(std::ffi::OsStr::from_bytes(word)))
}

/// The tunables that the dynamic linker `loader` lists with these environment `variables` and no
/// others.
///
/// # Errors
/// Why it lists none, and what to do.
pub fn list(
    loader: &Path,
    variables: &[(OsString, OsString)],
    interrupt: Interrupt,
) -> Result<Listing, String> {
    let mut command = Command::new(loader);
    command.arg("--list-tunables").env_clear();
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    let shown = loader.display();
    let ended = sys::process::run(&mut command, interrupt, Some(PATIENCE))
        .map_err(|error| format!("cannot run {shown} --list-tunables: {error}"))?
        .ok_or_else(|| "interrupted".to_owned())?;
    let listing = Listing::parse(&String::from_utf8_lossy(&ended.stdout));
    listing.filter(|_| ended.ending == WaitStatus::Exited(0)).ok_or_else(|| {
        format!(
            "{shown} does not list its tunables (--list-tunables, since glibc 2.33), so no setting \
             can be checked: set a variable of mallopt(3), such as MALLOC_ARENA_MAX, in the arm's \
             environment instead"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_names_the_interpreter() {
        for (line, expect) in [
            (&b"#!/bin/sh\n"[..], Some("/bin/sh")),
            (b"#! /usr/bin/env python3\nimport os\n", Some("/usr/bin/env")),
            (b"#!/bin/sh", Some("/bin/sh")),
            (b"#!\n/bin/sh", None),
            (b"#!   \n", None),
            (b"echo\n", None),
            (b"", None),
        ] {
            assert_eq!(interpreter(line), expect.map(PathBuf::from), "{line:?}");
        }
    }

    #[test]
    fn musl_is_known_by_its_name() {
        assert!(is_musl("/lib/ld-musl-x86_64.so.1"));
        assert!(!is_musl("/lib64/ld-linux-x86-64.so.2"));
        let error = of_glibc(Path::new("./p"), "/lib/ld-musl-x86_64.so.1".to_owned()).unwrap_err();
        assert!(error.contains("musl") && error.contains("no tunables"), "{error}");
    }
}
