//! `/proc/PID/task/TID`: what one thread shows of its process. After the first thread has ended,
//! the others still show it.

use std::fs::{File, read, read_to_string};
use std::io;
use std::path::{Path, PathBuf};

use super::{
    Mapped, MapsEntry, PageMap, Standing, entry_address, parse_maps, parse_smaps, parse_standing,
};
use crate::facts::Own;

/// The folder of a thread. Making one opens nothing; each method opens one file, and fails as
/// open(2) and read(2) do: `NotFound` or ESRCH where the thread is gone, `PermissionDenied` where
/// this user may not look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskFolder(String);

impl TaskFolder {
    /// Of the thread `tid` of the process `pid`.
    #[must_use]
    pub fn new(pid: u32, tid: u32) -> Self {
        TaskFolder(format!("/proc/{pid}/task/{tid}"))
    }

    /// Whether the process has this thread now.
    #[must_use]
    pub fn exists(&self) -> bool {
        Path::new(&self.0).exists()
    }

    /// What is mapped, by ascending address. Empty of a thread of the kernel's, and of one that has
    /// ended.
    ///
    /// # Errors
    /// As open(2) and read(2); `InvalidData` of a line in another form.
    pub fn regions(&self) -> io::Result<Vec<MapsEntry>> {
        parse_maps(&self.text("maps")?).ok_or_else(|| another_form("maps"))
    }

    /// What is mapped, by ascending address, and how much of it is resident, in bytes. Empty as
    /// [`Self::regions`] is.
    ///
    /// # Errors
    /// As [`Self::regions`].
    pub fn mapped(&self) -> io::Result<Vec<Mapped>> {
        parse_smaps(&self.text("smaps")?).ok_or_else(|| another_form("smaps"))
    }

    /// Which pages are resident.
    ///
    /// # Errors
    /// As open(2).
    pub fn pages(&self) -> io::Result<PageMap> {
        File::open(self.file("pagemap")).map(PageMap)
    }

    /// The path of the program's file; ` (deleted)` follows the path of a file that has no name any
    /// more.
    ///
    /// # Errors
    /// As readlink(2).
    pub fn program(&self) -> io::Result<PathBuf> {
        std::fs::read_link(self.file("exe"))
    }

    /// Opens the program's file, whatever its path leads to by now.
    ///
    /// # Errors
    /// As open(2).
    pub fn open_program(&self) -> io::Result<File> {
        File::open(self.file("exe"))
    }

    /// Opens what is at `path`, which begins with `/`, in the file system as the process sees it.
    ///
    /// # Errors
    /// As open(2).
    pub fn open_in_root(&self, path: &str) -> io::Result<File> {
        File::open(format!("{}/root{path}", self.0))
    }

    /// The address at which the program, whose words have `bits`, begins to run. `None` if the
    /// kernel does not say.
    #[must_use]
    pub fn entry_address(&self, bits: u8) -> Option<u64> {
        entry_address(&read(self.file("auxv")).ok()?, bits)
    }

    /// Whether the process was told to lay out its memory always alike (`ADDR_NO_RANDOMIZE` of
    /// personality(2)). `None` if this user may not know.
    #[must_use]
    pub fn has_fixed_addresses(&self) -> Option<bool> {
        is_fixed(&read_to_string(self.file("personality")).ok()?)
    }

    /// Where the thread stands. `None` of one that runs, and if this user may not know.
    #[must_use]
    pub fn standing(&self) -> Option<Standing> {
        parse_standing(&read_to_string(self.file("syscall")).ok()?)
    }

    fn file(&self, name: &str) -> String {
        format!("{}/{name}", self.0)
    }

    /// The text of a file. Names of files in it may be no UTF-8.
    fn text(&self, name: &str) -> io::Result<String> {
        Ok(String::from_utf8_lossy(&read(self.file(name))?).into_owned())
    }
}

/// What the process `pid` has mapped, by ascending address, as any of its threads shows it. Empty
/// of a thread of the kernel's, and of a process that has ended.
///
/// # Errors
/// As [`TaskFolder::regions`] of the first thread; `NotFound`: there is no such process.
pub fn regions_of(pid: u32) -> io::Result<Vec<MapsEntry>> {
    let others = super::task::threads_of(pid)?.into_iter().filter(|tid| *tid != pid);
    let first = TaskFolder::new(pid, pid).regions()?;
    let mut all = std::iter::once(first)
        .chain(others.filter_map(|tid| TaskFolder::new(pid, tid).regions().ok()));
    Ok(all.find(|regions| !regions.is_empty()).unwrap_or_default())
}

fn another_form(file: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{file} has a line of another form"))
}

/// The bits of personality(2), in hexadecimal.
fn is_fixed(personality: &str) -> Option<bool> {
    Some(u64::from_str_radix(personality.trim(), 16).ok()? & Own::NO_RANDOMIZE != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_thread_shows_its_process() {
        let pid = std::process::id();
        let folder = TaskFolder::new(pid, crate::process::this_thread());
        assert!(folder.exists());
        let on_stack = (&raw const folder).addr();
        assert!(folder.regions().unwrap().iter().any(|region| region.contains(on_stack)));
        assert!(regions_of(pid).unwrap().iter().any(|region| region.contains(on_stack)));
        let mapped = folder.mapped().unwrap();
        assert!(
            mapped.iter().any(|mapped| (mapped.start..mapped.end).contains(&(on_stack as u64)))
        );
        assert_eq!(folder.program().unwrap(), std::env::current_exe().unwrap());
        let entry =
            folder.entry_address(if cfg!(target_pointer_width = "64") { 64 } else { 32 }).unwrap();
        assert!(mapped.iter().any(|mapped| (mapped.start..mapped.end).contains(&entry)));
        assert!(folder.has_fixed_addresses().is_some());
        let standing = folder.standing();
        assert!(
            standing.is_none_or(|at| at.stack_pointer < on_stack as u64),
            "inside read(2): {standing:?}"
        );
        let program = folder.open_in_root(folder.program().unwrap().to_str().unwrap()).unwrap();
        assert_eq!(
            program.metadata().unwrap().len(),
            folder.open_program().unwrap().metadata().unwrap().len()
        );
    }

    #[test]
    fn a_thread_that_is_not_there_shows_nothing() {
        let pid = std::process::id();
        let nobody = TaskFolder::new(pid, u32::MAX);
        assert!(!nobody.exists());
        assert_eq!(nobody.regions().unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(nobody.mapped().unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(regions_of(u32::MAX).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(
            nobody.pages().is_err() && nobody.program().is_err() && nobody.open_program().is_err()
        );
        assert_eq!(
            (nobody.entry_address(64), nobody.has_fixed_addresses(), nobody.standing()),
            (None, None, None)
        );
    }

    #[test]
    fn personalities_are_hexadecimal() {
        assert_eq!(
            (is_fixed("00040000\n"), is_fixed("00000000\n"), is_fixed("no\n")),
            (Some(true), Some(false), None)
        );
    }
}
