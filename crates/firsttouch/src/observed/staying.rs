//! After the end of a recording: the program goes on, and this process stays to pass its status on.

use std::time::Duration;

use collect::{Asked, ObservedProcess};
use sys::interrupt::die_by;
use sys::process::WaitStatus;

use super::notice;
use super::signals::Signals;

/// The longest wait for the end before signals are looked for.
const PATIENCE: Duration = Duration::from_millis(100);

/// A program that is observed no longer, and may still run.
pub(crate) struct Left {
    pub(super) subject: ObservedProcess,
    pub(super) signals: Signals,
}

impl Left {
    /// What becomes of the program and of this process, in words; `None`: the program has ended,
    /// and so has everything that needs this process.
    pub(crate) fn prospect(&mut self) -> Option<String> {
        if self.subject.is_over_within(Duration::ZERO) {
            return None;
        }
        let (pid, has_ended) = (self.subject.pid(), self.subject.has_ended());
        let sentence = match (self.subject.is_held(), has_ended) {
            (true, true) => notice::DESCENDANTS_HELD.to_owned(),
            (true, false) => notice::goes_on_held(pid),
            (false, _) => notice::goes_on(pid),
        };
        Some(sentence)
    }

    /// Waits for the end of the program, to which signals are still passed on. SIGINT and SIGTERM
    /// end this process, at once, and leave the program alone; but not where the program needs the
    /// tracer. Returns how the program ended.
    pub(crate) fn stay(mut self, note: &dyn Fn(&str)) -> Option<WaitStatus> {
        let (mut warned, mut refused) = (false, false);
        while !self.is_over() {
            for sent in self.signals.due(&mut self.subject) {
                if !sent.is_for_observers() && !self.subject.has_ended() {
                    self.subject.pass_on(sent);
                } else if !self.subject.is_held() {
                    die_by(sent.signal());
                } else if !self.subject.has_ended() {
                    if !std::mem::replace(&mut refused, true) {
                        note(&notice::cannot_leave(self.subject.pid(), sent.signal()));
                    }
                } else if self.subject.ask_to_end(sent) == Asked::Descendants {
                    note(&notice::passed_on(sent.signal(), &mut warned));
                }
            }
            self.signals.follow_stop(&mut self.subject);
        }
        self.subject.wait()
    }

    fn is_over(&mut self) -> bool {
        let due_in = self.signals.due_in().unwrap_or(PATIENCE);
        self.subject.is_over_within(due_in.min(PATIENCE))
    }
}
