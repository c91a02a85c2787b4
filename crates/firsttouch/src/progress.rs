//! The progress line of a run: on standard error, on a terminal only, and erased at the end.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use lab::{BenchEvent, Progress};
use report::clean;

/// Shows the events of a run.
pub(crate) struct Watcher {
    bar: ProgressBar,
    quiet: bool,
    cap: Option<Duration>,
    /// The part that is being measured, where there are several.
    part: String,
}

impl Watcher {
    pub(crate) fn new(quiet: bool, cap: Option<Duration>) -> Self {
        let visible = !quiet && std::io::stderr().is_terminal();
        // No ticker: a thread that wakes up to draw would disturb the measurement.
        let target =
            if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(1), target);
        bar.set_style(
            ProgressStyle::with_template("{bar:14} {wide_msg}")
                .expect("a valid template")
                .progress_chars("=> "),
        );
        bar.set_message("starting");
        bar.tick();
        Watcher { bar, quiet, cap, part: String::new() }
    }

    pub(crate) fn see(&mut self, event: &BenchEvent) {
        match event {
            BenchEvent::Observing(arm) => {
                self.bar.set_message(format!("{}observing {}, untimed", self.part, clean(arm)));
            }
            BenchEvent::Trying(arm) => {
                self.bar.set_message(format!(
                    "trying {} once, untimed, to its end (none? see --load, --settle)",
                    clean(arm)
                ));
            }
            BenchEvent::Notice(text) if !self.quiet => {
                self.bar.suspend(|| crate::stream::say(&format!("note: {}", clean(text))));
            }
            BenchEvent::Notice(_) => {}
            BenchEvent::Progress(progress) => self.progress(progress),
            BenchEvent::Racing(left, of, block) => {
                self.bar.set_length(*of as u64);
                self.bar.set_position((*of - left) as u64);
                self.bar.set_message(format!("racing, {left} of {of} arms left, block {block}"));
            }
            BenchEvent::Bisecting(arm) => {
                self.bar.set_message(format!("searching for a crossover: {}", clean(arm)));
            }
            BenchEvent::ColdPair(pair, of) => {
                self.bar.set_length(*of as u64);
                self.bar.set_position(*pair as u64 - 1);
                self.bar.set_message(format!(
                    "{}letting memory go cold, pair {pair} of {of}, 7 s each",
                    self.part
                ));
            }
        }
        self.bar.tick();
    }

    /// A part of several begins.
    pub(crate) fn begin(&mut self, number: usize, of: usize, name: &str) {
        self.part = format!("{number} of {of}, {name}: ");
        self.bar.set_length(of as u64);
        self.bar.set_position(number as u64 - 1);
        self.bar.set_message(format!("{number} of {of}, {name}"));
        self.bar.tick();
    }

    fn progress(&mut self, progress: &Progress) {
        let Progress { kept, last, now, widest, .. } = *progress;
        let of = last.map(|last| format!(" of {last}")).unwrap_or_default();
        let left = last.filter(|_| kept > 0).map(|last| {
            let left = now.mul_f64((last - kept.min(last)) as f64 / kept as f64);
            let left = self.cap.map_or(left, |cap| left.min(cap.saturating_sub(now)));
            format!(", {} s left", left.as_secs() + 1)
        });
        let widest = widest.map(|(low, high)| format!(", widest [{low:.2}, {high:.2}]"));
        if let Some(last) = last {
            self.bar.set_length(last as u64);
        }
        self.bar.set_position(kept as u64);
        let (left, widest) = (left.unwrap_or_default(), widest.unwrap_or_default());
        self.bar.set_message(format!(
            "{}measuring, block {}{of}{left}{widest}",
            self.part,
            kept + 1
        ));
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
