//! Parsers of `/proc`: proc(5). They take text and return `None` for a missing value.

mod counters;
mod folder;
mod loaded;
mod maps;
mod pagemap;
mod rollup;
mod scan;
mod smaps;
pub mod sysctl;
pub mod task;
mod thread;

pub use counters::{
    Counters, available_bytes, commit_left_bytes, cpu_ticks, meminfo_bytes, oom_kills,
    pressure_total, vmstat,
};
pub use folder::{TaskFolder, regions_of};
pub use maps::{MapsEntry, parse_maps, regions_now};
pub use pagemap::PageMap;
pub use rollup::{Resident, parse_rollup, proportional_bytes, resident_now};
pub use scan::Present;
pub use smaps::Mapped;
pub use thread::SyscallState;

use smaps::parse_smaps;
use thread::{entry_address, is_secure, parse_syscall_state};

use std::time::Duration;

/// One tick of the times in `/proc/stat`. `USER_HZ` is 100 on every architecture that Linux
/// supports.
const TICK_MS: u64 = 10;

/// Time this thread has spent ready to run but waiting for a processor, from
/// `/proc/thread-self/schedstat` (Linux 3.17).
#[must_use]
pub fn run_delay() -> Option<Duration> {
    with_file(c"/proc/thread-self/schedstat", parse_run_delay).flatten()
}

/// The second of the three numbers in `/proc/PID/schedstat`.
fn parse_run_delay(text: &str) -> Option<Duration> {
    Some(Duration::from_nanos(text.split_whitespace().nth(1)?.parse().ok()?))
}

/// The size of this process's address space, from `/proc/self/statm`.
#[must_use]
pub fn address_space_bytes() -> Option<u64> {
    let pages =
        with_file(c"/proc/self/statm", |text| text.split_whitespace().next()?.parse::<u64>().ok())
            .flatten()?;
    Some(pages * crate::limits::page_bytes())
}

/// Whether `/proc` can be read.
#[must_use]
pub fn is_mounted() -> bool {
    with_file(c"/proc/self/stat", |_| ()).is_some()
}

/// Where the words of this process's command lie (`arg_start` and `arg_end` of `/proc/self/stat`):
/// the address, and the size in bytes.
pub(crate) fn argument_memory() -> Option<(usize, usize)> {
    with_file(c"/proc/self/stat", parse_argument_memory).flatten()
}

/// Fields 48 and 49; the second, in parentheses, may contain anything.
fn parse_argument_memory(text: &str) -> Option<(usize, usize)> {
    let (_, rest) = text.rsplit_once(')')?;
    let mut words = rest.split_whitespace().skip(45);
    let start: usize = words.next()?.parse().ok()?;
    let end: usize = words.next()?.parse().ok()?;
    (start != 0 && end > start).then(|| (start, end - start))
}

/// Reads a small file of `/proc/self` without using the heap, since reads between the phases of a
/// measured child must not change the state of its allocator. `None` if the file cannot be opened
/// or is not UTF-8.
fn with_file<T>(path: &std::ffi::CStr, parse: impl FnOnce(&str) -> T) -> Option<T> {
    use rustix::fs::{Mode, OFlags, open};
    let file = open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut buffer = [0_u8; 4096];
    let mut len = 0;
    while len < buffer.len() {
        match rustix::io::read(&file, &mut buffer[len..]) {
            Ok(0) => break,
            Ok(n) => len += n,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return None,
        }
    }
    std::str::from_utf8(&buffer[..len]).ok().map(parse)
}

/// The first value after `key` in `text`, which has lines of the form `key value …`.
pub(crate) fn field(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next()? == key).then(|| words.next()?.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_delay_is_the_second_number() {
        assert_eq!(parse_run_delay("251083 38365 1\n"), Some(Duration::from_nanos(38365)));
        assert_eq!(parse_run_delay(""), None);
    }

    #[test]
    fn keys_match_whole_words() {
        let text = "thp_fault_alloc_x 9\nthp_fault_alloc 7\n";
        assert_eq!(field(text, "thp_fault_alloc"), Some(7));
        assert_eq!(field(text, "thp_fault"), None);
    }

    #[test]
    fn the_real_files_are_read() {
        assert!(address_space_bytes().unwrap() > 1 << 20);
        assert!(resident_now().unwrap().rss_bytes > 1 << 12);
    }
}
