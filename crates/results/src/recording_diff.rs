//! What `firsttouch report --diff OLD.ft NEW.ft --json` writes, `firsttouch.recording-diff/1`, as
//! types: two recordings, call site by call site.

use serde::{Deserialize, Serialize};

use crate::diff::Difference;
use crate::recording::{RestMemory, SiteCosts};

/// The schema that this version writes.
pub const SCHEMA: &str = "firsttouch.recording-diff/1";

/// Two recordings against each other. Changes are new less old.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RecordingDiff {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of the program that wrote it.
    pub version: String,
    /// The older recording.
    pub old: DiffedRecording,
    /// The newer one.
    pub new: DiffedRecording,
    /// From the start of the old recording to that of the new one; `null` if either is not known.
    pub apart_ns: Option<i64>,
    /// Which cost of a site is compared: what both recordings have.
    pub compared: ComparedCost,
    /// Whether figures of sites are estimates in either recording.
    pub estimated: bool,
    /// A change smaller than this part of a site's cost does not matter.
    pub margin: f64,
    /// What differs between the conditions of the two.
    pub differences: Vec<Difference>,
    /// How call sites were matched.
    pub matching: CallerMatching,
    /// What one operation costs now, against what it did.
    pub prices: Vec<PriceChange>,
    /// Every call site (of `callers` in the reports), the largest change first.
    pub callers: Vec<CallerChange>,
    /// Those of them whose change is within the noise, together.
    pub noise: FoldedChanges,
    /// What the sites' estimates differ from the exact sum of all sites; zeros where they are
    /// exact.
    pub remainder: CostChange,
    /// All call sites together: the sum of `callers` and `remainder`.
    pub sites: CostChange,
    /// Faults of no site, by kinds of memory; empty where either recording has no faults.
    pub rest: Vec<RestChange>,
    /// Their sum.
    pub rest_total: CostChange,
    /// `sites` and `rest_total`.
    pub total: CostChange,
    /// What the program paid before its `main`, which is part of the sums above; `null` if either
    /// recording does not know it.
    pub start: Option<StartChange>,
}

/// A recording that is compared with another.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DiffedRecording {
    /// Its file, as the user named it.
    pub file: String,
    /// When it began: RFC 3339, UTC; `null` if it is not known (a report as JSON).
    pub started: Option<String>,
    /// The command; empty if it is not known.
    pub command: Vec<String>,
    /// From its start to the end of its last event.
    pub elapsed_ns: u64,
    /// The cost of all call sites that is compared.
    pub cost_ns: i64,
    /// The true cost as a part of the lifetimes of all threads; `null` if it is not known, or not
    /// compared.
    pub share: Option<f64>,
    /// The number of threads of all processes.
    pub threads: u64,
    /// Calls that ask for memory.
    pub calls: u64,
    /// All page faults; `null` if they were not seen.
    pub faults: Option<u64>,
    /// Records that were lost.
    pub lost: u64,
}

/// Which cost of a site is compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ComparedCost {
    /// The true cost: in the calls, at first touch, at release.
    #[default]
    True,
    /// The time of calls that ask for memory and give it back, page faults inside them included,
    /// since one of the recordings has no page faults.
    InCalls,
}

/// How call sites of the two recordings were matched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallerMatching {
    /// By function and line, or module.
    pub by_line: u64,
    /// By function and file: the line moved.
    pub by_file: u64,
    /// By function, of which both have one that is not matched otherwise.
    pub by_function: u64,
    /// By the functions of their stacks.
    pub by_stacks: u64,
    /// Sites of the old recording alone.
    pub gone: u64,
    /// Sites of the new recording alone.
    pub new: u64,
}

/// By what two rows are the same site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MatchedBy {
    /// Function and line, or module.
    Line,
    /// Function and file.
    File,
    /// Function.
    Function,
    /// The functions of all its stacks.
    Stacks,
}

/// What is paid for, one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PriceKind {
    /// A page fault.
    Fault,
    /// A call that asks for memory, without what follows.
    Call,
    /// A memory syscall inside such a call.
    Syscall,
    /// A call that gives a block back.
    Free,
    /// A byte that is returned to the kernel.
    Return,
}

/// The price of one operation in the new recording as a multiple of that in the old one, over all
/// matched sites.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PriceChange {
    /// The operation.
    pub of: PriceKind,
    /// The weighted median of new / old.
    pub ratio: f64,
    /// The sites (and, for faults, kinds of memory outside of blocks) that it is of.
    pub observations: u64,
    /// How the logarithm of the ratio scatters over sites with many operations, as a standard
    /// deviation; `null` if there are too few to know.
    pub scatter: Option<f64>,
    /// So many times the scatter, a change of a site with many operations is beyond the noise.
    pub limit: Option<f64>,
}

/// A cost in both recordings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostChange {
    /// The old cost.
    pub old_ns: i64,
    /// The new one.
    pub new_ns: i64,
    /// `new_ns` less `old_ns`.
    pub change_ns: i64,
}

impl CostChange {
    /// The change from one cost to another.
    #[must_use]
    pub fn of(old_ns: i64, new_ns: i64) -> Self {
        CostChange { old_ns, new_ns, change_ns: new_ns.saturating_sub(old_ns) }
    }

    /// The sum of several.
    pub fn sum(several: impl IntoIterator<Item = CostChange>) -> Self {
        several.into_iter().fold(CostChange::default(), |sum, one| CostChange {
            old_ns: sum.old_ns.saturating_add(one.old_ns),
            new_ns: sum.new_ns.saturating_add(one.new_ns),
            change_ns: sum.change_ns.saturating_add(one.change_ns),
        })
    }

    /// The larger of the two costs.
    #[must_use]
    pub fn larger_ns(self) -> i64 {
        self.old_ns.max(self.new_ns)
    }
}

/// A call site in both recordings, or in one of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallerChange {
    /// The function, as the new recording names it if it is there.
    pub function: String,
    /// Its line or module, likewise; `null` if unknown.
    pub at: Option<String>,
    /// Whether it maps memory itself.
    #[serde(default)]
    pub maps: bool,
    /// Where it was in the old recording, if that is another place.
    pub moved_from: Option<String>,
    /// By what it was matched; `null` if only one recording has it.
    pub matched_by: Option<MatchedBy>,
    /// Its old costs; `null` if it is new.
    pub old: Option<SiteCosts>,
    /// Its new ones; `null` if it is gone.
    pub new: Option<SiteCosts>,
    /// The cost that is compared.
    #[serde(flatten)]
    pub cost: CostChange,
    /// The part of the change that other counts make, at the old prices; of a site that is new or
    /// gone, all of it.
    pub by_counts_ns: i64,
    /// The part that other prices make, at the new counts. With `by_counts_ns` it is the change.
    pub by_price_ns: i64,
    /// Of `by_price_ns`, what the common change of prices makes.
    pub machine_ns: i64,
    /// How much the rest of `by_price_ns` can be by chance; `null` if that is not known.
    pub noise_ns: Option<i64>,
    /// The parts of the cost.
    pub parts: Vec<PartChange>,
    /// What the change is.
    pub verdict: ChangeVerdict,
    /// Why, where it is different.
    pub because: Option<ChangeCause>,
}

/// A part of the cost of a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartChange {
    /// The part.
    pub part: CostPart,
    /// How often it was paid for.
    pub old_count: u64,
    /// Now.
    pub new_count: u64,
    /// Its cost.
    #[serde(flatten)]
    pub cost: CostChange,
    /// The part of the change that the counts make.
    pub by_counts_ns: i64,
    /// The part that the price makes.
    pub by_price_ns: i64,
}

/// The parts of the cost of a site, and what is counted of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CostPart {
    /// The calls that ask for memory, without what has a part of its own.
    Calls,
    /// Memory syscalls inside these calls.
    Syscalls,
    /// Page faults inside these calls that are of no block.
    FaultsInside,
    /// Page faults on its blocks.
    FirstTouch,
    /// Blocks that were given back.
    Frees,
    /// Bytes that were returned to the kernel.
    Returned,
}

impl CostPart {
    /// What is paid for.
    #[must_use]
    pub fn price(self) -> PriceKind {
        match self {
            CostPart::Calls => PriceKind::Call,
            CostPart::Syscalls => PriceKind::Syscall,
            CostPart::FaultsInside | CostPart::FirstTouch => PriceKind::Fault,
            CostPart::Frees => PriceKind::Free,
            CostPart::Returned => PriceKind::Return,
        }
    }
}

/// What the change of a site is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeVerdict {
    /// Beyond the noise, and larger than the margin.
    Different,
    /// Smaller than the margin.
    #[default]
    Same,
    /// No larger than chance makes it.
    Noise,
    /// How much chance can make is not known: too few sites.
    Unclear,
}

/// Why a site is different.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeCause {
    /// Its counts are.
    Counts,
    /// Its counts are the same, the price of an operation is not.
    Price,
    /// Only the new recording has it.
    New,
    /// Only the old recording has it.
    Gone,
}

/// Call sites together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoldedChanges {
    /// How many.
    pub callers: u64,
    /// Their cost.
    #[serde(flatten)]
    pub cost: CostChange,
}

/// Faults of no site on one kind of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestChange {
    /// The kind of memory.
    pub kind: RestMemory,
    /// The faults, with a device and without.
    pub old_faults: u64,
    /// Now.
    pub new_faults: u64,
    /// Their time.
    #[serde(flatten)]
    pub cost: CostChange,
}

/// The faults before `main`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartChange {
    /// The faults.
    pub old_faults: u64,
    /// Now.
    pub new_faults: u64,
    /// Their time.
    #[serde(flatten)]
    pub cost: CostChange,
}

impl RecordingDiff {
    /// Whether the row is folded into `noise`.
    #[must_use]
    pub fn is_noise(caller: &CallerChange) -> bool {
        matches!(caller.verdict, ChangeVerdict::Same | ChangeVerdict::Noise)
    }
}

#[cfg(test)]
mod tests;
