//! The observed events, as chunks.

use std::sync::Arc;

use events::{Batch, Event, EventKind};
use recording::{Redaction, encode_batch};

use super::absences::WaitingAbsences;
use super::file::ChunkSender;
use super::pausing::Pauses;
use super::programs::Programs;
use super::requests::Requests;
use crate::observed::Consumer;

/// Makes chunks of the observed events, and hands them over.
pub(super) struct ObservedChunks {
    pub(super) sender: ChunkSender,
    pub(super) programs: Programs,
    pub(super) redaction: Option<Redaction>,
    /// The thread that reads allocation calls, if there is one.
    pub(super) calls: Option<Requests>,
    pub(super) pauses: Arc<Pauses>,
    /// The page faults that were handed over.
    pub(super) faults: u64,
    /// Times off the processor, which wait to fill a chunk.
    pub(super) absences: WaitingAbsences,
}

impl Consumer for ObservedChunks {
    fn take(&mut self, batch: &mut Batch) {
        self.programs.see(batch);
        self.pauses.drop_from(&mut batch.events, pausable_ns);
        let is_fault = |event: &&Event| matches!(event.kind, EventKind::Fault(_));
        self.faults += batch.events.iter().filter(is_fault).count() as u64;
        self.absences.take_from(&mut batch.events, &self.sender);
        if !batch.events.is_empty() || !batch.definitions.is_empty() {
            if let Some(redaction) = &mut self.redaction {
                redaction.batch(batch);
            }
            self.sender.send(encode_batch(batch));
            batch.events.clear();
            batch.definitions.clear();
        }
    }

    fn is_closed(&self) -> bool {
        self.sender.has_ended()
    }

    fn stops(&mut self) {
        if let Some(calls) = &self.calls {
            calls.be_quiet();
        }
    }
}

impl ObservedChunks {
    /// Hands over what waits: nothing more will come.
    pub(super) fn finished(mut self) -> ObservedChunks {
        self.absences.hand_over(&self.sender);
        self
    }
}

/// The time of an event that is not recorded in a pause. Mappings and lives are: what comes after
/// the pause is about them.
fn pausable_ns(event: &Event) -> Option<u64> {
    let is_pausable =
        matches!(event.kind, EventKind::Syscall(_) | EventKind::Fault(_) | EventKind::Absence(_));
    is_pausable.then_some(event.time_ns)
}
