//! Looks at the program: runs it under ptrace, or reads a process that runs.

use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use collect::snapshot::{
    Accounted, At, Failure, ProcessState, SnapshotRequest, Unseen, picture as snapshot_of,
    run_within,
};
use events::snapshot::Snapshot;
use sys::Errno;
use sys::elf::Wanted;
use sys::interrupt::Interrupt;
use sys::launch::{Capture, Program, Setup};
use sys::relay::Relay;

use super::resolve::MALLOC;
use super::{LoadedFile, Picture, notes};
use crate::tunables::{VARIABLE, list, loader_of, variables_of};

/// Of a program's standard error, so much of its end is kept.
const ERRORS_BYTES: usize = 8 << 10;

/// Runs `program` once, untimed, and looks at it when its last image exits. Its standard output is
/// discarded unless it has one, its standard error is kept, its standard input is as `setup` has
/// it. If it runs longer than `limit`, it is killed after a look. What it leaves behind is the
/// caller's to end ([`sys::orphans`]).
///
/// A program that may not be traced here has not run; the picture says why it was not seen.
///
/// # Errors
/// Why the program cannot be run, or `interrupted`.
pub fn at_exit(
    program: &Program,
    setup: Setup,
    limit: Option<Duration>,
    interrupt: Interrupt,
    relay: &mut Relay,
) -> Result<Picture, String> {
    let capture = Capture::new().map_err(|errno| format!("cannot keep its output: {errno}"))?;
    let program = program.clone().errors_captured(&capture);
    let request = SnapshotRequest {
        program: &program,
        setup: Setup { discard_output: true, ..setup },
        at: At::Exit,
        every: None,
    };
    let outcome = run_within(limit, &request, interrupt, relay, &mut |_| {});
    if interrupt.received().is_some() {
        return Err("interrupted".to_owned());
    }
    let errors = tail(&capture.errors().unwrap_or_default());
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(Failure::Trace(errno)) => {
            return Ok(unseen(format!(
                "the program cannot be traced here (ptrace: {errno}): a container's seccomp filter \
                 or kernel.yama.ptrace_scope = 3 may forbid it"
            )));
        }
        Err(Failure::Unseen(why)) => return Ok(Picture { errors, ..unseen(why.to_string()) }),
        Err(failure @ Failure::Exec(Errno::NO_EXEC)) => {
            return Err(format!("{failure}: --shell gives it to sh"));
        }
        Err(failure) => return Err(failure.to_string()),
    };
    let taken = outcome.taken.map(|(space, _)| space);
    let picture = match taken {
        Some(space) => of_snapshot(&space, outcome.state, interrupt),
        None => {
            unseen("the program was gone before it could be looked at: SIGKILL ended it".to_owned())
        }
    };
    Ok(Picture {
        ending: Some(outcome.ending),
        out_of_time: outcome.out_of_time,
        errors,
        ..picture
    })
}

/// Looks at the process `pid`, which runs.
///
/// # Errors
/// There is no such process.
pub fn of_process(pid: u32, interrupt: Interrupt) -> Result<Picture, String> {
    match snapshot_of(pid, Accounted::IfShort) {
        Ok(space) => Ok(of_snapshot(&space, ProcessState::of(pid), interrupt)),
        Err(why @ (Unseen::Gone(_) | Unseen::Empty(_))) => Err(why.to_string()),
        Err(why) => Ok(unseen(why.to_string())),
    }
}

fn unseen(reason: String) -> Picture {
    Picture { unseen: Some(reason), ..Picture::default() }
}

/// The end of `bytes`, from the start of a line.
fn tail(bytes: &[u8]) -> String {
    let cut = bytes.len().saturating_sub(ERRORS_BYTES);
    let text = String::from_utf8_lossy(&bytes[cut..]).into_owned();
    match text.split_once('\n') {
        Some((_, rest)) if cut > 0 => rest.to_owned(),
        _ => text,
    }
}

/// Reads the mapped files, and asks the dynamic linker.
fn of_snapshot(space: &Snapshot, state: ProcessState, interrupt: Interrupt) -> Picture {
    let program = object(PathBuf::from(&space.program), notes::TEXTS);
    let loaded = state.loaded.map(|addresses| loaded(space, &addresses, &program));
    let settings = state.environment.as_deref().map(variables_of).unwrap_or_default();
    let has_settings = settings.iter().any(|(name, _)| name == VARIABLE);
    let tunables = has_settings.then(|| list(&loader_of(&program.path)?, &settings, interrupt));
    Picture {
        secure_untraced: state.secure != Some(true) && sys::privilege::is_gained_by(&program.path),
        program,
        loaded,
        environment: state.environment,
        secure: state.secure,
        huge_pages_off: state.huge_pages_off,
        had_children: state.had_children,
        page_tables_bytes: space.totals.page_tables_bytes,
        tunables,
        ..Picture::default()
    }
}

/// The files that have the dynamic sections at `addresses`. The kernel's vDSO has none.
fn loaded(space: &Snapshot, addresses: &[u64], program: &LoadedFile) -> Vec<LoadedFile> {
    let mut read: HashMap<u32, LoadedFile> = HashMap::new();
    let mut objects = Vec::new();
    for (place, address) in addresses.iter().enumerate() {
        if place == 0 {
            // Its path may lead to another file by now; the kernel's link does not.
            objects.push(program.clone());
            continue;
        }
        let is_there =
            |range: &&events::snapshot::MappedRange| (range.start..range.end).contains(address);
        let Some(range) = space.ranges.iter().find(is_there) else { continue };
        if range.file == 0 && range.name.starts_with("[v") {
            continue;
        }
        let object =
            read.entry(range.file).or_insert_with(|| object(PathBuf::from(&range.name), &[]));
        objects.push(object.clone());
    }
    objects
}

fn object(path: PathBuf, texts: &[&str]) -> LoadedFile {
    let symbols: Vec<&str> = [MALLOC].into_iter().chain(notes::SYMBOLS.iter().copied()).collect();
    let wanted = Wanted { symbols: &symbols, texts };
    let linkage = File::open(&path).ok().and_then(|file| sys::elf::linkage(file, wanted).ok());
    LoadedFile { path, linkage }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_long_errors_begins_with_a_line() {
        assert_eq!(tail(b"one\ntwo\n"), "one\ntwo\n");
        let long = [b"first\n".repeat(2000), b"last\n".to_vec()].concat();
        let tail = tail(&long);
        assert!(tail.starts_with("first\n") && tail.ends_with("first\nlast\n"));
        assert!(tail.len() <= ERRORS_BYTES);
    }
}
