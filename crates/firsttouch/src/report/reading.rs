//! How far the reading of a large recording is: on standard error, on a terminal only, and erased
//! at the end.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// What is done before this has no progress.
const SHOWN_AFTER: Duration = Duration::from_millis(500);

/// The progress line of a report.
pub(super) struct ReadingBar {
    bar: ProgressBar,
    began: Instant,
    is_shown: bool,
}

impl ReadingBar {
    /// That of a recording with so many events.
    pub(super) fn new(events: u64) -> ReadingBar {
        let bar = ProgressBar::with_draw_target(Some(events), ProgressDrawTarget::hidden());
        bar.set_style(
            ProgressStyle::with_template("{bar:14} {percent} % of {human_len} events{msg}")
                .expect("a valid template")
                .progress_chars("=> "),
        );
        ReadingBar { bar, began: Instant::now(), is_shown: false }
    }

    /// So many more events were read.
    pub(super) fn read(&mut self, events: usize) {
        if !self.is_shown && self.began.elapsed() > SHOWN_AFTER {
            self.is_shown = true;
            if std::io::stderr().is_terminal() {
                self.bar.set_draw_target(ProgressDrawTarget::stderr());
            }
        }
        self.bar.inc(events as u64);
    }

    /// All were read; code gets its names now.
    pub(super) fn naming(&self) {
        self.bar.set_message(", finding names");
    }
}

impl Drop for ReadingBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
