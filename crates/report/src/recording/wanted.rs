//! Which part of a recording's report is shown, and the next command.

use results::recording::RecordingReport;

use crate::text::{hanging, quoted};
use crate::view::View;

/// Rows of the table, and with `-v`.
const ROWS: [usize; 2] = [10, 30];

/// What of a report is shown, and the command that shows it.
#[derive(Debug, Clone, Copy, Default)]
pub struct RecordingScreen<'a> {
    /// The file with the recording.
    pub file: &'a str,
    /// The options of the command that choose and order the rows, each as it is typed.
    pub options: &'a [String],
    /// The rows of the table, if a number was asked for.
    pub rows: Option<usize>,
    /// Whether only callers with memory that was never touched are wanted.
    pub untouched: bool,
}

impl RecordingScreen<'_> {
    /// The rows that the table has at most.
    pub(super) fn most(&self, report: &RecordingReport, view: View) -> usize {
        let rows = self.rows.unwrap_or(ROWS[usize::from(view.verbose)]);
        // A single caller more needs no line that says so.
        let fits = self.rows.is_none() && report.callers.len() == rows + 1;
        rows + usize::from(fits)
    }

    /// The most useful next command, and what it shows.
    pub(super) fn next(&self, report: &RecordingReport, view: View) -> String {
        if view.verbose || report.callers.is_empty() {
            return self.events(view);
        }
        self.command(&["--site 1"], "its calls, blocks and stacks", view)
    }

    /// The same below row `number` of the table, in full.
    pub(super) fn next_of_site(
        &self,
        number: usize,
        report: &RecordingReport,
        view: View,
    ) -> String {
        if number >= report.callers.len() {
            return self.events(view);
        }
        self.command(&[&format!("--site {}", number + 1)], "the next one", view)
    }

    fn events(&self, view: View) -> String {
        let file = quoted(self.file);
        let next =
            format!("firsttouch report {file} --events    (line by line, in the order of time)");
        hanging("Next: ", &next, view.width)
    }

    fn command(&self, more: &[&str], what: &str, view: View) -> String {
        let file = quoted(self.file);
        let options = self.options.iter().map(String::as_str).chain(more.iter().copied());
        let words: Vec<&str> = [file.as_str()].into_iter().chain(options).collect();
        let next = format!("firsttouch report {}    ({what})", words.join(" "));
        hanging("Next: ", &next, view.width)
    }
}
