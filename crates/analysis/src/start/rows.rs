//! The start of a program with its names, as a result.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use events::{Definitions, ModuleId};
use results::start::{
    ProgramStart, StartCause, StartCauseRow, StartFileRow, StartUntil, StartedImages,
};

use super::account::{StartAccount, StartEvidence, StartedSums};
use super::tally::{StartSum, StartTally};

/// Functions that the compiler makes, which run the constructors of a file.
const CONSTRUCTORS: [&str; 4] = [
    "_GLOBAL__sub_I_",
    "_GLOBAL__I_",
    "__static_initialization_and_destruction_0",
    "__cxx_global_var_init",
];
/// Functions of the GNU C library, and of what compilers add, that run before constructors. They
/// are in a program that is linked statically; `_start` is in every one.
const BEGINNING: [&str; 10] = [
    "_start",
    "__libc_start_main",
    "__libc_start_main_impl",
    "_dl_relocate_static_pie",
    "__libc_setup_tls",
    "__libc_init_secure",
    "_dl_aux_init",
    "__libc_init_first",
    "_dl_non_dynamic_init",
    "__libc_csu_init",
];

/// Where an event was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Whereabouts {
    Unknown,
    /// Before constructors.
    Beginning,
    /// Behind the relocations of a program without a dynamic linker.
    Relro,
    /// In a constructor.
    Constructor,
    /// In `main`, or in what it calls.
    Main,
}

/// The start that `account` has, with names of files from `definitions`. `functions` are those at
/// offsets in the program's file, for each the inlined ones too; none where they are not known.
pub fn program_start(
    account: &StartAccount,
    definitions: &Definitions,
    functions: impl FnOnce(ModuleId, &[u64]) -> Vec<Vec<String>>,
) -> ProgramStart {
    let seen = Seen::new(account, functions);
    let (mut tally, mut elapsed_ns) = (account.tally.clone(), account.elapsed_ns);
    let mut last = Whereabouts::Unknown;
    let mut unsure = StartTally::default();
    for run in &account.runs {
        let at = run.evidence.iter().map(|evidence| seen.at(evidence)).max();
        match at.unwrap_or(Whereabouts::Unknown) {
            Whereabouts::Main => {
                unsure.merge(&run.gap);
                last = Whereabouts::Main;
                break;
            }
            Whereabouts::Unknown => {
                unsure.merge(&run.gap);
                unsure.merge(&run.inside);
            }
            at => {
                tally.merge(&std::mem::take(&mut unsure));
                tally.merge(&run.gap);
                tally.merge(&run.inside);
                elapsed_ns = run.until_ns;
                last = last.max(at);
            }
        }
    }
    let until = match last {
        Whereabouts::Main => StartUntil::Main,
        Whereabouts::Constructor => StartUntil::Constructor,
        Whereabouts::Relro => StartUntil::Relro,
        Whereabouts::Beginning | Whereabouts::Unknown => account.until,
    };
    let unsure = (until == StartUntil::Main).then(|| unsure.all());
    let (all, recorder) = (tally.all(), tally.recorder());
    ProgramStart {
        program: path(account.executable, definitions),
        until,
        elapsed_ns,
        faults: all.faults,
        major_faults: all.major,
        fault_ns: all.ns,
        bytes: all.bytes,
        untimed_faults: all.untimed,
        by_cause: by_cause(&tally, definitions),
        by_file: by_file(&tally, definitions),
        unsure_faults: unsure.map(|unsure| unsure.faults),
        unsure_ns: unsure.map(|unsure| unsure.ns),
        recorder_faults: recorder.faults,
        recorder_ns: recorder.ns,
        images: images(&account.images),
    }
}

/// The functions of everything that was seen.
struct Seen {
    executable: ModuleId,
    functions: HashMap<u64, Vec<String>>,
    /// The frames outside of `main`, if that is on a stack.
    around_main: Option<Vec<(ModuleId, u64)>>,
}

impl Seen {
    fn new(
        account: &StartAccount,
        functions: impl FnOnce(ModuleId, &[u64]) -> Vec<Vec<String>>,
    ) -> Seen {
        let executable = account.executable;
        let mut offsets: Vec<u64> = Vec::new();
        for evidence in account.runs.iter().flat_map(|run| &run.evidence) {
            match evidence {
                StartEvidence::Code(offset) => offsets.push(*offset),
                StartEvidence::Stack(frames) => {
                    let own = frames.iter().filter(|(module, _)| *module == executable);
                    offsets.extend(own.map(|(_, offset)| offset));
                }
                StartEvidence::Relro => {}
            }
        }
        offsets.sort_unstable();
        offsets.dedup();
        let found = if offsets.is_empty() { Vec::new() } else { functions(executable, &offsets) };
        let functions = offsets.into_iter().zip(found).collect();
        let mut seen = Seen { executable, functions, around_main: None };
        let mut evidence = account.runs.iter().flat_map(|run| &run.evidence);
        seen.around_main = evidence.find_map(|evidence| match evidence {
            StartEvidence::Stack(frames) => {
                let main = frames.iter().position(|frame| seen.is_main(*frame))?;
                Some(frames[..main].to_vec())
            }
            _ => None,
        });
        seen
    }

    fn names(&self, (module, offset): (ModuleId, u64)) -> impl Iterator<Item = &str> {
        let names = self.functions.get(&offset).filter(|_| module == self.executable);
        names.into_iter().flatten().map(String::as_str)
    }

    fn is_main(&self, frame: (ModuleId, u64)) -> bool {
        self.names(frame).any(|name| name == "main")
    }

    fn is_constructor(&self, frame: (ModuleId, u64)) -> bool {
        self.names(frame).any(|name| CONSTRUCTORS.iter().any(|prefix| name.starts_with(prefix)))
    }

    fn at(&self, evidence: &StartEvidence) -> Whereabouts {
        match evidence {
            StartEvidence::Relro => Whereabouts::Relro,
            StartEvidence::Code(offset) => {
                let frame = (self.executable, *offset);
                if self.is_main(frame) {
                    Whereabouts::Main
                } else if self.is_constructor(frame) {
                    Whereabouts::Constructor
                } else if self.names(frame).any(|name| BEGINNING.contains(&name)) {
                    Whereabouts::Beginning
                } else {
                    Whereabouts::Unknown
                }
            }
            StartEvidence::Stack(frames) => {
                // What is called from elsewhere than `main` is, and before it. A stack that begins
                // elsewhere was not followed to its beginning.
                let is_elsewhere = self.around_main.as_ref().is_some_and(|around| {
                    frames.first() == around.first()
                        && frames.iter().zip(around).any(|(a, b)| a != b)
                });
                if frames.iter().any(|frame| self.is_main(*frame)) {
                    Whereabouts::Main
                } else if is_elsewhere || frames.iter().any(|frame| self.is_constructor(*frame)) {
                    Whereabouts::Constructor
                } else {
                    Whereabouts::Unknown
                }
            }
        }
    }
}

fn path(file: ModuleId, definitions: &Definitions) -> Option<String> {
    let path = definitions.module(file).map(|module| definitions.text(module.path));
    path.filter(|path| !path.is_empty()).map(str::to_owned)
}

/// The sums of equal keys, the costliest first.
fn sorted<K: Ord>(sums: impl Iterator<Item = (K, StartSum)>) -> Vec<(K, StartSum)> {
    let mut all: BTreeMap<K, StartSum> = BTreeMap::new();
    for (key, sum) in sums {
        all.entry(key).or_default().add(&sum);
    }
    let mut all: Vec<_> = all.into_iter().collect();
    all.sort_by_key(|(_, sum)| Reverse((sum.ns, sum.faults)));
    all
}

fn by_cause(tally: &StartTally, definitions: &Definitions) -> Vec<StartCauseRow> {
    let rows = sorted(tally.iter().map(|(cause, _, sum)| (cause, *sum)));
    let row = |(cause, sum): (StartCause, StartSum)| {
        let of_cause = tally.iter().filter(|(of, ..)| *of == cause);
        let files = sorted(of_cause.map(|(_, file, sum)| (path(file, definitions), *sum)));
        StartCauseRow {
            cause,
            faults: sum.faults,
            major_faults: sum.major,
            fault_ns: sum.ns,
            bytes: sum.bytes,
            path: files.into_iter().next().and_then(|(path, _)| path),
        }
    };
    rows.into_iter().map(row).collect()
}

fn by_file(tally: &StartTally, definitions: &Definitions) -> Vec<StartFileRow> {
    let rows = sorted(tally.iter().map(|(_, file, sum)| (path(file, definitions), *sum)));
    let row = |(path, sum): (Option<String>, StartSum)| StartFileRow {
        path,
        faults: sum.faults,
        major_faults: sum.major,
        fault_ns: sum.ns,
        bytes: sum.bytes,
    };
    rows.into_iter().map(row).collect()
}

fn images(sums: &StartedSums) -> StartedImages {
    let StartedSums { images, unknown, sum, elapsed_ns } = *sums;
    StartedImages {
        images,
        unknown,
        faults: sum.faults,
        major_faults: sum.major,
        fault_ns: sum.ns,
        bytes: sum.bytes,
        elapsed_ns,
    }
}
