//! What the mappings of a recorded program took beside resident memory, `mapping` of a report.

use serde::{Deserialize, Serialize};

/// What mappings took: the kernel's own tables, what it committed, how many mappings, how many
/// addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappingCosts {
    /// The most of each figure that one process had.
    pub peak: MappingMost,
    /// The figures of the first process when it ended, or the recording did.
    pub end: MappingFigures,
    /// The limits on the machine that recorded.
    pub limits: MappingLimits,
    /// The call sites that held addresses at these peaks, by bytes.
    pub by_site: Vec<MappingOfSite>,
    /// What was held at them by no site, by bytes. With `by_site` it adds up to the peaks.
    pub rest: Vec<MappingRestRow>,
    /// Processes whose mappings are not known: they made syscalls in 32-bit mode.
    pub hidden_processes: u64,
}

/// Figures of a process. What is not known is `null`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappingFigures {
    /// Page tables (`VmPTE`), as far as they follow from the faults that were seen.
    pub page_tables_bytes: Option<u64>,
    /// Mappings that the kernel had committed memory for.
    pub accounted_bytes: Option<u64>,
    /// The number of mappings.
    pub mappings: Option<u64>,
    /// The sizes of all mappings (`VmSize`).
    pub address_space_bytes: Option<u64>,
    /// Pages that had been touched and not been given back.
    pub touched_bytes: Option<u64>,
}

/// The most of each figure, each at its own time and of the process that had it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappingMost {
    /// The figures.
    #[serde(flatten)]
    pub figures: MappingFigures,
    /// When each was reached.
    pub at: MappingTimes,
    /// By which process.
    pub process: MappingProcesses,
}

/// When the most of each figure was reached, since the start of the recording.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappingTimes {
    /// Of page tables.
    pub page_tables_ns: Option<u64>,
    /// Of accounted memory.
    pub accounted_ns: Option<u64>,
    /// Of the number of mappings.
    pub mappings_ns: Option<u64>,
    /// Of their sizes.
    pub address_space_ns: Option<u64>,
    /// Of touched pages.
    pub touched_ns: Option<u64>,
}

/// The processes that had the most of each figure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappingProcesses {
    /// Of page tables.
    pub page_tables: Option<u32>,
    /// Of accounted memory.
    pub accounted: Option<u32>,
    /// Of the number of mappings.
    pub mappings: Option<u32>,
    /// Of their sizes.
    pub address_space: Option<u32>,
    /// Of touched pages.
    pub touched: Option<u32>,
}

/// The limits of a process. `null`: there is none, or it is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappingLimits {
    /// Of the number of mappings (`vm.max_map_count`).
    pub mappings_max: Option<u64>,
    /// Of their sizes (`RLIMIT_AS`).
    pub address_space_max_bytes: Option<u64>,
    /// Whether the kernel refuses to commit more than it has (`vm.overcommit_memory`: 0 by a
    /// heuristic, 1 never, 2 always).
    pub overcommit_memory: Option<u8>,
}

/// What a call site held: its own addresses at `peak.address_space_bytes`, and likewise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappingOfSite {
    /// The site, as an index of `sites`.
    pub site: usize,
    /// What it held.
    #[serde(flatten)]
    pub held: MappingHeld,
}

/// What was held by no known site.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappingRestRow {
    /// What it is.
    pub kind: MappingRestKind,
    /// How much it was.
    #[serde(flatten)]
    pub held: MappingHeld,
}

/// Parts of the peaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappingHeld {
    /// Of `peak.address_space_bytes`.
    pub bytes: u64,
    /// Of `peak.mappings`. A mapping belongs to the site that reserved its first byte.
    pub mappings: u64,
    /// Of `peak.accounted_bytes`.
    pub accounted_bytes: u64,
}

/// Mappings of no known site.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum MappingRestKind {
    /// Memory that the program mapped outside of allocation calls. Its functions are not known.
    Program,
    /// Programs and libraries with their data, and other files.
    Files,
    /// The stack of the first thread.
    Stack,
    /// The kernel's, and what is not known.
    #[default]
    Other,
}

/// Page tables of this size matter, and those of a part of touched memory.
const LARGE_TABLES: (u64, f64) = (16 << 20, 0.02);
/// From this part of a limit on it matters.
const NEAR: f64 = 0.5;
/// A site that held this part of a figure is named.
const MUCH: f64 = 0.25;
/// Accounted memory matters from so much on, and from this multiple of what was touched.
const LARGE_ACCOUNTED: (u64, f64) = (64 << 20, 4.0);

impl MappingCosts {
    /// Whether page tables are large, by themselves or beside touched memory.
    #[must_use]
    pub fn has_large_tables(&self) -> bool {
        let figures = self.peak.figures;
        let Some(tables) = figures.page_tables_bytes else { return false };
        let touched = figures.touched_bytes.unwrap_or(u64::MAX);
        // The tables of any program take some tens of KiB.
        let beside = tables >= LARGE_TABLES.0 / 16 && is_part(tables, touched, LARGE_TABLES.1);
        tables >= LARGE_TABLES.0 || beside
    }

    /// Whether the number of mappings came near its limit.
    #[must_use]
    pub fn has_many_mappings(&self) -> bool {
        let most = self.peak.figures.mappings.zip(self.limits.mappings_max);
        most.is_some_and(|(mappings, limit)| is_part(mappings, limit, NEAR))
    }

    /// Whether the address space came near its limit.
    #[must_use]
    pub fn has_large_address_space(&self) -> bool {
        let most = self.peak.figures.address_space_bytes.zip(self.limits.address_space_max_bytes);
        most.is_some_and(|(bytes, limit)| is_part(bytes, limit, NEAR))
    }

    /// Whether much more memory was committed than touched.
    #[must_use]
    pub fn has_idle_commitment(&self) -> bool {
        let figures = self.peak.figures;
        figures.accounted_bytes.zip(figures.touched_bytes).is_some_and(|(accounted, touched)| {
            accounted >= LARGE_ACCOUNTED.0 && is_part(accounted, touched, LARGE_ACCOUNTED.1)
        })
    }

    /// The site that held most addresses, and how many bytes, if that was much of all.
    #[must_use]
    pub fn main_site_by_bytes(&self) -> Option<(usize, u64)> {
        self.main_site(self.peak.figures.address_space_bytes, |held| held.bytes)
    }

    /// Likewise of accounted memory.
    #[must_use]
    pub fn main_site_by_accounted(&self) -> Option<(usize, u64)> {
        self.main_site(self.peak.figures.accounted_bytes, |held| held.accounted_bytes)
    }

    /// Likewise of mappings.
    #[must_use]
    pub fn main_site_by_mappings(&self) -> Option<(usize, u64)> {
        self.main_site(self.peak.figures.mappings, |held| held.mappings)
    }

    /// The addresses that call sites held.
    #[must_use]
    pub fn bytes_of_sites(&self) -> u64 {
        self.by_site.iter().map(|row| row.held.bytes).fold(0, u64::saturating_add)
    }

    fn main_site(
        &self,
        all: Option<u64>,
        figure: impl Fn(&MappingHeld) -> u64,
    ) -> Option<(usize, u64)> {
        let held = self.by_site.iter().map(|row| (row.site, figure(&row.held)));
        let most = held.max_by_key(|(site, held)| (*held, std::cmp::Reverse(*site)))?;
        is_part(most.1, all?, MUCH).then_some(most)
    }
}

fn is_part(value: u64, whole: u64, part: f64) -> bool {
    value as f64 >= part * whole as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn costs(figures: MappingFigures, limits: MappingLimits) -> MappingCosts {
        let peak = MappingMost { figures, ..MappingMost::default() };
        MappingCosts { peak, limits, ..MappingCosts::default() }
    }

    #[test]
    fn what_matters_is_near_a_limit_or_much_beside_touched_memory() {
        let limits = MappingLimits {
            mappings_max: Some(1000),
            address_space_max_bytes: Some(1 << 30),
            overcommit_memory: Some(0),
        };
        let figures = |tables: u64, accounted: u64, mappings: u64, bytes: u64| MappingFigures {
            page_tables_bytes: Some(tables),
            accounted_bytes: Some(accounted),
            mappings: Some(mappings),
            address_space_bytes: Some(bytes),
            touched_bytes: Some(64 << 20),
        };
        for (case, expected) in [
            (figures(100 << 10, 64 << 20, 499, 1 << 28), [false; 4]),
            (figures(2 << 20, 256 << 20, 500, 1 << 29), [true; 4]),
            (figures(16 << 20, 0, 0, 0), [true, false, false, false]),
        ] {
            let costs = costs(case, limits);
            let found = [
                costs.has_large_tables(),
                costs.has_idle_commitment(),
                costs.has_many_mappings(),
                costs.has_large_address_space(),
            ];
            assert_eq!(found, expected, "{case:?}");
            let unknown = self::costs(MappingFigures::default(), limits);
            assert!(!unknown.has_large_tables() && !unknown.has_many_mappings());
        }
    }

    #[test]
    fn a_site_is_named_that_held_much() {
        let figures = MappingFigures { mappings: Some(100), ..MappingFigures::default() };
        let row = |site, mappings| MappingOfSite {
            site,
            held: MappingHeld { mappings, ..MappingHeld::default() },
        };
        let some = costs(figures, MappingLimits::default());
        let by_site = vec![row(3, 24), row(1, 60)];
        let many = MappingCosts { by_site, ..some.clone() };
        assert_eq!(many.main_site_by_mappings(), Some((1, 60)));
        assert_eq!(many.main_site_by_bytes(), None);
        let few = MappingCosts { by_site: vec![row(3, 24)], ..some };
        assert_eq!(few.main_site_by_mappings(), None);
    }
}
