//! `/proc/self/smaps_rollup`: resident memory, exact, unlike the batched counters behind `VmRSS`.

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
}
