//! Times off the processor, as chunks: a program that does nothing but wait must not get a chunk
//! each time that its sources are read.

use std::time::{Duration, Instant};

use events::{Batch, Event, EventKind};
use recording::encode_batch;

use super::file::ChunkSender;

/// So many fill a chunk.
const FULL: usize = 4096;
/// The longest that one waits: a recorder that is killed loses those that wait.
const PATIENCE: Duration = Duration::from_secs(1);

/// Absences that were not handed over yet.
#[derive(Debug, Default)]
pub(super) struct WaitingAbsences {
    waiting: Batch,
    since: Option<Instant>,
}

impl WaitingAbsences {
    /// Takes the absences out of `events`, and hands over what has waited long enough.
    pub(super) fn take_from(&mut self, events: &mut Vec<Event>, sender: &ChunkSender) {
        let is_absence = |event: &mut Event| matches!(event.kind, EventKind::Absence(_));
        self.waiting.events.extend(events.extract_if(.., is_absence));
        if self.waiting.events.is_empty() {
            return;
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        if self.waiting.events.len() >= FULL || since.elapsed() >= PATIENCE {
            self.hand_over(sender);
        }
    }

    /// Hands over all.
    pub(super) fn hand_over(&mut self, sender: &ChunkSender) {
        if !self.waiting.events.is_empty() {
            sender.send(encode_batch(&self.waiting));
            self.waiting.events.clear();
        }
        self.since = None;
    }
}
