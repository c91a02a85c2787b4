//! What the machine of a recording allows a process to map, and how it accounts for that.

use crate::bytes::{Cursor, Malformed, put_option};

/// What a machine allows, and how it accounts for mappings. `None`: not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MappingRules {
    /// The most mappings of a process (`vm.max_map_count`).
    pub mappings_max: Option<u64>,
    /// The most bytes of addresses of the program (`RLIMIT_AS`). `None`: unlimited, or not known.
    pub address_space_max_bytes: Option<u64>,
    /// `vm.overcommit_memory`.
    pub overcommit_memory: Option<u8>,
    /// Whether `MADV_DONTNEED` of all pages of a page table frees it.
    pub frees_empty_tables: Option<bool>,
}

impl MappingRules {
    /// Appends them to a column.
    pub(crate) fn encode(self, column: &mut Vec<u8>) {
        for option in [
            self.mappings_max,
            self.address_space_max_bytes,
            self.overcommit_memory.map(u64::from),
            self.frees_empty_tables.map(u64::from),
        ] {
            put_option(column, option);
        }
    }

    /// Reads them; a file may end before any of them.
    pub(crate) fn decode(column: &[u8], cursor: &mut Cursor) -> Result<MappingRules, Malformed> {
        let mut next =
            || if cursor.at() < column.len() { cursor.take_option(column) } else { Ok(None) };
        Ok(MappingRules {
            mappings_max: next()?,
            address_space_max_bytes: next()?,
            overcommit_memory: next()?.and_then(|mode| u8::try_from(mode).ok()),
            frees_empty_tables: next()?.map(|number| number != 0),
        })
    }
}
