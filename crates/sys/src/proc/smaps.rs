//! `/proc/PID/smaps`: the mappings of a process, and how much of each is resident.

use super::maps::{MapsEntry, parse_line};

/// One mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// What it maps, and where.
    pub region: MapsEntry,
    /// Resident bytes, in pages of any size.
    pub resident_bytes: u64,
    /// Bytes mapped by huge pages, transparent or hugetlb.
    pub huge_bytes: u64,
    /// Whether the kernel has committed memory for all of it (`ac` of `VmFlags`).
    pub accounted: bool,
}

/// Parses the whole file; `None` if a line is malformed.
pub(super) fn parse_smaps(text: &str) -> Option<Vec<Mapped>> {
    let mut all: Vec<Mapped> = Vec::new();
    for line in text.lines() {
        let key = line.split(' ').next()?;
        match key.strip_suffix(':') {
            None => all.push(parse_head(line)?),
            Some("VmFlags") => {
                all.last_mut()?.accounted = line.split_whitespace().any(|flag| flag == "ac");
            }
            Some(key) => add(all.last_mut()?, key, line)?,
        }
    }
    Some(all)
}

/// The line of a mapping, which is that of `/proc/PID/maps`.
fn parse_head(line: &str) -> Option<Mapped> {
    let region = parse_line(line)?;
    (region.start < region.end).then_some(Mapped {
        region,
        resident_bytes: 0,
        huge_bytes: 0,
        accounted: false,
    })
}

/// `Key: value kB`. Hugetlb pages are not in `Rss` (Documentation/filesystems/proc.rst of the
/// kernel).
fn add(mapped: &mut Mapped, key: &str, line: &str) -> Option<()> {
    let huge = match key {
        "Rss" => false,
        "AnonHugePages" | "ShmemPmdMapped" | "FilePmdMapped" | "Shared_Hugetlb"
        | "Private_Hugetlb" => true,
        _ => return Some(()),
    };
    let bytes = line.split_whitespace().nth(1)?.parse::<u64>().ok()?.checked_mul(1024)?;
    if huge {
        mapped.huge_bytes += bytes;
    }
    if !huge || key.ends_with("Hugetlb") {
        mapped.resident_bytes += bytes;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
55d0c0f2a000-55d0c0f4b000 rw-p 00000000 00:00 0                          [heap]
Size:                132 kB
Rss:                  24 kB
AnonHugePages:         0 kB
VmFlags: rd wr mr mw me ac 
7f1c00000000-7f1c00400000 rw-p 00002000 fe:01 1234                       /a b/c: d (deleted)
Rss:                   0 kB
AnonHugePages:      2048 kB
Private_Hugetlb:    2048 kB
";

    #[test]
    fn mappings_have_their_figures() {
        let all = parse_smaps(TEXT).unwrap();
        assert_eq!(
            (all[0].region.name.as_str(), all[0].resident_bytes, all[0].huge_bytes),
            ("[heap]", 24 << 10, 0)
        );
        let second = &all[1].region;
        assert_eq!(
            (second.name.as_str(), second.device, second.offset_bytes, second.inode),
            ("/a b/c: d (deleted)", (0xfe, 1), 0x2000, 1234)
        );
        assert_eq!((all[1].resident_bytes, all[1].huge_bytes), (2 << 20, 4 << 20));
        assert_eq!((all[0].accounted, all[1].accounted), (true, false));
        assert_eq!(parse_smaps(""), Some(Vec::new()));
    }

    #[test]
    fn malformed_texts_are_refused() {
        for length in 0..TEXT.len() {
            let all = parse_smaps(&TEXT[..length]);
            assert!(all.is_none_or(|all| all.len() <= 2));
        }
        assert_eq!(parse_smaps("Rss: 4 kB\n"), None, "a figure without a mapping");
        assert_eq!(parse_smaps("2000-1000 rw-p 0 00:00 0\n"), None);
    }

    #[test]
    fn this_process_is_read() {
        let all = parse_smaps(&std::fs::read_to_string("/proc/self/smaps").unwrap()).unwrap();
        let here = (&raw const all).addr();
        let stack = all.iter().find(|mapped| mapped.region.contains(here)).unwrap();
        assert!(stack.resident_bytes >= 4096 && stack.accounted);
    }
}
