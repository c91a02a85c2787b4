//! What `firsttouch layout --json` writes, `firsttouch.layout/1`, as types. docs/layout.md explains
//! it.

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The schema that this version writes.
pub const SCHEMA: &str = "firsttouch.layout/1";

/// The address space of a program, seen once or in several runs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Layout {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of the program that wrote it.
    pub version: String,
    /// What was run, or whose picture it is.
    pub program: ProgramFile,
    /// What the kernel is set to do with addresses.
    pub kernel: Kernel,
    /// Every run, in the order of their starts.
    pub runs: Vec<LayoutRun>,
    /// Of all runs, or, if some are with and some without ASLR, of those with it.
    pub summary: LayoutSummary,
    /// Of the runs without ASLR, where there are others beside them.
    #[serde(default)]
    pub summary_without_aslr: Option<LayoutSummary>,
    /// What the reader should know of these pictures.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// A program, as its file describes it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ProgramFile {
    /// The command, as it was given; empty of a process that was running.
    pub command: Vec<String>,
    /// The file that ran when the picture was taken.
    pub path: String,
    /// 32 or 64; `null` if its file could not be read, like the following.
    pub bits: Option<u8>,
    /// It can lie anywhere (ELF type `DYN`).
    pub position_independent: Option<bool>,
    /// It asks for a dynamic linker.
    pub dynamic: Option<bool>,
}

/// What the kernel is set to do with addresses.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Kernel {
    /// `uname -r`.
    pub release: String,
    /// As `uname -m`.
    pub architecture: String,
    /// `kernel.randomize_va_space`.
    pub randomize_va_space: Option<u8>,
    /// Bits of randomness for this program, by its settings and source; `null` where they are not
    /// known.
    pub configured_bits: Bits,
}

/// Bits per region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Bits {
    /// The program's first code.
    pub text: Option<u32>,
    /// The beginning of the heap. Of what is configured: beyond those of text.
    pub heap: Option<u32>,
    /// The end of the highest mapping below the stack.
    pub mmap: Option<u32>,
    /// The end of the stack.
    pub stack: Option<u32>,
    /// The kernel's code for the program.
    pub vdso: Option<u32>,
    /// The gap between bss and heap.
    pub heap_gap: Option<u32>,
}

/// One picture.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LayoutRun {
    /// The kernel placed what it could at random; `null` if that cannot be seen.
    pub aslr: Option<bool>,
    /// The process.
    pub pid: u32,
    /// When the picture was taken.
    pub at: Moment,
    /// What is mapped, by ascending address.
    pub regions: Vec<Region>,
    /// The most that was ever resident, as the kernel's counters have it; `null` if it does not
    /// say.
    #[serde(default)]
    pub peak_resident_bytes: Option<u64>,
    /// Start of the heap less the page-rounded end of the bss; `null` where they are no neighbours.
    pub heap_gap_bytes: Option<u64>,
    /// End of the bss, to the byte.
    pub bss_end: Option<Address>,
    /// The program break, rounded up to a page: the end of the heap.
    pub program_break: Option<Address>,
    /// Threads whose stack could not be told from other memory.
    #[serde(default)]
    pub threads_unseen: u64,
}

/// When a picture was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// The program had just been mapped.
    Exec,
    /// It was about to exit.
    #[default]
    Exit,
    /// At a time asked for.
    Time,
    /// When the user asked for the end.
    Interrupted,
    /// While it ran.
    Running,
}

/// A range of addresses.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Region {
    /// The first address.
    pub start: Address,
    /// The address behind the last.
    pub end: Address,
    /// `rwxp` or `rwxs`, with a hyphen for what is not allowed.
    pub perms: String,
    /// What it is.
    pub kind: RegionKind,
    /// Its file, or the name that somebody gave it.
    pub path: Option<String>,
    /// So much of it is resident.
    pub resident_bytes: u64,
    /// So much of it is mapped by huge pages.
    #[serde(default)]
    pub huge_bytes: u64,
    /// Where it is resident; `null` if that was not looked at.
    #[serde(default)]
    pub parts: Option<Parts>,
}

/// A region in equal parts, the last of which may be shorter.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Parts {
    /// Size of a part.
    pub part_bytes: u64,
    /// So much of each is resident.
    pub resident_bytes: Vec<u64>,
}

/// What a region is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum RegionKind {
    /// Code of the program.
    Text,
    /// Constants and tables of the program.
    Rodata,
    /// Variables of the program that come from its file.
    Data,
    /// Variables of the program that begin as zero.
    Bss,
    /// What the program break has.
    Heap,
    /// Anonymous memory.
    Mmap,
    /// The stack of the first thread.
    Stack,
    /// The stack of another thread, with its guard.
    ThreadStack,
    /// What looks like a malloc arena of glibc's.
    Arena,
    /// The kernel's code for the program.
    Vdso,
    /// The kernel's data for it.
    Vvar,
    /// A page that old programs jump to.
    Vsyscall,
    /// A file that is mapped: a library, or another.
    File,
    /// Something else that the kernel has named.
    #[default]
    Other,
}

/// Of several runs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LayoutSummary {
    /// How many.
    pub runs: u64,
    /// The gap between bss and heap.
    pub heap_gap_bytes: Gaps,
    /// Bits of addresses that were not the same in all runs: no more than are random, as far as
    /// these runs show.
    pub varying_bits: Bits,
    /// Where each region lay, lowest and highest.
    pub spans: Spans,
}

/// Gaps between bss and heap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Gaps {
    /// The smallest; `null` if there was none to measure.
    pub min: Option<u64>,
    /// The one in the middle, the upper of two.
    pub median: Option<u64>,
    /// The largest.
    pub max: Option<u64>,
    /// How many different ones.
    pub distinct: u64,
}

/// Lowest and highest addresses, of the ends that [`Bits`] names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Spans {
    /// The program's first code.
    pub text: Option<(Address, Address)>,
    /// The beginning of the heap.
    pub heap: Option<(Address, Address)>,
    /// The end of the highest mapping below the stack.
    pub mmap: Option<(Address, Address)>,
    /// The end of the stack.
    pub stack: Option<(Address, Address)>,
    /// The kernel's code for the program.
    pub vdso: Option<(Address, Address)>,
}

/// An address; in the file a string, since JSON's numbers end at 2^53 for many readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Address(pub u64);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:#x}", self.0))
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits =
            text.strip_prefix("0x").and_then(|digits| u64::from_str_radix(digits, 16).ok());
        digits.map(Address).ok_or_else(|| D::Error::custom(format!("{text:?} is no address")))
    }
}

impl Region {
    /// Its size.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.end.0.saturating_sub(self.start.0)
    }
}

impl LayoutRun {
    /// All that is mapped.
    #[must_use]
    pub fn mapped_bytes(&self) -> u64 {
        self.regions.iter().map(Region::bytes).sum()
    }

    /// All that is resident.
    #[must_use]
    pub fn resident_bytes(&self) -> u64 {
        self.regions.iter().map(|region| region.resident_bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_are_those_of_the_contract() {
        let heap = Region {
            start: Address(0x1000),
            end: Address(0x3000),
            perms: "rw-p".to_owned(),
            kind: RegionKind::ThreadStack,
            resident_bytes: 4096,
            ..Region::default()
        };
        let run = LayoutRun {
            aslr: Some(true),
            regions: vec![heap],
            heap_gap_bytes: Some(0),
            ..LayoutRun::default()
        };
        let layout = Layout { schema: SCHEMA.to_owned(), runs: vec![run], ..Layout::default() };
        let text = serde_json::to_string(&layout).unwrap();
        for expect in [
            r#""schema":"firsttouch.layout/1""#,
            r#"{"start":"0x1000","end":"0x3000","perms":"rw-p","kind":"thread-stack","path":null,"resident_bytes":4096,"#,
            r#""heap_gap_bytes":0,"#,
            r#""summary":{"runs":0,"heap_gap_bytes":{"min":null,"median":null,"max":null,"distinct":0},"varying_bits":{"text":null,"#,
        ] {
            assert!(text.contains(expect), "{expect} in {text}");
        }
        assert_eq!(serde_json::from_str::<Layout>(&text).unwrap(), layout);
        assert!(serde_json::from_str::<Address>("\"12\"").is_err());
    }
}
