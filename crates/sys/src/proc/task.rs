//! `/proc/PID/task`, `/proc/TID/status` and `/proc/PID/comm`: the threads of processes, and their
//! state.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use super::TICK_MS;

/// The threads of the process `pid`, in ascending order.
///
/// # Errors
/// `NotFound`: there is no such process.
pub fn threads_of(pid: u32) -> io::Result<Vec<u32>> {
    let mut threads: Vec<u32> = std::fs::read_dir(format!("/proc/{pid}/task"))?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    threads.sort_unstable();
    Ok(threads)
}

/// The threads of the process `pid` that have not ended, in ascending order. The first one may have
/// ended long before the others.
///
/// # Errors
/// `NotFound`: there is no such process.
pub fn live_threads_of(pid: u32) -> io::Result<Vec<u32>> {
    let mut threads = threads_of(pid)?;
    threads.retain(|&tid| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/task/{tid}/status"));
        text.is_ok_and(|text| !is_ended(&text))
    });
    Ok(threads)
}

/// The process that the thread `tid` belongs to, while it exists.
#[must_use]
pub fn process_of(tid: u32) -> Option<u32> {
    process(&status(tid)?)
}

/// The children of the process `pid`, ended ones that it has not reaped included.
#[must_use]
pub fn children_of(pid: u32) -> Vec<u32> {
    parents().into_iter().filter(|(_, parent)| *parent == pid).map(|(child, _)| child).collect()
}

/// The children of the process `pid`, theirs, and so on; ended ones that were not reaped included.
#[must_use]
pub fn descendants_of(pid: u32) -> Vec<u32> {
    let parents = parents();
    let of = |pid: u32| {
        parents.iter().filter(|(_, parent)| *parent == pid).map(|(child, _)| *child).collect()
    };
    generations(pid, of)
}

/// As [`descendants_of`], and much faster where many processes run; but while a process ends, its
/// siblings may be missed: `/proc/PID/task/TID/children` (`CONFIG_PROC_CHILDREN`).
#[must_use]
pub fn listed_descendants_of(pid: u32) -> Vec<u32> {
    if listed_children(pid).is_none() {
        return descendants_of(pid);
    }
    generations(pid, |pid| listed_children(pid).unwrap_or_default())
}

/// What `children_of` says of the process `pid`, of its children, and so on.
fn generations(pid: u32, children_of: impl Fn(u32) -> Vec<u32>) -> Vec<u32> {
    let (mut found, mut next) = (Vec::new(), vec![pid]);
    while let Some(of) = next.pop() {
        let children = children_of(of);
        next.extend(&children);
        found.extend(children);
    }
    found
}

/// The children that the threads of the process `pid` have started; `None` if it is gone, or if
/// the kernel does not list them.
fn listed_children(pid: u32) -> Option<Vec<u32>> {
    let of = |tid: u32| std::fs::read_to_string(format!("/proc/{pid}/task/{tid}/children")).ok();
    let lists: Vec<String> = threads_of(pid).ok()?.into_iter().map(of).collect::<Option<_>>()?;
    let pids = lists.iter().flat_map(|list| list.split_whitespace());
    Some(pids.filter_map(|pid| pid.parse().ok()).collect())
}

/// Every process with its parent.
fn parents() -> Vec<(u32, u32)> {
    let of_a_process = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let with_parent = |child: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).ok()?;
        Some((child, parent(&stat)?))
    };
    entries.filter_map(|entry| with_parent(of_a_process(entry.ok()?)?)).collect()
}

/// `ppid` of `proc_pid_stat(5)`, the second field after the name, which may contain anything.
fn parent(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Whether the process `pid` has ended, that is, all of its threads and not only the first, even if
/// its parent has not reaped it yet (a zombie).
#[must_use]
pub fn has_process_ended(pid: u32) -> bool {
    // After execve(2) in another thread, that is the only one and has the number of the first one,
    // which had ended: hence the second look.
    has_first_thread_ended(pid)
        && threads_of(pid).is_ok_and(|threads| threads == [pid])
        && has_first_thread_ended(pid)
}

/// Whether the first thread of the process `pid` has ended. Other threads may still run.
#[must_use]
pub fn has_first_thread_ended(pid: u32) -> bool {
    status(pid).is_some_and(|status| is_ended(&status))
}

/// Whether `pid` is a thread of the kernel, which has no address space.
#[must_use]
pub fn is_kernel_thread(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| has_kernel_flag(&stat).unwrap_or(false))
}

/// `flags` of `proc_pid_stat(5)`, the seventh field after the name, which may contain anything.
fn has_kernel_flag(stat: &str) -> Option<bool> {
    /// `PF_KTHREAD` of Linux's `sched.h`, the same since 2.6.27.
    const OF_KERNEL: u64 = 0x0020_0000;
    let (_, fields) = stat.rsplit_once(')')?;
    let flags: u64 = fields.split_whitespace().nth(6)?.parse().ok()?;
    Some(flags & OF_KERNEL != 0)
}

/// The number of seccomp filters of the thread `tid`: `Seccomp_filters`. `None`: it is gone, or a
/// kernel before 5.9.
#[must_use]
pub fn seccomp_filters(tid: u32) -> Option<u32> {
    field(&status(tid)?, "Seccomp_filters:")?.parse().ok()
}

/// Whether the kernel has sent the thread `tid` SIGSYS, which is not delivered yet.
#[must_use]
pub fn has_pending_sigsys(tid: u32) -> bool {
    const SIGSYS: u64 = 1 << (libc::SIGSYS - 1);
    status(tid)
        .and_then(|status| u64::from_str_radix(field(&status, "SigPnd:")?, 16).ok())
        .is_some_and(|pending| pending & SIGSYS != 0)
}

/// Whether the program of the process `pid` is one of 32 bits. `false` if this user may not read
/// it.
#[must_use]
pub fn is_compat32_process(pid: u32) -> bool {
    crate::elf::is_compat32(format!("/proc/{pid}/exe").as_ref())
}

/// Whether the threads `tid` and the calling one are in the same PID namespace. `None`: it is gone,
/// or this user may not know.
#[must_use]
pub fn is_in_own_pid_namespace(tid: u32) -> Option<bool> {
    let namespace = |of: &str| std::fs::read_link(format!("/proc/{of}/ns/pid")).ok();
    Some(namespace(&tid.to_string())? == namespace("self")?)
}

/// Figures of an address space as a whole, in bytes. The kernel keeps them as counters: reading
/// them takes no lock. `None`: it is gone, or is a kernel thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MemoryTotals {
    /// The peak of resident memory since the last exec: `VmHWM`.
    pub peak_resident_bytes: Option<u64>,
    /// Page tables: `VmPTE`.
    pub page_tables_bytes: Option<u64>,
    /// All mappings: `VmSize`.
    pub address_space_bytes: Option<u64>,
}

/// The figures of the process of the thread `tid`.
#[must_use]
pub fn memory_totals(tid: u32) -> MemoryTotals {
    totals(&status(tid).unwrap_or_default())
}

/// Whether the process of the thread `tid` gets no transparent huge pages, by prctl(2)
/// (`THP_enabled`). `None`: it is gone, or a kernel before 5.0.
#[must_use]
pub fn has_huge_pages_off(tid: u32) -> Option<bool> {
    field(&status(tid)?, "THP_enabled:").map(|enabled| enabled == "0")
}

/// The page faults of a process, minor and major together, as the kernel counts them: with pages
/// that a call populates, without a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FaultCounts {
    /// Of all its threads.
    pub own: u64,
    /// Of its children that it has waited for, and of theirs.
    pub reaped: u64,
}

/// The faults of the process `pid`, which may have ended if it has not been reaped:
/// `/proc/PID/stat`. `None`: it is gone.
#[must_use]
pub fn faults_of(pid: u32) -> Option<FaultCounts> {
    fault_counts(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// `proc_pid_stat(5)`: the name in parentheses may contain anything, so fields are counted from its
/// end. minflt is the eighth from there, followed by cminflt, majflt and cmajflt.
fn fault_counts(stat: &str) -> Option<FaultCounts> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut counts = fields.split_whitespace().skip(7).map(|field| field.parse::<u64>().ok());
    let (minor, reaped_minor) = (counts.next()??, counts.next()??);
    let (major, reaped_major) = (counts.next()??, counts.next()??);
    Some(FaultCounts { own: minor + major, reaped: reaped_minor + reaped_major })
}

/// The processor time of the children that the process `pid` has waited for, and of theirs, in
/// steps of 10 ms. `None`: it is gone.
#[must_use]
pub fn reaped_cpu(pid: u32) -> Option<Duration> {
    reaped_cpu_time(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// `cutime` and `cstime` of `proc_pid_stat(5)`, fields 16 and 17, counted as in [`fault_counts`].
fn reaped_cpu_time(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut ticks = fields.split_whitespace().skip(13).map(|field| field.parse::<u64>().ok());
    Some(Duration::from_millis((ticks.next()?? + ticks.next()??) * TICK_MS))
}

/// The name of the program of the process `pid`: the first 15 bytes of its file's name, unless it
/// has set another name. `None`: it is gone.
#[must_use]
pub fn program_name(pid: u32) -> Option<Vec<u8>> {
    Some(std::fs::read(format!("/proc/{pid}/comm")).ok()?.trim_ascii_end().to_owned())
}

/// The words by which the program of the process `pid` was started, as far as they can be seen:
/// none of a process that has ended, or that has written over them with nothing.
#[must_use]
pub fn command_line(pid: u32) -> Vec<OsString> {
    let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let Some(words) = words.strip_suffix(b"\0") else { return Vec::new() };
    words.split(|byte| *byte == 0).map(|word| OsString::from_vec(word.to_owned())).collect()
}

/// Whether the program of the process `pid` was started with the environment variable `name`, as
/// far as can be seen: not of a process that has ended, or that this user may not read.
#[must_use]
pub fn has_variable(pid: u32, name: &str) -> bool {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let is_it = |variable: &[u8]| {
        variable.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.starts_with(b"="))
    };
    environment.split(|byte| *byte == 0).any(is_it)
}

fn status(tid: u32) -> Option<String> {
    std::fs::read_to_string(format!("/proc/{tid}/status")).ok()
}

/// The text after the name of a field.
fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

fn is_ended(status: &str) -> bool {
    field(status, "State:").is_some_and(|state| state.starts_with(['Z', 'X']))
}

fn process(status: &str) -> Option<u32> {
    field(status, "Tgid:")?.parse().ok()
}

fn totals(status: &str) -> MemoryTotals {
    let bytes =
        |name| field(status, name)?.strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024);
    MemoryTotals {
        peak_resident_bytes: bytes("VmHWM:"),
        page_tables_bytes: bytes("VmPTE:"),
        address_space_bytes: bytes("VmSize:"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_those_of_the_process_and_of_its_reaped_children() {
        let counts = fault_counts("7 (a) S (b) S 1 7 7 0 -1 4194560 565 40 12 1 0 0");
        assert_eq!(counts, Some(FaultCounts { own: 577, reaped: 41 }));
        assert_eq!((fault_counts("7 (a) S 1"), fault_counts("")), (None, None));
        assert!(faults_of(std::process::id()).is_some_and(|counts| counts.own > 0));
    }

    #[test]
    fn a_variable_is_found_by_its_whole_name() {
        let own = std::process::id();
        assert!(has_variable(own, "PATH") && !has_variable(own, "PAT"));
        assert!(!has_variable(own, "TH") && !has_variable(u32::MAX, "PATH"));
    }

    #[test]
    fn the_words_of_a_process_are_those_of_its_start() {
        let own: Vec<OsString> = std::env::args_os().collect();
        assert_eq!(command_line(std::process::id()), own);
        assert!(command_line(u32::MAX).is_empty());
    }

    #[test]
    fn the_time_of_reaped_children_is_theirs_in_both_modes() {
        let stat = "7 (a) S (b) S 1 7 7 0 -1 4194560 565 40 12 1 800 900 3 4 20 0";
        assert_eq!(reaped_cpu_time(stat), Some(Duration::from_millis(70)));
        assert_eq!((reaped_cpu_time("7 (a) S 1"), reaped_cpu(u32::MAX)), (None, None));
        assert!(reaped_cpu(std::process::id()).is_some());
    }

    #[test]
    fn descendants_are_found_however_deep() {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", "sh -c 'echo $$; read line; :'; :"]);
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut shell = command.spawn().unwrap();
        let mut line = String::new();
        let mut output = std::io::BufReader::new(shell.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut output, &mut line).unwrap();
        let inner: u32 = line.trim().parse().unwrap();
        assert_eq!(descendants_of(shell.id()), [inner]);
        assert_eq!(children_of(shell.id()), [inner]);
        assert_eq!(listed_descendants_of(shell.id()), [inner]);
        let all = descendants_of(std::process::id());
        assert!(all.contains(&inner) && all.contains(&shell.id()), "{all:?}");
        drop(shell.stdin.take());
        shell.wait().unwrap();
    }

    #[test]
    fn threads_of_the_kernel_are_known_by_a_flag() {
        let stat = "2 (kthreadd)) S) S 0 0 0 0 -1 2129984 0 0";
        assert_eq!(has_kernel_flag(stat), Some(true));
        assert_eq!(has_kernel_flag("7 (a) S 1 7 7 0 -1 4194560 565"), Some(false));
        assert_eq!(has_kernel_flag("7 (a) S"), None);
        assert!(!is_kernel_thread(std::process::id()) && !is_kernel_thread(u32::MAX));
    }

    #[test]
    fn threads_know_their_process() {
        let own = std::process::id();
        let threads = threads_of(own).unwrap();
        assert!(
            threads.contains(&own)
                && threads.iter().all(|&thread| process_of(thread).is_none_or(|of| of == own))
        );
        assert_eq!(
            (process("Name:\tx\nTgid:\t12\nPid:\t13\n"), process("Name:\tTgid")),
            (Some(12), None)
        );
        assert_eq!(process_of(u32::MAX), None);
        let MemoryTotals { peak_resident_bytes, page_tables_bytes, address_space_bytes } =
            memory_totals(own);
        assert!(page_tables_bytes > Some(0) && peak_resident_bytes > page_tables_bytes);
        assert!(address_space_bytes > peak_resident_bytes);
        let status = "VmPeak:\t9 kB\nVmHWM:\t   8 kB\nVmPTE:\t8\n";
        let expect = MemoryTotals { peak_resident_bytes: Some(8192), ..MemoryTotals::default() };
        assert_eq!(totals(status), expect);
        let mut child = std::process::Command::new("true").spawn().unwrap();
        while !has_process_ended(child.id()) {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        child.wait().unwrap();
        let name = program_name(own).unwrap();
        assert!(!name.is_empty() && name.len() <= 15 && !name.ends_with(b"\n"), "{name:?}");
        assert_eq!(program_name(u32::MAX), None);
        assert!(!has_process_ended(own) && !has_process_ended(child.id()));
    }
}
