//! Arenas and thresholds of glibc's malloc, as addresses and syscalls show them.

use serde::{Deserialize, Serialize};

/// An arena, or what is like one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArenaRow {
    /// The process; `null` of a sum.
    pub pid: Option<u32>,
    /// What it is.
    pub arena: ArenaMemory,
    /// The address of a thread's heap, `0x...`; else 0, which is written as `null`.
    #[serde(with = "address")]
    pub start: u64,
    /// The thread that got the first block there.
    pub first_tid: Option<u32>,
    /// Arenas that this row is a sum of: 1, unless there were too many.
    pub count: u64,
    /// Calls that were given blocks there.
    pub calls: u64,
    /// Their sizes.
    pub bytes: u64,
    /// Syscalls that made it larger or smaller: brk(2), mprotect(2) and madvise(2), or the mmap(2),
    /// mremap(2) and munmap(2) of blocks; `null` if syscalls were not seen.
    pub resizes: Option<u64>,
    /// Their time.
    pub resize_ns: Option<u64>,
}

/// What blocks come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArenaMemory {
    /// The heap that brk(2) grows.
    MainHeap,
    /// A heap of 64 MiB of an arena for threads.
    ThreadHeap,
    /// A mapping of its own for each block.
    OwnMapping,
    /// Other mappings, or not known.
    #[default]
    Other,
}

/// What is seen of the thresholds of a process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThresholdsRow {
    /// The process.
    pub pid: u32,
    /// The largest block that had no mapping of its own, of those of 16 KiB or more; 0: none.
    pub largest_from_arena_bytes: u64,
    /// The smallest block that had one.
    pub smallest_mapped_bytes: Option<u64>,
    /// The rises of the threshold from which on a block gets a mapping of its own, as glibc makes
    /// them by default: at the free of such a block, to the size of its mapping.
    pub moves: Vec<ThresholdMoveRow>,
    /// Rises that are not listed.
    pub more_moves: u64,
    /// Whether blocks show that the threshold did not move: they had mappings although they were
    /// smaller. A setting of any threshold keeps it where it is.
    pub is_fixed: bool,
}

/// A rise of the threshold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThresholdMoveRow {
    /// When, since the start of the recording.
    pub time_ns: u64,
    /// What it was.
    pub from_bytes: u64,
    /// What it is since then.
    pub to_bytes: u64,
    /// The site of the freed block, as an index of `sites`; `null` if it is not known.
    pub site: Option<usize>,
}

/// An address as text.
mod address {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
    pub(super) fn serialize<S: Serializer>(
        address: &u64,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match address {
            0 => serializer.serialize_none(),
            address => serializer.serialize_some(&format!("{address:#x}")),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(reader: D) -> Result<u64, D::Error> {
        let Some(text) = Option::<String>::deserialize(reader)? else { return Ok(0) };
        let digits = text.strip_prefix("0x").ok_or_else(|| D::Error::custom("no address"))?;
        u64::from_str_radix(digits, 16).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_text() {
        let row = ArenaRow { start: 0x7f00_0000_0000, ..ArenaRow::default() };
        let json = serde_json::to_value(row).expect("it is plain data");
        assert_eq!(json["start"], "0x7f0000000000");
        assert_eq!(serde_json::from_value::<ArenaRow>(json).expect("it reads it"), row);
        let none = serde_json::to_value(ArenaRow::default()).expect("it is plain data");
        assert_eq!(none["start"], serde_json::Value::Null);
        assert_eq!(serde_json::from_value::<ArenaRow>(none).expect("it reads it").start, 0);
    }
}
