//! Which call site reserves addresses: a memory syscall inside an allocation call is made on behalf
//! of its site.

use events::{Event, EventKind};

use super::Ledger;

impl Ledger {
    /// The number of the site inside whose call a syscall was made. `None`: outside of calls, or
    /// the site is not known.
    pub(super) fn reserving(&mut self, event: &Event) -> Option<u32> {
        if !matches!(event.kind, EventKind::Syscall(_)) {
            return None;
        }
        let seat = self.processes.seat(event.thread, event.time_ns);
        let site = self.processes.call(seat, event.time_ns)?.payer?.site;
        site.index().and_then(|index| u32::try_from(index).ok())
    }
}
