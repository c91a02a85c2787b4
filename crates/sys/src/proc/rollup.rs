//! `/proc/PID/smaps_rollup`: resident memory, exact, unlike the batched counters behind `VmRSS`.

use std::io;

use super::{field, with_file};

/// Resident memory of a process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resident {
    /// All resident memory.
    pub rss_bytes: u64,
    /// Anonymous memory mapped by 2 MiB pages.
    pub huge_bytes: u64,
}

/// The resident memory of this process now. `None` without `/proc` or before Linux 4.14.
#[must_use]
pub fn resident_now() -> Option<Resident> {
    with_file(c"/proc/self/smaps_rollup", parse_rollup).flatten()
}

/// The proportional resident memory of the process `pid` now, in bytes: a page that several
/// processes map counts by share (`Pss`). 0 for a process that has ended.
///
/// # Errors
/// As open(2): `PermissionDenied` for a process that this user may not read. Any but that if it is
/// gone.
pub fn proportional_bytes(pid: u32) -> io::Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    Ok(field(&text, "Pss:").unwrap_or(0) * 1024)
}

/// Parses the text of a rollup.
#[must_use]
pub fn parse_rollup(text: &str) -> Option<Resident> {
    Some(Resident {
        rss_bytes: field(text, "Rss:")? * 1024,
        huge_bytes: field(text, "AnonHugePages:")? * 1024,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kilobytes_become_bytes() {
        let text = "55d0-7ffd ---p 00000000 00:00 0    [rollup]\nRss:      1724 kB\n\
                    Anonymous: 112 kB\nAnonHugePages:  4096 kB\n";
        assert_eq!(
            parse_rollup(text),
            Some(Resident { rss_bytes: 1724 * 1024, huge_bytes: 4 << 20 })
        );
        assert_eq!(parse_rollup("Rss: 1 kB\n"), None);
    }

    #[test]
    fn shares_are_no_more_than_the_whole() {
        let share = proportional_bytes(std::process::id()).unwrap();
        let whole = resident_now().unwrap().rss_bytes;
        assert!(share > 0 && share < 2 * whole, "{share} of {whole}");
        assert_ne!(
            proportional_bytes(u32::MAX).unwrap_err().kind(),
            io::ErrorKind::PermissionDenied
        );
    }
}
