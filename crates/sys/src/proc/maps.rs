//! `/proc/PID/maps`: the mappings of a process.

use std::io;

/// One mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapsEntry {
    /// The first address.
    pub start: usize,
    /// The first address after it.
    pub end: usize,
    /// `rwxp` or `rwxs`, with a hyphen for what is not allowed.
    pub permissions: String,
    /// Its offset in its file.
    pub offset_bytes: u64,
    /// The major and minor number of the device that its file is on.
    pub device: (u32, u32),
    /// The inode of its file; 0 without a file.
    pub inode: u64,
    /// The path of its file, a name in brackets such as `[heap]`, or empty.
    pub name: String,
}

impl MapsEntry {
    /// Whether `address` is in it.
    #[must_use]
    pub fn contains(&self, address: usize) -> bool {
        (self.start..self.end).contains(&address)
    }

    /// `PROT_READ`, `PROT_WRITE` and `PROT_EXEC` of mmap(2), as bits.
    #[must_use]
    pub fn protection(&self) -> u32 {
        let bits = [('r', libc::PROT_READ), ('w', libc::PROT_WRITE), ('x', libc::PROT_EXEC)];
        let allowed = bits.into_iter().filter(|(letter, _)| self.permissions.contains(*letter));
        allowed.map(|(_, bit)| bit.cast_unsigned()).sum()
    }

    /// Whether it is mapped with `MAP_SHARED`.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.permissions.ends_with('s')
    }
}

/// The current mappings of this process, by ascending address.
///
/// # Errors
/// As open(2) and read(2), if there is no `/proc`; `InvalidData` if a line is malformed.
pub fn regions_now() -> io::Result<Vec<MapsEntry>> {
    let text = std::fs::read("/proc/self/maps")?;
    let unknown =
        || io::Error::new(io::ErrorKind::InvalidData, "/proc/self/maps has a malformed line");
    parse_maps(&String::from_utf8_lossy(&text)).ok_or_else(unknown)
}

/// Parses the whole file; `None` if a line is malformed.
#[must_use]
pub fn parse_maps(text: &str) -> Option<Vec<MapsEntry>> {
    text.lines().map(parse_line).collect()
}

/// `start-end permissions offset device inode name`.
pub(super) fn parse_line(line: &str) -> Option<MapsEntry> {
    let mut words = line.splitn(6, ' ');
    let (start, end) = words.next()?.split_once('-')?;
    let permissions = words.next().filter(|permissions| permissions.len() == 4)?;
    let (offset, device, inode) = (words.next()?, words.next()?, words.next()?);
    let (major, minor) = device.split_once(':')?;
    let number = |text| u32::from_str_radix(text, 16).ok();
    let address = |text| usize::from_str_radix(text, 16).ok();
    Some(MapsEntry {
        start: address(start)?,
        end: address(end)?,
        permissions: permissions.to_owned(),
        offset_bytes: u64::from_str_radix(offset, 16).ok()?,
        device: (number(major)?, number(minor)?),
        inode: inode.parse().ok()?,
        name: words.next().unwrap_or_default().trim().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_parsed() {
        let text = "55d0c0f2a000-55d0c0f4b000 rw-p 00000000 00:00 0      [heap]\n\
                    7f1c00000000-7f1c00021000 r--p 00001000 fe:00 1234   /a b/c (deleted)\n\
                    7f1c00021000-7f1c04000000 ---p 00000000 00:00 0 \n";
        let regions = parse_maps(text).unwrap();
        assert_eq!(regions[0].name, "[heap]");
        let second = &regions[1];
        assert_eq!(
            (second.name.as_str(), second.inode, second.offset_bytes),
            ("/a b/c (deleted)", 1234, 0x1000)
        );
        assert_eq!((regions[2].name.as_str(), regions[2].permissions.as_str()), ("", "---p"));
        assert!(regions[2].contains(0x7f1c_0002_1000) && !regions[2].contains(0x7f1c_0400_0000));
        let allowed = |permissions: &str| {
            let region = MapsEntry { permissions: permissions.to_owned(), ..regions[0].clone() };
            (region.protection(), region.is_shared())
        };
        assert_eq!(
            [allowed("rwxp"), allowed("--xs"), allowed("r--p")],
            [(7, false), (4, true), (1, false)]
        );
        assert_eq!(parse_maps("nonsense"), None);
        assert_eq!(parse_maps(""), Some(Vec::new()));
    }

    #[test]
    fn this_process_has_a_stack() {
        let on_stack = 0_u8;
        let regions = regions_now().unwrap();
        assert!(regions.iter().any(|region| region.contains((&raw const on_stack).addr())));
        assert!(regions.is_sorted_by_key(|region| region.start));
    }
}
