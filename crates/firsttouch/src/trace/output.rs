//! The outputs of a trace: lines or a table for people, JSON for programs.

use std::path::Path;

use analysis::trace::{FaultBursts, Tally};
use anstream::adapter::strip_str;
use results::start::ProgramStart;
use results::trace::{Line, Shown, Table, TraceSummary, write_line, write_summary};

use super::text_output::TextOutput;
use crate::options::{ScreenOptions, TraceOptions, Usage};

/// All outputs of a trace.
pub(super) struct Outputs {
    /// For people; `None` where standard output has the JSON.
    screen: Option<Screen>,
    json: Option<TextOutput>,
}

/// Lines, or the table at the end.
struct Screen {
    stream: TextOutput,
    bursts: FaultBursts,
    names: report::FileNames,
    /// Instead of lines.
    tally: Option<Tally>,
    view: report::View,
    /// The words that choose the program.
    target: Vec<String>,
}

impl Outputs {
    /// Opens the outputs that the options name. Files keep their contents until [`Self::begin`].
    pub(super) fn open(options: &TraceOptions, shown: ScreenOptions) -> anyhow::Result<Self> {
        let json = options.json.as_deref().map(TextOutput::open).transpose()?;
        let to_stdout = options.json.as_deref() == Some(Path::new("-"));
        let stream = match &options.output {
            Some(path) => Some(TextOutput::open(path)?),
            None if to_stdout => None,
            None => Some(TextOutput::errors(shown.color)?),
        };
        if options.output.is_some()
            && let (Some(one), Some(other)) = (&stream, &json)
            && one.is_same_file(other)
        {
            let same = "-o and --json name the same file: give each its own";
            return Err(Usage(same.into()).into());
        }
        let width = match options.output {
            None => crate::stream::width_of_errors(),
            Some(_) => None,
        };
        let view = report::View { width, verbose: shown.verbose };
        let screen = stream.map(|stream| Screen {
            stream,
            bursts: FaultBursts::new(options.faults.into(), sys::limits::page_bytes()),
            names: report::FileNames::new(view),
            tally: options.count.then(Tally::default),
            view,
            target: target(options),
        });
        Ok(Outputs { screen, json })
    }

    /// The trace has begun: files lose their older contents.
    pub(super) fn begin(&mut self) {
        self.streams().for_each(TextOutput::begin);
    }

    fn streams(&mut self) -> impl Iterator<Item = &mut TextOutput> {
        self.json.iter_mut().chain(self.screen.iter_mut().map(|screen| &mut screen.stream))
    }

    /// Whether lines need the arguments of calls one by one, as JSON has them.
    pub(super) fn wants_arguments(&self) -> bool {
        self.json.is_some()
    }

    /// Takes the next line.
    pub(super) fn take(&mut self, line: Line) {
        if let Some(json) = &mut self.json {
            json.add(|text| write_line(&line, text));
        }
        let Some(Screen { stream, bursts, names, tally, .. }) = &mut self.screen else { return };
        match tally {
            Some(tally) => tally.take(&line),
            None => bursts.take(line, &mut |shown| show(stream, &shown, names)),
        }
    }

    /// Shows the bursts that are due: `time_ns` have passed since the start without a new line.
    pub(super) fn wait(&mut self, time_ns: u64) {
        if let Some(Screen { stream, bursts, names, tally: None, .. }) = &mut self.screen {
            bursts.wait(time_ns, &mut |shown| show(stream, &shown, names));
        }
    }

    /// Writes what is ready.
    pub(super) fn flush(&mut self) {
        self.streams().for_each(TextOutput::flush);
    }

    /// Writes the open bursts or the table, and the last lines.
    pub(super) fn finish(
        &mut self,
        summary: &TraceSummary,
        start: Option<ProgramStart>,
        interrupted: bool,
    ) {
        if let Some(json) = &mut self.json {
            json.add(|text| write_summary(summary, start.as_ref(), text));
        }
        if let Some(Screen { stream, bursts, names, tally, view, target }) = &mut self.screen {
            bursts.pause(&mut |shown| show(stream, &shown, names));
            let end = match tally {
                Some(tally) => {
                    let table = tally.table(std::mem::take(target), *summary);
                    let table = Table { start, ..table };
                    let table = if view.verbose { table } else { table.folded() };
                    report::trace_table(&table, *view)
                }
                None => report::trace_end(summary, *view),
            };
            let plain = !stream.colored;
            // The terminal has echoed ^C at the beginning of the line.
            if interrupted && view.width.is_some() {
                stream.add(|text| text.push('\n'));
            }
            stream.add(
                |text| if plain { *text += &strip_str(&end).to_string() } else { *text += &end },
            );
        }
        self.flush();
    }

    /// Whether no output can be written any more.
    pub(super) fn are_closed(&self) -> bool {
        let mut streams = self.json.iter().chain(self.screen.iter().map(|screen| &screen.stream));
        streams.all(TextOutput::has_failed)
    }

    /// The first output that failed, and why. A closed pipe is no failure.
    pub(super) fn take_error(&mut self) -> Option<anyhow::Error> {
        self.streams().find_map(TextOutput::take_error)
    }
}

/// The words of the command line that choose the program.
fn target(options: &TraceOptions) -> Vec<String> {
    let words = options.command.iter().map(|word| word.to_string_lossy().into_owned());
    match options.pid {
        Some(pid) => vec!["-p".to_owned(), pid.to_string()],
        None => std::iter::once("--".to_owned()).chain(words).collect(),
    }
}

fn show(stream: &mut TextOutput, shown: &Shown, names: &mut report::FileNames) {
    let colored = stream.colored;
    stream.add(|text| report::trace_line(shown, names, colored, text));
}
