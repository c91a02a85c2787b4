//! What the thread that reads allocation calls is asked to do, and its answer.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What it is asked.
#[derive(Debug, Clone, Default)]
pub(super) struct Requests(Arc<(Mutex<State>, Condvar)>);

#[derive(Debug, Default)]
struct State {
    asked: Asked,
    /// The turn that programs were told about last.
    told: u64,
    is_over: bool,
}

/// What is asked at a moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// Programs write nothing more.
    quiet: bool,
    /// Programs write nothing for now.
    paused: bool,
    /// The thread ends.
    pub(super) ends: bool,
    /// The number of changes of `paused`.
    turn: u64,
}

impl Asked {
    /// Whether programs write nothing.
    pub(super) fn is_quiet(self) -> bool {
        self.quiet || self.paused || self.ends
    }
}

impl Requests {
    /// None yet, but perhaps a pause.
    pub(super) fn new(paused: bool) -> Requests {
        let requests = Requests::default();
        requests.state().asked.paused = paused;
        requests
    }

    /// Programs are to write nothing more.
    pub(super) fn be_quiet(&self) {
        self.state().asked.quiet = true;
    }

    /// Programs are to write nothing, or to write again. Waits until they have been told.
    pub(super) fn pause(&self, paused: bool) {
        let mut state = self.state();
        state.asked.paused = paused;
        state.asked.turn += 1;
        let turn = state.asked.turn;
        self.changed().notify_all();
        let waits = |state: &mut State| !state.is_over && state.told < turn;
        drop(self.changed().wait_while(state, waits).unwrap_or_else(PoisonError::into_inner));
    }

    /// The thread is to end.
    pub(super) fn end(&self) {
        self.state().asked.ends = true;
        self.changed().notify_all();
    }

    /// What is asked now.
    pub(super) fn now(&self) -> Asked {
        self.state().asked
    }

    /// Programs have been told what was `asked`.
    pub(super) fn told(&self, asked: Asked) {
        let mut state = self.state();
        if state.told != asked.turn {
            state.told = asked.turn;
            self.changed().notify_all();
        }
    }

    /// Waits for `time`, or until something else is asked than `asked`.
    pub(super) fn wait(&self, time: Duration, asked: Asked) {
        let state = self.state();
        let waits = |state: &mut State| state.asked == asked;
        drop(self.changed().wait_timeout_while(state, time, waits));
    }

    /// While the result exists, there is somebody to answer.
    pub(super) fn answering(&self) -> Answering {
        Answering(self.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) -> &Condvar {
        &self.0.1
    }
}

/// The thread runs.
pub(super) struct Answering(Requests);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.state().is_over = true;
        self.0.changed().notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_asked_for_until_programs_know() {
        let requests = Requests::new(true);
        let first = requests.now();
        assert!(first.is_quiet() && !first.ends);
        let thread = std::thread::spawn({
            let requests = requests.clone();
            let answering = requests.answering();
            move || {
                let mut seen = Vec::new();
                loop {
                    let asked = requests.now();
                    seen.push(asked.is_quiet());
                    requests.told(asked);
                    if asked.ends {
                        drop(answering);
                        seen.dedup();
                        return seen;
                    }
                    requests.wait(Duration::from_mins(1), asked);
                }
            }
        });
        requests.pause(false);
        requests.pause(true);
        requests.pause(false);
        requests.end();
        // Whether it has seen the first pause, too, depends on when it began.
        let seen = thread.join().unwrap();
        assert!(seen.ends_with(&[false, true, false, true]), "{seen:?}");
        // Nobody answers any more, and nobody waits.
        requests.pause(true);
    }
}
