//! What took most of the time that a step spent in the kernel, in bounded memory.

use events::Call;

use crate::allocations::rest::RestKind;

/// The payers of a step that are kept. What is kept of one is too little by at most a ninth of the
/// time of all (Misra and Gries, Finding repeated elements, 1982).
const KEPT: usize = 8;

/// With so many the least go: not with each that is new.
const FULL: usize = 2 * KEPT;

/// What takes time in the kernel. A site is its number in the account; without one, the call that
/// asked has no stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KernelPayer {
    /// Faults on blocks of a site.
    Blocks(Option<usize>),
    /// Faults inside calls of a site, on none of its blocks.
    Calls(Option<usize>),
    /// Faults that concern no block and no call.
    Rest(RestKind),
    /// Syscalls that return pages for whose touch a site had paid.
    Returns(Call, Option<usize>),
    /// Other syscalls inside calls of a site, or of the blocks that they give back.
    SyscallsOf(Call, Option<usize>),
    /// Other syscalls in no call that was timed: of the program itself, or of a free.
    Syscalls(Call),
}

/// A payer, and the time that it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KernelCost {
    /// The payer.
    pub payer: KernelPayer,
    /// Its time, in nanoseconds.
    pub ns: u64,
}

/// The largest payers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Payers(Vec<KernelCost>);

impl Payers {
    /// `payer` took so long.
    pub(super) fn pay(&mut self, payer: KernelPayer, ns: u64) {
        if ns == 0 {
            return;
        }
        if let Some(known) = self.0.iter_mut().find(|known| known.payer == payer) {
            known.ns = known.ns.saturating_add(ns);
        } else {
            self.0.push(KernelCost { payer, ns });
            if self.0.len() >= FULL {
                self.drop_least();
            }
        }
    }

    /// Adds those of another time.
    pub(super) fn join(&mut self, others: &Payers) {
        for other in &others.0 {
            match self.0.iter_mut().find(|known| known.payer == other.payer) {
                Some(known) => known.ns = known.ns.saturating_add(other.ns),
                None => self.0.push(*other),
            }
        }
        self.drop_least();
    }

    /// That with the most time.
    pub(super) fn first(&self) -> Option<KernelCost> {
        // Of two with the same time always the same one.
        self.0.iter().max_by_key(|cost| (cost.ns, std::cmp::Reverse(cost.payer))).copied()
    }

    /// If there are too many, takes from each what the largest of those that go have.
    fn drop_least(&mut self) {
        if self.0.len() <= KEPT {
            return;
        }
        self.0.sort_unstable_by_key(|cost| std::cmp::Reverse(cost.ns));
        let least_ns = self.0[KEPT].ns;
        self.0.truncate(KEPT);
        self.0.iter_mut().for_each(|cost| cost.ns -= least_ns);
        self.0.retain(|cost| cost.ns > 0);
    }
}
