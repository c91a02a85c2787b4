//! `/proc/PID/task/TID`: the process as seen through one of its threads. Other threads still show
//! it after the first one has ended.

use std::ffi::{OsStr, OsString};
use std::fs::{File, read, read_to_string};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::{
    Mapped, MapsEntry, PageMap, SyscallState, entry_address, is_secure, parse_maps, parse_smaps,
    parse_syscall_state,
};
use crate::facts::Own;

/// The folder of a thread. Creating one opens nothing; each method opens one file, and fails as
/// open(2) and read(2) do: `NotFound` or ESRCH if the thread is gone, `PermissionDenied` if this
/// user may not read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskFolder(String);

impl TaskFolder {
    /// The folder of the thread `tid` of the process `pid`.
    #[must_use]
    pub fn new(pid: u32, tid: u32) -> Self {
        TaskFolder(format!("/proc/{pid}/task/{tid}"))
    }

    /// Whether the process has this thread now.
    #[must_use]
    pub fn exists(&self) -> bool {
        Path::new(&self.0).exists()
    }

    /// The mappings, by ascending address. Empty for a kernel thread and for a thread that has
    /// ended.
    ///
    /// # Errors
    /// As open(2) and read(2); `InvalidData` if a line is malformed.
    pub fn regions(&self) -> io::Result<Vec<MapsEntry>> {
        parse_maps(&self.text("maps")?).ok_or_else(|| malformed("maps"))
    }

    /// The mappings, by ascending address, with their resident bytes. Empty in the same cases as
    /// [`Self::regions`]. While the kernel counts the pages of a mapping, it holds the lock that
    /// mmap(2), munmap(2), mprotect(2) and brk(2) of the process need.
    ///
    /// # Errors
    /// As [`Self::regions`].
    pub fn mapped(&self) -> io::Result<Vec<Mapped>> {
        // The kernel keeps the lock until the buffer is full or the file ends: into less than the
        // text of a mapping it writes one mapping at a time.
        const LESS_THAN_A_MAPPING: usize = 512;
        let mut file = File::open(self.file("smaps"))?;
        let (mut text, mut part) = (Vec::new(), [0_u8; LESS_THAN_A_MAPPING]);
        loop {
            match file.read(&mut part) {
                Ok(0) => break,
                Ok(read) => text.extend_from_slice(&part[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        parse_smaps(&String::from_utf8_lossy(&text)).ok_or_else(|| malformed("smaps"))
    }

    /// The limit of the address space of the process (`RLIMIT_AS`, the soft limit). `None`:
    /// unlimited, or it cannot be read.
    #[must_use]
    pub fn address_space_max_bytes(&self) -> Option<u64> {
        address_space_max(&read_to_string(self.file("limits")).ok()?)
    }

    /// Which pages are resident.
    ///
    /// # Errors
    /// As open(2).
    pub fn pages(&self) -> io::Result<PageMap> {
        File::open(self.file("pagemap")).map(PageMap)
    }

    /// The path of the program's file, followed by ` (deleted)` if the file has been unlinked.
    ///
    /// # Errors
    /// As readlink(2).
    pub fn program(&self) -> io::Result<PathBuf> {
        std::fs::read_link(self.file("exe"))
    }

    /// Opens the program's file, even if its path leads to another file by now.
    ///
    /// # Errors
    /// As open(2).
    pub fn open_program(&self) -> io::Result<File> {
        File::open(self.file("exe"))
    }

    /// Opens `path`, which starts with `/`, relative to the root directory of the process.
    ///
    /// # Errors
    /// As open(2).
    pub fn open_in_root(&self, path: &str) -> io::Result<File> {
        File::open(format!("{}/root{path}", self.0))
    }

    /// The entry address of the program, whose words have `bits`. `None` if the kernel does not
    /// report it.
    #[must_use]
    pub fn entry_address(&self, bits: u8) -> Option<u64> {
        entry_address(&read(self.file("auxv")).ok()?, bits)
    }

    /// Whether the program, whose words have `bits`, runs with more privilege than its caller
    /// (`AT_SECURE`, getauxval(3)): the dynamic linker then ignores most of its variables. `None`
    /// if this user may not read it.
    #[must_use]
    pub fn is_secure(&self, bits: u8) -> Option<bool> {
        is_secure(&read(self.file("auxv")).ok()?, bits)
    }

    /// The environment that the program was started with, in the order of execve(2).
    ///
    /// # Errors
    /// As open(2) and read(2); `InvalidData` if it is no list of variables: it is memory of the
    /// process, and some programs write their title over it.
    pub fn environment(&self) -> io::Result<Vec<(OsString, OsString)>> {
        variables(&read(self.file("environ"))?).ok_or_else(|| malformed("environ"))
    }

    /// What the dynamic linker of the program, whose words have `bits`, has loaded, in its order:
    /// the addresses of the dynamic sections, that of the program first. Empty without a dynamic
    /// linker, and before it has made its list.
    ///
    /// # Errors
    /// As open(2) and read(2).
    pub fn loaded_objects(&self, bits: u8) -> io::Result<Vec<u64>> {
        super::loaded::loaded(&File::open(self.file("mem"))?, &read(self.file("auxv"))?, bits)
    }

    /// Whether address space randomisation is off for the process (`ADDR_NO_RANDOMIZE` of
    /// personality(2)). `None` if this user may not read it.
    #[must_use]
    pub fn has_fixed_addresses(&self) -> Option<bool> {
        is_fixed(&read_to_string(self.file("personality")).ok()?)
    }

    /// The syscall and the stack pointer of the thread. `None` if it is running, or if this user
    /// may not read them.
    #[must_use]
    pub fn syscall_state(&self) -> Option<SyscallState> {
        parse_syscall_state(&read_to_string(self.file("syscall")).ok()?)
    }

    fn file(&self, name: &str) -> String {
        format!("{}/{name}", self.0)
    }

    /// The text of a file. File names in it may not be UTF-8.
    fn text(&self, name: &str) -> io::Result<String> {
        Ok(String::from_utf8_lossy(&read(self.file(name))?).into_owned())
    }
}

/// The mappings of the process `pid`, by ascending address, read through any of its threads. Empty
/// for a kernel thread and for a process that has ended.
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

/// `NAME=value` strings, each with a NUL after it; `None` for anything else.
fn variables(environment: &[u8]) -> Option<Vec<(OsString, OsString)>> {
    let variable = |text: &[u8]| {
        let middle = text.iter().position(|&byte| byte == b'=')?;
        let part = |bytes: &[u8]| OsStr::from_bytes(bytes).to_owned();
        Some((part(&text[..middle]), part(&text[middle + 1..])))
    };
    if environment.is_empty() {
        return Some(Vec::new());
    }
    environment.strip_suffix(&[0])?.split(|&byte| byte == 0).map(variable).collect()
}

fn malformed(file: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{file} has a malformed line"))
}

/// The bits of personality(2), in hexadecimal.
fn is_fixed(personality: &str) -> Option<bool> {
    Some(u64::from_str_radix(personality.trim(), 16).ok()? & Own::NO_RANDOMIZE != 0)
}

/// The soft limit in the row `Max address space`, in bytes.
fn address_space_max(limits: &str) -> Option<u64> {
    let row = limits.lines().find_map(|line| line.strip_prefix("Max address space"))?;
    row.split_whitespace().next()?.parse().ok()
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
        assert!(mapped.iter().any(|mapped| mapped.region.contains(on_stack)));
        assert_eq!(folder.program().unwrap(), std::env::current_exe().unwrap());
        let entry =
            folder.entry_address(if cfg!(target_pointer_width = "64") { 64 } else { 32 }).unwrap();
        let entry = usize::try_from(entry).unwrap();
        assert!(mapped.iter().any(|mapped| mapped.region.contains(entry)));
        assert_eq!(folder.address_space_max_bytes(), crate::limits::address_space_bytes());
        assert!(folder.has_fixed_addresses().is_some());
        let syscall_state = folder.syscall_state();
        assert!(
            syscall_state.is_none_or(|at| at.stack_pointer < on_stack as u64),
            "inside read(2): {syscall_state:?}"
        );
        let program = folder.open_in_root(folder.program().unwrap().to_str().unwrap()).unwrap();
        assert_eq!(
            program.metadata().unwrap().len(),
            folder.open_program().unwrap().metadata().unwrap().len()
        );
    }

    #[test]
    fn an_environment_is_a_list_of_variables() {
        let text = |name: &str, value: &str| (OsString::from(name), OsString::from(value));
        assert_eq!(
            variables(b"A=1\0B=x=y\0C=\0"),
            Some(vec![text("A", "1"), text("B", "x=y"), text("C", "")])
        );
        assert_eq!(variables(b""), Some(Vec::new()));
        for overwritten in [&b"title\0"[..], b"A=1\0\0\0", b"A=1\0B"] {
            assert_eq!(variables(overwritten), None, "{overwritten:?}");
        }
        let mut child = std::process::Command::new("sleep")
            .arg("100")
            .env_clear()
            .env("ONLY", "this one")
            .spawn()
            .unwrap();
        let folder = TaskFolder::new(child.id(), child.id());
        // The child is in execve(2) when its parent goes on.
        let until = std::time::Instant::now() + std::time::Duration::from_mins(1);
        while folder.environment().is_ok_and(|found| found.is_empty()) {
            assert!(std::time::Instant::now() < until, "it has no environment");
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        let found = (folder.environment().unwrap(), folder.is_secure(64));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(found.0, [text("ONLY", "this one")]);
        if cfg!(target_pointer_width = "64") {
            assert_eq!(found.1, Some(false));
        }
    }

    #[test]
    fn a_missing_thread_is_an_error() {
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
            (nobody.entry_address(64), nobody.has_fixed_addresses(), nobody.syscall_state()),
            (None, None, None)
        );
    }

    #[test]
    fn limits_are_unlimited_or_bytes() {
        let limits = |soft: &str| {
            format!(
                "Limit                     Soft Limit           Hard Limit           Units     \n\
                 Max address space         {soft:20} unlimited            bytes     \n"
            )
        };
        assert_eq!(address_space_max(&limits("1048576")), Some(1 << 20));
        assert_eq!(address_space_max(&limits("unlimited")), None);
        assert_eq!(address_space_max(""), None);
    }

    #[test]
    fn personalities_are_hexadecimal() {
        assert_eq!(
            (is_fixed("00040000\n"), is_fixed("00000000\n"), is_fixed("no\n")),
            (Some(true), Some(false), None)
        );
    }
}
