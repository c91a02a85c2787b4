//! The program headers of an ELF file (elf(5)): what the kernel maps of a program, and how. The
//! parser takes bytes, which may be cut off or hostile. The crate `object` knows the format, in
//! both widths and both orders of bytes.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use object::elf::{self, FileHeader32, FileHeader64};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, FileKind};

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
pub struct LoadSegment {
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

impl LoadSegment {
    /// Whether it is code (`PF_X`).
    #[must_use]
    pub fn is_executable(&self) -> bool {
        self.flags & elf::PF_X.0 != 0
    }

    /// Whether the program may write to it (`PF_W`).
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.flags & elf::PF_W.0 != 0
    }
}

/// The headers of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headers {
    /// 32 or 64.
    pub bits: u8,
    /// What it says that it is.
    pub kind: Type,
    /// Where it begins to run, as it was linked.
    pub entry: u64,
    /// It asks for an interpreter, the dynamic linker.
    pub interpreted: bool,
    /// What is mapped of it, in the order of the file.
    pub segments: Vec<LoadSegment>,
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

/// The number of bytes at the beginning of a file that tell ELF, and its width, from anything else
/// (`EI_NIDENT`).
pub const IDENTITY_BYTES: usize = 16;

/// The width of the addresses of a file, 32 or 64 bits, by its first [`IDENTITY_BYTES`].
///
/// # Errors
/// [`Malformed`] says what is wrong with it.
pub fn bits(bytes: &[u8]) -> Result<u8, Malformed> {
    if !bytes.starts_with(&elf::ELFMAG) {
        return Err(Malformed::NotElf);
    }
    match FileKind::parse(bytes) {
        Ok(FileKind::Elf32) => Ok(32),
        Ok(FileKind::Elf64) => Ok(64),
        Err(_) if bytes.len() < IDENTITY_BYTES => Err(Malformed::Truncated),
        _ => Err(Malformed::Unknown),
    }
}

/// Parses the beginning of a file; program headers are within its first page in practice.
///
/// # Errors
/// [`Malformed`] says what is wrong with it.
pub fn parse(bytes: &[u8]) -> Result<Headers, Malformed> {
    match bits(bytes)? {
        32 => headers::<FileHeader32<Endianness>>(bytes, 32),
        bits => headers::<FileHeader64<Endianness>>(bytes, bits),
    }
}

fn headers<H: FileHeader<Endian = Endianness>>(
    bytes: &[u8],
    bits: u8,
) -> Result<Headers, Malformed> {
    if bytes.len() < size_of::<H>() {
        return Err(Malformed::Truncated);
    }
    let header = H::parse(bytes).map_err(|_| Malformed::Unknown)?;
    let endian = header.endian().map_err(|_| Malformed::Unknown)?;
    // `object` refuses an entry of another size and a table beyond the bytes alike, and does not
    // say which it was.
    let has_known_entries =
        usize::from(header.e_phentsize(endian)) == size_of::<H::ProgramHeader>();
    let malformed = if has_known_entries { Malformed::Truncated } else { Malformed::Unknown };
    let programs = header.program_headers(endian, bytes).map_err(|_| malformed)?;
    let loaded = programs.iter().filter(|program| program.p_type(endian) == elf::PT_LOAD);
    let segment = |program: &H::ProgramHeader| LoadSegment {
        address: program.p_vaddr(endian).into(),
        offset_bytes: program.p_offset(endian).into(),
        file_bytes: program.p_filesz(endian).into(),
        memory_bytes: program.p_memsz(endian).into(),
        flags: program.p_flags(endian).0,
    };
    Ok(Headers {
        bits,
        kind: match header.e_type(endian) {
            elf::ET_EXEC => Type::Fixed,
            elf::ET_DYN => Type::Movable,
            other => Type::Other(other.0),
        },
        entry: header.e_entry(endian).into(),
        interpreted: programs.iter().any(|program| program.p_type(endian) == elf::PT_INTERP),
        segments: loaded.map(segment).collect(),
    })
}

/// Where notes are looked for: linkers put the build id behind the program headers, and the loader
/// has read the first page before it maps anything, so that looking there reads nothing from a
/// disk.
const NOTES_BYTES: usize = 4096;

/// The build id (`NT_GNU_BUILD_ID`) that a linker left in a file, by the beginning of the file.
/// `None`: there is none in these bytes, or they are no ELF.
#[must_use]
pub fn build_id(bytes: &[u8]) -> Option<&[u8]> {
    match bits(bytes).ok()? {
        32 => build_id_of::<FileHeader32<Endianness>>(bytes),
        _ => build_id_of::<FileHeader64<Endianness>>(bytes),
    }
}

fn build_id_of<H: FileHeader<Endian = Endianness>>(bytes: &[u8]) -> Option<&[u8]> {
    let header = H::parse(bytes).ok()?;
    let endian = header.endian().ok()?;
    for program in header.program_headers(endian, bytes).ok()? {
        // Other segments of notes may lie beyond these bytes.
        let Ok(Some(mut notes)) = program.notes(endian, bytes) else { continue };
        while let Ok(Some(note)) = notes.next() {
            if note.name() == elf::ELF_NOTE_GNU && note.n_type(endian) == elf::NT_GNU_BUILD_ID {
                return Some(note.desc());
            }
        }
    }
    None
}

/// The build id of the file at `path`, if that is a regular file and has the inode number `inode`
/// still. The device is not compared: that of a mapping is not always what stat(2) says (btrfs,
/// overlayfs).
#[must_use]
pub fn build_id_of_file(path: &Path, inode: u64) -> Option<Vec<u8>> {
    // Looked at before it is opened: to open a device or a pipe can do something.
    let is_it = |metadata: &std::fs::Metadata| metadata.is_file() && metadata.ino() == inode;
    std::fs::metadata(path).ok().filter(is_it)?;
    let file = File::open(path).ok()?;
    file.metadata().ok().filter(is_it)?;
    let mut bytes = Vec::with_capacity(NOTES_BYTES);
    file.take(NOTES_BYTES as u64).read_to_end(&mut bytes).ok()?;
    build_id(&bytes).map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn own() -> Vec<u8> {
        let mut bytes = vec![0; 4096];
        std::fs::File::open("/proc/self/exe").unwrap().read_exact(&mut bytes).unwrap();
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
        let end = headers
            .segments
            .iter()
            .map(|segment| segment.address + segment.memory_bytes)
            .max()
            .unwrap();
        let image = crate::image::own_image().unwrap();
        assert_eq!(image.end - image.bias, usize::try_from(end).unwrap());
    }

    /// A program that is compiled here with a build id of our own has that one, and no other file
    /// has.
    #[test]
    fn a_build_id_is_what_the_linker_was_told() {
        let folder =
            std::env::temp_dir().join(format!("firsttouch-build-id-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let (source, program) = (folder.join("main.c"), folder.join("main"));
        std::fs::write(&source, "int main(void) { return 0; }").unwrap();
        let id = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];
        let compile = std::process::Command::new("cc")
            .arg(&source)
            .arg("-o")
            .arg(&program)
            .arg("-Wl,--build-id=0x0123456789abcdef")
            .status();
        if compile.is_ok_and(|status| status.success()) {
            let inode = std::fs::metadata(&program).unwrap().ino();
            let found = build_id_of_file(&program, inode).expect("it has one");
            assert_eq!(found, id);
            assert_eq!(build_id_of_file(&program, inode + 1), None, "another file under its path");
            assert_eq!(
                build_id_of_file(&source, std::fs::metadata(&source).unwrap().ino()),
                None,
                "no ELF"
            );
            let bytes = std::fs::read(&program).unwrap();
            for len in 0..bytes.len().min(NOTES_BYTES) {
                assert!(
                    build_id(&bytes[..len]).is_none_or(|part| part == found),
                    "cut off at {len}"
                );
            }
        } else {
            skips::skip("there is no C compiler");
        }
        std::fs::remove_dir_all(&folder).unwrap();
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

    /// No byte of the headers, whatever its value, makes the parser fail otherwise than by an
    /// answer.
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
        for (at, value) in
            [(0, 1_u32), (4, 0x1000), (8, 0x0041_0000), (16, 0x20), (20, 0x9000), (24, 6)]
        {
            put(52 + at, &value.to_be_bytes());
        }
        let headers = parse(&bytes).unwrap();
        assert_eq!((headers.bits, headers.kind, headers.entry), (32, Type::Fixed, 0x0040_0100));
        let expect = LoadSegment {
            address: 0x0041_0000,
            offset_bytes: 0x1000,
            file_bytes: 0x20,
            memory_bytes: 0x9000,
            flags: 6,
        };
        assert_eq!(headers.segments, [expect]);
    }

    #[test]
    fn widths_are_told_by_few_bytes() {
        let own = own();
        assert_eq!(bits(&own[..IDENTITY_BYTES]), Ok(u8::try_from(usize::BITS).unwrap()));
        assert_eq!(bits(&own[..IDENTITY_BYTES - 1]), Err(Malformed::Truncated));
        let mut identity = [0; IDENTITY_BYTES];
        assert_eq!(bits(&identity), Err(Malformed::NotElf));
        identity[..4].copy_from_slice(b"\x7fELF");
        assert_eq!(bits(&identity), Err(Malformed::Unknown), "of no width");
        identity[4] = 1;
        assert_eq!(bits(&identity), Ok(32));
    }

    /// Bytes need not lie as the fields of a header do.
    #[test]
    fn headers_may_lie_at_any_address() {
        let own = own();
        let mut moved = vec![0];
        moved.extend_from_slice(&own);
        assert_eq!(parse(&moved[1..]), parse(&own));
    }

    proptest! {
        #[test]
        fn random_bytes_are_answered(
            bytes in prop::collection::vec(any::<u8>(), 0..512),
            wide in 1..=2_u8,
            order in 1..=2_u8,
            length in 0..4096_usize,
            changes in prop::collection::vec((0..512_usize, any::<u8>()), 0..8),
        ) {
            let _ = (parse(&bytes), bits(&bytes));
            // With the identity of ELF in front, and as a file that was spoilt and cut off.
            let identity = [&b"\x7fELF"[..], &[wide, order, 1], &[0; 9], &bytes].concat();
            prop_assert_ne!(parse(&identity), Err(Malformed::NotElf));
            let mut spoilt = own();
            for (at, value) in changes {
                spoilt[at] = value;
            }
            spoilt.truncate(length);
            if let Ok(headers) = parse(&spoilt) {
                prop_assert!(headers.segments.len() * 32 <= spoilt.len(), "no header of a segment takes less");
            }
        }
    }
}
