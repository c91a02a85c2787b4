//! The program headers of an ELF file (elf(5)): what the kernel maps of a program, and how. A parser of bytes, which may be cut
//! off or hostile.

/// What a file says that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// `ET_EXEC`: its addresses are fixed.
    Fixed,
    /// `ET_DYN`: it can lie anywhere; a library, or a position-independent program.
    Movable,
    /// Something that is not run.
    Other(u16),
}

/// A part of the file that is mapped (`PT_LOAD`). Addresses are those that the file was linked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// The first address.
    pub address: u64,
    /// Where in the file it begins.
    pub offset_bytes: u64,
    /// So much of it comes from the file.
    pub file_bytes: u64,
    /// So much memory it takes: what is more than `file_bytes` is bss.
    pub memory_bytes: u64,
    /// `PF_X` 1, `PF_W` 2, `PF_R` 4.
    pub flags: u32,
}

/// The headers of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headers {
    /// 32 or 64.
    pub bits: u8,
    /// What it says that it is.
    pub kind: Type,
    /// The machine it is for (`EM_X86_64` 62, `EM_AARCH64` 183, ...).
    pub machine: u16,
    /// Where it begins to run, as it was linked.
    pub entry: u64,
    /// It asks for an interpreter, the dynamic linker.
    pub interpreted: bool,
    /// What is mapped of it, in the order of the file.
    pub segments: Vec<Segment>,
}

/// Why bytes are no program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// They do not begin as ELF does.
    NotElf,
    /// They end before the program headers do.
    Truncated,
    /// A field has a value that the format does not know.
    Unknown,
}

const PT_LOAD: u32 = 1;
const PT_INTERP: u32 = 3;

/// Parses the beginning of a file; program headers are within its first page in practice.
///
/// # Errors
/// [`Malformed`] says what is wrong with it.
pub fn parse(bytes: &[u8]) -> Result<Headers, Malformed> {
    if !bytes.starts_with(b"\x7fELF") {
        return Err(Malformed::NotElf);
    }
    let reader = Reader {
        bytes,
        wide: match byte(bytes, 4)? {
            1 => false,
            2 => true,
            _ => return Err(Malformed::Unknown),
        },
        little: match byte(bytes, 5)? {
            1 => true,
            2 => false,
            _ => return Err(Malformed::Unknown),
        },
    };
    // Offsets of the fields of Elf32_Ehdr and Elf64_Ehdr.
    let wide = reader.wide;
    let table = reader.word(if wide { 32 } else { 28 })?;
    let entry_bytes = u64::from(reader.half(if wide { 54 } else { 42 })?);
    let count = u64::from(reader.half(if wide { 56 } else { 44 })?);
    if count > 0 && entry_bytes < if wide { 56 } else { 32 } {
        return Err(Malformed::Unknown);
    }
    let mut headers = Headers {
        bits: if wide { 64 } else { 32 },
        kind: match reader.half(16)? {
            2 => Type::Fixed,
            3 => Type::Movable,
            other => Type::Other(other),
        },
        machine: reader.half(18)?,
        entry: reader.word(24)?,
        interpreted: false,
        segments: Vec::new(),
    };
    for number in 0..count {
        let start = number.checked_mul(entry_bytes).and_then(|offset| table.checked_add(offset));
        let start = usize::try_from(start.ok_or(Malformed::Truncated)?).map_err(|_| Malformed::Truncated)?;
        match reader.quarter(start)? {
            PT_LOAD => headers.segments.push(reader.segment(start)?),
            PT_INTERP => headers.interpreted = true,
            _ => {}
        }
    }
    Ok(headers)
}

/// Bytes of one width and order.
struct Reader<'a> {
    bytes: &'a [u8],
    wide: bool,
    little: bool,
}

impl Reader<'_> {
    fn segment(&self, start: usize) -> Result<Segment, Malformed> {
        // Elf64_Phdr has the flags second, Elf32_Phdr second to last.
        let at = |wide: usize, narrow: usize| start.saturating_add(if self.wide { wide } else { narrow });
        Ok(Segment {
            flags: self.quarter(at(4, 24))?,
            offset_bytes: self.word(at(8, 4))?,
            address: self.word(at(16, 8))?,
            file_bytes: self.word(at(32, 16))?,
            memory_bytes: self.word(at(40, 20))?,
        })
    }

    fn number<const N: usize>(&self, at: usize) -> Result<[u8; N], Malformed> {
        let end = at.checked_add(N).ok_or(Malformed::Truncated)?;
        let bytes: &[u8] = self.bytes.get(at..end).ok_or(Malformed::Truncated)?;
        let mut bytes: [u8; N] = bytes.try_into().map_err(|_| Malformed::Truncated)?;
        if !self.little {
            bytes.reverse();
        }
        Ok(bytes)
    }

    fn half(&self, at: usize) -> Result<u16, Malformed> {
        self.number(at).map(u16::from_le_bytes)
    }

    fn quarter(&self, at: usize) -> Result<u32, Malformed> {
        self.number(at).map(u32::from_le_bytes)
    }

    /// An address or size: as wide as the class of the file.
    fn word(&self, at: usize) -> Result<u64, Malformed> {
        if self.wide { self.number(at).map(u64::from_le_bytes) } else { self.quarter(at).map(u64::from) }
    }
}

fn byte(bytes: &[u8], at: usize) -> Result<u8, Malformed> {
    bytes.get(at).copied().ok_or(Malformed::Truncated)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> Vec<u8> {
        let mut bytes = std::fs::read("/proc/self/exe").unwrap();
        bytes.truncate(4096);
        bytes
    }

    #[test]
    fn this_program_has_headers() {
        let headers = parse(&own()).unwrap();
        assert_eq!(u32::from(headers.bits), usize::BITS);
        assert!(headers.segments.iter().any(|segment| segment.flags & 1 != 0), "code");
        let data = headers.segments.iter().find(|segment| segment.flags & 2 != 0).expect("data");
        assert!(data.memory_bytes >= data.file_bytes);
        let code = headers.segments.iter().find(|segment| segment.flags & 1 != 0).unwrap();
        assert!((code.address..code.address + code.memory_bytes).contains(&headers.entry));
    }

    /// What the C library knows of this process is what the file says.
    #[test]
    fn the_end_is_that_of_the_image() {
        let headers = parse(&own()).unwrap();
        let end = headers.segments.iter().map(|segment| segment.address + segment.memory_bytes).max().unwrap();
        let image = crate::image::own_image().unwrap();
        assert_eq!(image.end - image.bias, usize::try_from(end).unwrap());
    }

    #[test]
    fn every_truncation_is_an_answer() {
        let bytes = own();
        let whole = parse(&bytes).unwrap();
        let mut refused = 0;
        for length in 0..bytes.len() {
            match parse(&bytes[..length]) {
                Ok(headers) => assert_eq!(headers, whole),
                Err(Malformed::NotElf) => assert!(length < 4),
                Err(_) => refused += 1,
            }
        }
        assert!(refused > 64, "the headers themselves take more");
    }

    /// No byte of the headers, whatever its value, makes the parser fail otherwise than by an answer.
    #[test]
    fn hostile_bytes_are_answered() {
        let bytes = own();
        for at in 0..1024 {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut hostile = bytes.clone();
                hostile[at] = value;
                let _ = parse(&hostile);
            }
        }
        assert_eq!(parse(b"#!/bin/sh\n"), Err(Malformed::NotElf));
        assert_eq!(parse(b""), Err(Malformed::NotElf));
    }

    #[test]
    fn narrow_and_swapped_files_are_read() {
        // A 32-bit big-endian program with one segment.
        let mut bytes = vec![0_u8; 52 + 32];
        bytes[..7].copy_from_slice(b"\x7fELF\x01\x02\x01");
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(16, &2_u16.to_be_bytes());
        put(18, &8_u16.to_be_bytes());
        put(24, &0x0040_0100_u32.to_be_bytes());
        put(28, &52_u32.to_be_bytes());
        put(42, &32_u16.to_be_bytes());
        put(44, &1_u16.to_be_bytes());
        for (at, value) in [(0, 1_u32), (4, 0x1000), (8, 0x0041_0000), (16, 0x20), (20, 0x9000), (24, 6)] {
            put(52 + at, &value.to_be_bytes());
        }
        let headers = parse(&bytes).unwrap();
        assert_eq!((headers.bits, headers.kind, headers.entry), (32, Type::Fixed, 0x0040_0100));
        let expect =
            Segment { address: 0x0041_0000, offset_bytes: 0x1000, file_bytes: 0x20, memory_bytes: 0x9000, flags: 6 };
        assert_eq!(headers.segments, [expect]);
    }
}
