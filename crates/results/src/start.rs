//! What a program pays before its own `main`: the key `start` of reports and of traces.

use serde::{Deserialize, Serialize};

/// The page faults of a program's start: from exec to the moment that `until` names. Those of its
/// first thread count; those of the recorder do not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramStart {
    /// The file that was executed; `null` if its name is not known.
    pub program: Option<String>,
    /// Where the start ends.
    pub until: StartUntil,
    /// From exec to there, whatever the time was spent on.
    pub elapsed_ns: u64,
    /// All faults.
    pub faults: u64,
    /// Those that read from a device.
    pub major_faults: u64,
    /// The time of the faults.
    pub fault_ns: u64,
    /// The sizes of the pages that they mapped. A read of a file maps more at once, which do not
    /// count.
    pub bytes: u64,
    /// Faults whose time is not known.
    pub untimed_faults: u64,
    /// The same by cause, the costliest first.
    pub by_cause: Vec<StartCauseRow>,
    /// The same by file, the costliest first.
    pub by_file: Vec<StartFileRow>,
    /// Faults after that moment of which it is not known whether they came before `main`; `null`
    /// if it is not known when `main` ran at the latest.
    pub unsure_faults: Option<u64>,
    /// Their time.
    pub unsure_ns: Option<u64>,
    /// Faults of the recorder in that time, which are in no other figure.
    pub recorder_faults: u64,
    /// Their time.
    pub recorder_ns: u64,
    /// All programs that were executed, this one included.
    pub images: StartedImages,
}

/// The faults of one cause.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartCauseRow {
    /// The cause.
    pub cause: StartCause,
    /// Its faults.
    pub faults: u64,
    /// Those that read from a device.
    pub major_faults: u64,
    /// Their time.
    pub fault_ns: u64,
    /// The sizes of their pages.
    pub bytes: u64,
    /// The file that most of this time went into, if it went into files.
    pub path: Option<String>,
}

/// The faults that belong to one file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartFileRow {
    /// The file: of the page, and for memory without a file that of the code that touched it;
    /// `null`: neither is known.
    pub path: Option<String>,
    /// Its faults.
    pub faults: u64,
    /// Those that read from a device.
    pub major_faults: u64,
    /// Their time.
    pub fault_ns: u64,
    /// The sizes of their pages.
    pub bytes: u64,
}

/// Programs that were executed, each until its entry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartedImages {
    /// Those whose start is known.
    pub images: u64,
    /// Those whose start has no known end.
    pub unknown: u64,
    /// The faults of the known ones.
    pub faults: u64,
    /// Those that read from a device.
    pub major_faults: u64,
    /// The time of the faults.
    pub fault_ns: u64,
    /// The sizes of their pages.
    pub bytes: u64,
    /// The times from exec to the entry, added up.
    pub elapsed_ns: u64,
}

/// Where a start ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StartUntil {
    /// `main`: the last event that is known to come before it, while one inside it is known, too.
    Main,
    /// The last known call or fault of a constructor of the program itself.
    Constructor,
    /// The entry: the program's own code begins to run, which calls its constructors and `main`.
    #[default]
    Entry,
    /// The dynamic linker, or a program without one, has done the relocations of the program, and
    /// makes what they changed read-only.
    Relro,
}

/// What a fault before `main` is for.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum StartCause {
    /// The kernel, within exec: it reads the program and writes its arguments to the new stack.
    Exec,
    /// Data of programs and libraries, touched by the dynamic linker: relocations.
    Relocations,
    /// First access to code or constants in a file, whoever needed it.
    ColdPages,
    /// Data, heap and stack, touched by code of the program or of libraries: constructors, and the
    /// C library while it starts.
    Constructors,
    /// Memory of the dynamic linker itself, and what the kernel touched in syscalls.
    Memory,
    /// The mapping is not known.
    #[default]
    Unknown,
}

impl ProgramStart {
    /// The faults for which it is not known whether they came before `main`, and their time, if
    /// they could change the figures by a tenth.
    #[must_use]
    pub fn doubt(&self) -> Option<(u64, u64)> {
        let (faults, ns) = self.unsure_faults.zip(self.unsure_ns)?;
        (ns > self.fault_ns / 10 && faults > 0).then_some((faults, ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_that_may_belong_to_it_are_a_doubt_where_they_weigh() {
        let start = |faults, ns| ProgramStart {
            fault_ns: 1000,
            unsure_faults: faults,
            unsure_ns: ns,
            ..ProgramStart::default()
        };
        assert_eq!(start(Some(3), Some(101)).doubt(), Some((3, 101)));
        for (faults, ns) in [(Some(3), Some(100)), (Some(0), Some(0)), (None, None)] {
            assert_eq!(start(faults, ns).doubt(), None);
        }
    }
}
