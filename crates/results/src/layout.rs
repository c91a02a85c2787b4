//! What `firsttouch layout --json` writes, `firsttouch.layout/1`, as types. docs/layout.md explains
//! it.

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The schema that this version writes.
pub const SCHEMA: &str = "firsttouch.layout/1";

/// The address space of a program, in one or several runs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Layout {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of the program that wrote it.
    pub version: String,
    /// The program.
    pub program: ProgramFile,
    /// The kernel's settings for address randomisation.
    pub kernel: Kernel,
    /// Every run, in the order of start.
    pub runs: Vec<LayoutRun>,
    /// Summary of all runs; if some ran without ASLR, of those with it.
    pub summary: LayoutSummary,
    /// Summary of the runs without ASLR, if there are also runs with it.
    #[serde(default)]
    pub summary_without_aslr: Option<LayoutSummary>,
    /// Notes on these pictures.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// A program, described by its file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ProgramFile {
    /// The command; empty for a process that was already running.
    pub command: Vec<String>,
    /// The file that ran when the picture was taken.
    pub path: String,
    /// 32 or 64; like the following, `null` if the file could not be read.
    pub bits: Option<u8>,
    /// Position independent (ELF type `DYN`).
    pub position_independent: Option<bool>,
    /// Needs a dynamic linker.
    pub dynamic: Option<bool>,
}

/// The kernel's settings for address randomisation.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Kernel {
    /// `uname -r`.
    pub release: String,
    /// As `uname -m`.
    pub architecture: String,
    /// `kernel.randomize_va_space`.
    pub randomize_va_space: Option<u8>,
    /// Bits of randomness for this program, from its settings and source; `null` if unknown.
    pub configured_bits: Bits,
}

/// Bits per region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Bits {
    /// The program's first code.
    pub text: Option<u32>,
    /// The start of the heap. Of the configured bits: in addition to those of text.
    pub heap: Option<u32>,
    /// The end of the highest mapping below the stack.
    pub mmap: Option<u32>,
    /// The end of the stack.
    pub stack: Option<u32>,
    /// The kernel's code for user mode (vdso).
    pub vdso: Option<u32>,
    /// The gap between bss and heap.
    pub heap_gap: Option<u32>,
}

/// One picture.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LayoutRun {
    /// Whether ASLR was on; `null` if unknown.
    pub aslr: Option<bool>,
    /// The process.
    pub pid: u32,
    /// When the picture was taken.
    pub at: Moment,
    /// The mappings, by ascending address.
    pub regions: Vec<Region>,
    /// The peak of the resident size, from the kernel's counters; `null` if unknown.
    #[serde(default)]
    pub peak_resident_bytes: Option<u64>,
    /// What the mappings take besides resident memory, and their limits.
    #[serde(default)]
    pub cost: Cost,
    /// Start of the heap less the page-rounded end of the bss; `null` if the heap does not follow
    /// bss.
    pub heap_gap_bytes: Option<u64>,
    /// End of the bss, to the byte.
    pub bss_end: Option<Address>,
    /// The program break, rounded up to a page: the end of the heap.
    pub program_break: Option<Address>,
    /// Threads whose stack could not be identified.
    #[serde(default)]
    pub threads_unseen: u64,
}

/// What the mappings of a process take besides resident memory, and their limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cost {
    /// Page tables, which are in no resident set (`VmPTE`); like the following, `null` if unknown.
    pub page_tables_bytes: Option<u64>,
    /// Mappings that the kernel has committed memory for (`ac` of `VmFlags`).
    pub accounted_bytes: Option<u64>,
    /// The number of mappings.
    pub mappings: u64,
    /// Its limit (`vm.max_map_count`).
    pub mappings_max: Option<u64>,
    /// The size of all mappings (`VmSize`).
    pub address_space_bytes: Option<u64>,
    /// Its limit (`RLIMIT_AS`); `null` if there is none.
    pub address_space_max_bytes: Option<u64>,
    /// Memory that can still be committed on this machine; `null` where the kernel enforces no
    /// limit (`vm.overcommit_memory` other than 2).
    #[serde(default)]
    pub commit_left_bytes: Option<u64>,
}

/// When a picture was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// At exec: the program was just mapped.
    Exec,
    /// Right before exit.
    #[default]
    Exit,
    /// At a requested time.
    Time,
    /// At an interrupt by the user.
    Interrupted,
    /// While it ran.
    Running,
}

/// A range of addresses.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Region {
    /// The first address.
    pub start: Address,
    /// The address after the last.
    pub end: Address,
    /// `rwxp` or `rwxs`, with a hyphen for each missing permission.
    pub perms: String,
    /// The kind of region.
    pub kind: RegionKind,
    /// Its file or name.
    pub path: Option<String>,
    /// Resident bytes.
    pub resident_bytes: u64,
    /// Bytes mapped by huge pages.
    #[serde(default)]
    pub huge_bytes: u64,
    /// Where it is resident; `null` if not examined.
    #[serde(default)]
    pub parts: Option<Parts>,
}

/// A region in equal parts, the last of which may be shorter.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Parts {
    /// Size of a part.
    pub part_bytes: u64,
    /// Resident bytes of each part.
    pub resident_bytes: Vec<u64>,
}

/// The kind of a region.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum RegionKind {
    /// Code of the program.
    Text,
    /// Read-only data of the program.
    Rodata,
    /// Initialised data of the program (data).
    Data,
    /// Zero-initialised data of the program (bss).
    Bss,
    /// The heap of the program break.
    Heap,
    /// Anonymous memory.
    Mmap,
    /// The stack of the first thread.
    Stack,
    /// The stack of another thread, with its guard.
    ThreadStack,
    /// Probably a malloc arena of glibc.
    Arena,
    /// The kernel's code for user mode (vdso).
    Vdso,
    /// The kernel's data for it.
    Vvar,
    /// The vsyscall page of old programs.
    Vsyscall,
    /// A mapped file: a library or another.
    File,
    /// Another region that the kernel names.
    #[default]
    Other,
}

/// Summary of several runs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LayoutSummary {
    /// Number of runs.
    pub runs: u64,
    /// The gap between bss and heap.
    pub heap_gap_bytes: Gaps,
    /// Address bits that differ between runs: a lower bound of the random bits.
    pub varying_bits: Bits,
    /// The lowest and the highest address of each region.
    pub spans: Spans,
}

/// Gaps between bss and heap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Gaps {
    /// The smallest; `null` if there is none.
    pub min: Option<u64>,
    /// The median, the upper of two.
    pub median: Option<u64>,
    /// The largest.
    pub max: Option<u64>,
    /// Number of different gaps.
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
    /// The kernel's code for user mode (vdso).
    pub vdso: Option<(Address, Address)>,
}

/// An address. A string in the file, because many readers of JSON handle integers only up to 2^53.
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
        digits.map(Address).ok_or_else(|| D::Error::custom(format!("{text:?} is not an address")))
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
    /// Mapped bytes in total.
    #[must_use]
    pub fn mapped_bytes(&self) -> u64 {
        self.regions.iter().map(Region::bytes).sum()
    }

    /// Resident bytes in total.
    #[must_use]
    pub fn resident_bytes(&self) -> u64 {
        self.regions.iter().map(|region| region.resident_bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_a_layout() {
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
            concat!(
                r#"{"start":"0x1000","end":"0x3000","perms":"rw-p","kind":"thread-stack","#,
                r#""path":null,"resident_bytes":4096,"#
            ),
            concat!(
                r#""cost":{"page_tables_bytes":null,"accounted_bytes":null,"mappings":0,"#,
                r#""mappings_max":null,"address_space_bytes":null,"#,
                r#""address_space_max_bytes":null,"commit_left_bytes":null},"heap_gap_bytes":0,"#
            ),
            concat!(
                r#""summary":{"runs":0,"heap_gap_bytes":{"min":null,"median":null,"max":null,"#,
                r#""distinct":0},"varying_bits":{"text":null,"#
            ),
        ] {
            assert!(text.contains(expect), "{expect} in {text}");
        }
        assert_eq!(serde_json::from_str::<Layout>(&text).unwrap(), layout);
        assert!(serde_json::from_str::<Address>("\"12\"").is_err());
    }
}
