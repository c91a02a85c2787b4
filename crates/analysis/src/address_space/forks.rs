//! What fork(2) and vfork(2) make of an address space, and what the end of the child does.

use std::sync::Arc;

use super::recent::Recent;
use super::{AddressSpace, OtherFlags, Whose};

impl AddressSpace {
    /// The address space of a child that started at `time_ns`. Mappings made later belong to the
    /// parent only. The pages that both have now are a layer with this `number`; `is_elsewhere`
    /// says of a layer whether another process has it.
    pub(crate) fn fork(
        &mut self,
        time_ns: u64,
        number: u64,
        is_elsewhere: impl Fn(u64) -> bool,
    ) -> AddressSpace {
        self.settle(time_ns);
        self.forks += 1;
        self.new_since_fork = Arc::default();
        self.layers.fork(&self.inherited_on_fork, number, is_elsewhere);
        let shared_by_parent = std::mem::replace(&mut self.shared, self.inherited_on_fork.clone());
        AddressSpace {
            shared_by_parent,
            not_inherited: Arc::default(),
            recent: Recent::default(),
            told_of_faults: false,
            locks_new: OtherFlags::default(),
            was_there: false,
            under_way: Vec::new(),
            leaving: Vec::new(),
            whose: Whose::Parents,
            inherited_owners: self.regions.latest_owner,
            ..self.clone()
        }
    }

    /// A child that had this memory is gone from it. If it used it (vfork(2)) and the parent, which
    /// waited, has not forked since, the fork has made no page shared. If it cannot be known, no
    /// page counts as shared.
    pub(crate) fn end_fork(&mut self, child: &AddressSpace, parent_waited: bool) {
        if !child.has_copied() {
            self.shared = if parent_waited && child.forks == self.forks {
                child.shared_by_parent.clone()
            } else {
                Arc::default()
            };
        }
    }

    /// Takes over the changes of a vfork(2) child, which used this memory.
    pub(crate) fn take_back(&mut self, child: &AddressSpace) {
        let AddressSpace {
            regions,
            tables,
            inherited_on_fork,
            new_since_fork,
            read_first,
            written,
            large,
            layers,
            guards,
            under_way,
            break_at,
            ..
        } = child.clone();
        *self = AddressSpace {
            regions,
            tables,
            inherited_on_fork,
            new_since_fork,
            read_first,
            written,
            large,
            layers,
            guards,
            under_way,
            break_at,
            ..self.clone()
        };
    }

    /// Whether a page was, or may have been, copied for this process since it started. A child of
    /// fork(2) copies a page of its stack before it can do anything else; one of vfork(2) uses the
    /// memory of its parent, and copies only what the parent would copy too.
    pub(crate) fn has_copied(&self) -> bool {
        self.whose == Whose::Own
    }
}
