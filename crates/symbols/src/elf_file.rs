//! What the headers and sections of an ELF file say about its names.

use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use object::read::{CompressionFormat, Object, ObjectSection, ObjectSegment, ReadCache};

/// Why a file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is not there.
    Missing,
    /// It cannot be read, for this reason.
    Unreadable(String),
}

/// The kind of debug information in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DebugInfo {
    /// There is none.
    None,
    /// All of it is in the file.
    Whole,
    /// Compressed in a way that this program cannot read.
    Compressed,
    /// A part is in files that the compiler wrote (`-gsplit-dwarf`).
    Split,
}

/// A part of the file that is mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    offset_bytes: u64,
    file_bytes: u64,
    address: u64,
}

/// What is known of an ELF file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ElfFile {
    /// The build that it is, if it says so.
    pub(crate) build_id: Option<Vec<u8>>,
    /// The name of its debug file, and the checksum of that.
    pub(crate) debug_link: Option<(OsString, u32)>,
    /// The file with the debug information that it shares with others (dwz(1)).
    pub(crate) shared_link: Option<OsString>,
    /// Its own debug information.
    pub(crate) debug_info: DebugInfo,
    /// Whether it has all symbols, not only those that it exports.
    pub(crate) has_symbols: bool,
    /// The parts that are mapped.
    pub(crate) segments: Vec<Segment>,
}

impl ElfFile {
    /// Reads the file at `path`. A recording comes from anywhere, so what is not a regular file is
    /// not opened: this program must not wait for a pipe.
    pub(crate) fn read(path: &Path) -> Result<ElfFile, Refusal> {
        if !path.is_absolute() {
            return Err(Refusal::Missing);
        }
        let metadata = std::fs::metadata(path).map_err(|error| refusal(&error))?;
        check(&metadata)?;
        let file = File::open(path).map_err(|error| refusal(&error))?;
        // It may have been replaced meanwhile.
        check(&file.metadata().map_err(|error| refusal(&error))?)?;
        let cache = ReadCache::new(file);
        let object = object::File::parse(&cache);
        let object = object.map_err(|_| Refusal::Unreadable("it is not an ELF file".to_owned()))?;
        let malformed = |_| Refusal::Unreadable("it is malformed".to_owned());
        let segment = |segment: object::Segment<'_, '_, _>| {
            let (offset_bytes, file_bytes) = segment.file_range();
            Segment { offset_bytes, file_bytes, address: segment.address() }
        };
        let text = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
        Ok(ElfFile {
            build_id: object.build_id().map_err(malformed)?.map(<[u8]>::to_vec),
            debug_link: object.gnu_debuglink().ok().flatten().map(|(name, sum)| (text(name), sum)),
            shared_link: object.gnu_debugaltlink().ok().flatten().map(|(name, _)| text(name)),
            debug_info: debug_info(&object),
            has_symbols: has_contents(&object, ".symtab"),
            segments: object.segments().map(segment).collect(),
        })
    }

    /// A file that says nothing.
    #[cfg(test)]
    pub(crate) fn empty() -> ElfFile {
        ElfFile {
            build_id: None,
            debug_link: None,
            shared_link: None,
            debug_info: DebugInfo::None,
            has_symbols: false,
            segments: Vec::new(),
        }
    }

    /// The address of what is at an offset in the file, as the file was linked.
    pub(crate) fn address(&self, offset_bytes: u64) -> Option<u64> {
        self.segments.iter().find_map(|segment| {
            let inside = offset_bytes.checked_sub(segment.offset_bytes)?;
            (inside < segment.file_bytes).then(|| segment.address.wrapping_add(inside))
        })
    }
}

/// The checksum of a debug link: the CRC-32 of the whole file, as gzip and zip have it.
pub(crate) fn checksum(path: &Path) -> Option<u32> {
    let mut file = File::open(path).ok()?;
    let mut part = vec![0; 1 << 16];
    let mut sum = !0_u32;
    loop {
        match file.read(&mut part) {
            Ok(0) => return Some(!sum),
            Ok(read) => sum = part[..read].iter().fold(sum, |sum, &byte| next_sum(sum, byte)),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}

fn next_sum(sum: u32, byte: u8) -> u32 {
    const POLYNOMIAL: u32 = 0xedb8_8320;
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let (mut at, mut first) = (0, 0_u32);
        while at < table.len() {
            let (mut entry, mut bit) = (first, 0);
            while bit < 8 {
                entry = if entry & 1 == 1 { entry >> 1 ^ POLYNOMIAL } else { entry >> 1 };
                bit += 1;
            }
            table[at] = entry;
            (at, first) = (at + 1, first + 1);
        }
        table
    };
    let [low, ..] = (sum ^ u32::from(byte)).to_le_bytes();
    TABLE[usize::from(low)] ^ sum >> 8
}

fn refusal(error: &std::io::Error) -> Refusal {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => Refusal::Missing,
        ErrorKind::PermissionDenied => Refusal::Unreadable("permission denied".to_owned()),
        _ => Refusal::Unreadable(error.to_string()),
    }
}

fn check(metadata: &Metadata) -> Result<(), Refusal> {
    let what = if metadata.is_file() {
        return Ok(());
    } else if metadata.is_dir() {
        "it is a directory"
    } else {
        "it is not a regular file"
    };
    Err(Refusal::Unreadable(what.to_owned()))
}

type Sections<'data> = object::File<'data, &'data ReadCache<File>>;

/// Whether the file has this section with its contents, which a file may leave to another.
fn has_contents(object: &Sections<'_>, name: &str) -> bool {
    let section = object.section_by_name(name);
    section.is_some_and(|section| section.file_range().is_some_and(|(_, bytes)| bytes > 0))
}

fn debug_info(object: &Sections<'_>) -> DebugInfo {
    let Some(section) = object.section_by_name(".debug_info") else { return DebugInfo::None };
    match section.compressed_file_range().map(|range| range.format) {
        _ if !has_contents(object, ".debug_info") => DebugInfo::None,
        Ok(CompressionFormat::None) if has_skeletons(&section) => DebugInfo::Split,
        Ok(CompressionFormat::None | CompressionFormat::Zlib) => DebugInfo::Whole,
        _ => DebugInfo::Compressed,
    }
}

/// Whether a unit of `.debug_info` says that the rest of it is elsewhere: DWARF 5, 7.5.1.2.
fn has_skeletons<'data>(section: &impl ObjectSection<'data>) -> bool {
    const SKELETON: u8 = 4;
    let mut at = section.address();
    let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
    loop {
        // Of the other byte order, the length is nonsense, and the walk ends.
        let Ok(Some(head)) = section.data_range(at, 15) else { return false };
        let (length, rest) = match number(&head[..4]) {
            0xffff_ffff => (number(&head[4..12]).saturating_add(12), &head[12..]),
            length => (length + 4, &head[4..]),
        };
        if number(&rest[..2]) == 5 && rest[2] == SKELETON {
            return true;
        }
        match at.checked_add(length) {
            Some(next) => at = next,
            None => return false,
        }
    }
}
