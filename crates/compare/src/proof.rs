//! Whether the settings of an arm are in force in the running program.
//!
//! [`at_exit`] runs the program once, untimed, and looks at it when it exits; [`of_process`] looks
//! at a process that runs. Both give a [`Picture`]. [`judge`] compares it with the arm and only
//! reads the picture, so that it needs no process.
//!
//! The file that `malloc` resolves to is the first one in the dynamic linker's own list that
//! exports it (the program, preloaded libraries in their order, then what these need, breadth
//! first: ld.so(8)). The list is read from the memory of the process.

mod gather;
mod inert;
mod notes;
mod refusal;
mod resolve;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use results::compare::Proof;
use sys::elf::Linkage;
use sys::process::WaitStatus;

use crate::arm::PreparedArm;
use crate::tunables::{Listing, Tunable, VARIABLE};

pub use gather::{at_exit, of_process};
pub use inert::{huge_pages_in_vain, inert};
pub use refusal::fails_alone;

use resolve::Malloc;

/// A file that is loaded into the process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LoadedFile {
    /// Its path.
    pub path: PathBuf,
    /// What it tells the dynamic linker; `None`: it cannot be read any more.
    pub linkage: Option<Linkage>,
}

/// What was seen of a process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Picture {
    /// The file of its program: of the last one that it has executed.
    pub program: LoadedFile,
    /// The path by which it was started, where that is a link to its file.
    pub started_as: Option<PathBuf>,
    /// What the dynamic linker has loaded, in its order, the program first. Empty without a dynamic
    /// linker; `None`: its list cannot be read.
    pub loaded: Option<Vec<LoadedFile>>,
    /// The environment that the program was started with; `None`: it cannot be read.
    pub environment: Option<Vec<(OsString, OsString)>>,
    /// Whether the program has more privilege than its caller; `None`: unknown.
    pub secure: Option<bool>,
    /// Whether it would have if it were not traced.
    pub secure_untraced: bool,
    /// Whether transparent huge pages are turned off for it; `None`: unknown.
    pub huge_pages_off: Option<bool>,
    /// Whether it has waited for processes that it started; `None`: unknown.
    pub had_children: Option<bool>,
    /// Its page tables (`VmPTE`), in bytes; `None`: unknown.
    pub page_tables_bytes: Option<u64>,
    /// How it ended; `None`: it still runs.
    pub ending: Option<WaitStatus>,
    /// Whether it was ended because its time was up.
    pub out_of_time: bool,
    /// The end of its standard error, if it was captured.
    pub errors: String,
    /// What its dynamic linker prints with the settings in its environment; `None`: there are none.
    pub tunables: Option<Result<Listing, String>>,
    /// Why nothing of the above could be seen.
    pub unseen: Option<String>,
}

/// A variable in the environment that a program was started with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Variable<'a> {
    /// It has this value.
    Set(&'a OsStr),
    /// It is not there.
    Unset,
    /// The environment cannot be read.
    Unknown,
}

impl Picture {
    /// The environment variable `name`.
    fn variable(&self, name: &str) -> Variable<'_> {
        let Some(environment) = &self.environment else { return Variable::Unknown };
        // Of a name twice, getenv(3) takes the first.
        let found = environment.iter().find(|(known, _)| known == name);
        found.map_or(Variable::Unset, |(_, value)| Variable::Set(value))
    }

    /// The name of the program in messages.
    fn name(&self) -> String {
        self.started_as.as_ref().unwrap_or(&self.program.path).display().to_string()
    }
}

/// Judges whether the settings of `arm` were in force in `picture`.
///
/// # Errors
/// Why they were not, and what to do: the arm would measure something else.
pub fn judge(picture: &Picture, arm: &PreparedArm) -> Result<Proof, String> {
    if let Some(reason) = &picture.unseen {
        return Ok(Proof { unseen: Some(reason.clone()), ..Proof::default() });
    }
    let malloc = resolve::malloc(picture);
    let mut proof = Proof { malloc: malloc.file(), ..Proof::default() };
    let mut unseen = Vec::new();
    if let Some(wanted) = &arm.allocator {
        match refusal::allocator(picture, wanted, &malloc) {
            Ok(None) => {}
            Ok(Some(reason)) => unseen.push(reason),
            Err(reason) => return Err(reason),
        }
    }
    if arm.allocator.is_none() {
        refusal::other_preloads(picture, arm)?;
    }
    if !arm.tunables.is_empty() {
        unseen.extend(tunables(picture, &arm.tunables, &malloc, &mut proof)?);
    }
    if arm.huge_pages_off {
        match picture.huge_pages_off {
            Some(true) => {}
            Some(false) => {
                return Err(format!(
                    "{} has transparent huge pages turned on again (prctl, PR_SET_THP_DISABLE): \
                     compare it without this arm",
                    picture.name()
                ));
            }
            None => unseen.push(
                "the kernel does not show whether transparent huge pages are off (THP_enabled, \
                 since Linux 5.0)"
                    .to_owned(),
            ),
        }
    }
    if let (Malloc::Unknown(why), true) = (&malloc, unseen.is_empty()) {
        unseen.push(why.clone());
    }
    proof.notes = notes::of(picture, arm, &malloc);
    proof.unseen = (!unseen.is_empty()).then(|| unseen.join("; "));
    Ok(proof)
}

/// Checks the C library's settings, and adds those in force to `proof`. Returns what could not be
/// seen.
fn tunables(
    picture: &Picture,
    wanted: &[Tunable],
    malloc: &Malloc,
    proof: &mut Proof,
) -> Result<Option<String>, String> {
    refusal::tunables(picture, wanted, malloc)?;
    let value = match picture.variable(VARIABLE) {
        Variable::Unknown => {
            return Ok(Some(format!(
                "the environment of {} cannot be read, so neither can its {VARIABLE}",
                picture.name()
            )));
        }
        Variable::Unset => None,
        Variable::Set(value) => Some(value),
    };
    refusal::dropped_tunables(picture, wanted, value)?;
    if *malloc == Malloc::Static {
        return Ok(Some(format!(
            "{} is statically linked: its own C library reads {VARIABLE}, but there is no dynamic \
             linker to print the values in force",
            picture.name()
        )));
    }
    match &picture.tunables {
        Some(Ok(listing)) => {
            proof.tunables = listing.in_force(wanted)?;
            Ok(None)
        }
        Some(Err(why)) => Ok(Some(why.clone())),
        None => Ok(Some(format!("the dynamic linker of {} was not asked", picture.name()))),
    }
}

#[cfg(test)]
mod tests;
