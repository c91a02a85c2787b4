//! The program headers of an ELF file (elf(5)): what the kernel maps of a program, and how. The
//! parser takes bytes, which may be truncated or hostile. The crate `object` reads the format in
//! both widths and both byte orders.

mod linkage;

pub use linkage::{Linkage, Wanted, linkage};

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use object::elf::{self, FileHeader32, FileHeader64};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, FileKind};

/// The type of an ELF file (`e_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// `ET_EXEC`: its addresses are fixed.
    Fixed,
    /// `ET_DYN`: it can lie anywhere; a library, or a position-independent program.
    Movable,
    /// Not a program or a library.
    Other(u16),
}

/// A part of the file that is mapped (`PT_LOAD`). Addresses are those that the file was linked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadSegment {
    /// The first address.
    pub address: u64,
    /// Its offset in the file.
    pub offset_bytes: u64,
    /// Bytes that come from the file.
    pub file_bytes: u64,
    /// Bytes that it takes in memory; those beyond `file_bytes` are bss.
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

/// Whether the file at `path` is an ELF program of 32 bits.
#[must_use]
pub fn is_compat32(path: &Path) -> bool {
    let mut identity = [0; IDENTITY_BYTES];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut identity));
    read.is_ok() && bits(&identity) == Ok(32)
}

/// The headers of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headers {
    /// 32 or 64.
    pub bits: u8,
    /// The type of the file.
    pub kind: Type,
    /// The entry point, as linked.
    pub entry: u64,
    /// Whether it has an interpreter (`PT_INTERP`), the dynamic linker.
    pub interpreted: bool,
    /// The segments that are mapped, in the order of the file.
    pub segments: Vec<LoadSegment>,
}

/// Why bytes are not a valid ELF file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// They do not start with the ELF magic number.
    NotElf,
    /// They end before the program headers end.
    Truncated,
    /// A field has a value that the format does not define.
    Unknown,
}

/// The number of bytes at the start of a file that identify it as ELF, and its width (`EI_NIDENT`).
pub const IDENTITY_BYTES: usize = 16;

/// The width of a file's addresses, 32 or 64 bits, from its first [`IDENTITY_BYTES`].
///
/// # Errors
/// [`Malformed`] says what is wrong with the bytes.
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
/// [`Malformed`] says what is wrong with the bytes.
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
    // `object` returns the same error for an entry of the wrong size and for a table beyond the
    // bytes.
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

/// The part of a file that is searched for notes. Linkers put the build id right after the program
/// headers, and the loader reads the first page before it maps anything, so searching it reads
/// nothing from a disk.
const NOTES_BYTES: usize = 4096;

/// The build id (`NT_GNU_BUILD_ID`) that a linker left in a file, from the first bytes of the file.
/// `None`: these bytes contain none, or are not ELF.
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

/// The build id of the file at `path`, if that is a regular file and still has the inode number
/// `inode`. The device is not compared: on btrfs and overlayfs the device of a mapping differs from
/// the one that stat(2) reports.
#[must_use]
pub fn build_id_of_file(path: &Path, inode: u64) -> Option<Vec<u8>> {
    // Checked before it is opened: opening a device or a pipe can have side effects.
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
    fn headers_of_this_program_are_read() {
        let headers = parse(&own()).unwrap();
        assert_eq!(u32::from(headers.bits), usize::BITS);
        assert!(headers.segments.iter().any(|segment| segment.flags & 1 != 0), "code");
        let data = headers.segments.iter().find(|segment| segment.flags & 2 != 0).expect("data");
        assert!(data.memory_bytes >= data.file_bytes);
        let code = headers.segments.iter().find(|segment| segment.flags & 1 != 0).unwrap();
        assert!((code.address..code.address + code.memory_bytes).contains(&headers.entry));
    }

    /// The C library's view of this process agrees with the file.
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

    /// A program compiled here with a given build id has that one, and no other file has it.
    #[test]
    fn a_build_id_is_the_one_given_to_the_linker() {
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
                "not ELF"
            );
            let bytes = std::fs::read(&program).unwrap();
            for len in 0..bytes.len().min(NOTES_BYTES) {
                assert!(
                    build_id(&bytes[..len]).is_none_or(|part| part == found),
                    "truncated at {len}"
                );
            }
        } else {
            skips::skip("there is no C compiler");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn every_truncation_is_read_or_refused() {
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

    /// The parser returns a result for any value of any byte of the headers; it never panics.
    #[test]
    fn hostile_bytes_never_panic() {
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
    fn big_endian_32_bit_files_are_read() {
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
    fn the_identity_gives_the_width() {
        let own = own();
        assert_eq!(bits(&own[..IDENTITY_BYTES]), Ok(u8::try_from(usize::BITS).unwrap()));
        assert_eq!(bits(&own[..IDENTITY_BYTES - 1]), Err(Malformed::Truncated));
        let mut identity = [0; IDENTITY_BYTES];
        assert_eq!(bits(&identity), Err(Malformed::NotElf));
        identity[..4].copy_from_slice(b"\x7fELF");
        assert_eq!(bits(&identity), Err(Malformed::Unknown), "no valid width");
        identity[4] = 1;
        assert_eq!(bits(&identity), Ok(32));
    }

    /// Bytes need not be aligned as the fields of a header are.
    #[test]
    fn headers_are_read_at_any_alignment() {
        let own = own();
        let mut moved = vec![0];
        moved.extend_from_slice(&own);
        assert_eq!(parse(&moved[1..]), parse(&own));
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..512),
            wide in 1..=2_u8,
            order in 1..=2_u8,
            length in 0..4096_usize,
            changes in prop::collection::vec((0..512_usize, any::<u8>()), 0..8),
        ) {
            let _ = (parse(&bytes), bits(&bytes));
            // Once after a valid ELF identity, once as a corrupted and truncated file.
            let identity = [&b"\x7fELF"[..], &[wide, order, 1], &[0; 9], &bytes].concat();
            prop_assert_ne!(parse(&identity), Err(Malformed::NotElf));
            let mut spoilt = own();
            for (at, value) in changes {
                spoilt[at] = value;
            }
            spoilt.truncate(length);
            if let Ok(headers) = parse(&spoilt) {
                prop_assert!(headers.segments.len() * 32 <= spoilt.len(), "32 bytes a header");
            }
        }
    }
}
