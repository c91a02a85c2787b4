//! The outputs of a trace: lines or a table for people, JSON for programs.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use analysis::trace::{FaultBursts, Tally};
use anstream::adapter::strip_str;
use anstream::{AutoStream, ColorChoice};
use anyhow::Context;
use results::trace::{Line, Shown, TraceSummary, write_line, write_summary};

use crate::options::{Color, ScreenOptions, TraceOptions};

/// Output is written in pieces of this size.
const CHUNK_BYTES: usize = 64 << 10;

/// All outputs of a trace.
pub(super) struct Outputs {
    /// For people; `None` where standard output has the JSON.
    screen: Option<Screen>,
    json: Option<Stream>,
}

/// Lines, or the table at the end.
struct Screen {
    stream: Stream,
    bursts: FaultBursts,
    names: report::FileNames,
    /// Instead of lines.
    tally: Option<Tally>,
    view: report::View,
    /// The words that choose the program.
    target: Vec<String>,
}

impl Outputs {
    /// Opens the outputs that the options name, and truncates files.
    pub(super) fn open(options: &TraceOptions, shown: ScreenOptions) -> anyhow::Result<Self> {
        if let (Some(one), Some(other)) = (&options.output, &options.json) {
            differ(one, other)?;
        }
        let json = options.json.as_deref().map(Stream::open).transpose()?;
        let to_stdout = options.json.as_deref() == Some(Path::new("-"));
        let stream = match &options.output {
            Some(path) => Some(Stream::open(path)?),
            None if to_stdout => None,
            None => Some(Stream::stderr(shown.color)),
        };
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
            None => bursts.take(line, &mut |shown| stream.show(&shown, names)),
        }
    }

    /// Shows the bursts that are due: `time_ns` have passed since the start without a new line.
    pub(super) fn wait(&mut self, time_ns: u64) {
        if let Some(Screen { stream, bursts, names, tally: None, .. }) = &mut self.screen {
            bursts.wait(time_ns, &mut |shown| stream.show(&shown, names));
        }
    }

    /// Writes what is ready.
    pub(super) fn flush(&mut self) {
        self.json
            .iter_mut()
            .chain(self.screen.iter_mut().map(|screen| &mut screen.stream))
            .for_each(Stream::flush);
    }

    /// Writes the open bursts or the table, and the last lines.
    pub(super) fn finish(&mut self, summary: &TraceSummary, interrupted: bool) {
        if let Some(json) = &mut self.json {
            json.add(|text| write_summary(summary, text));
        }
        if let Some(Screen { stream, bursts, names, tally, view, target }) = &mut self.screen {
            bursts.pause(&mut |shown| stream.show(&shown, names));
            let end = match tally {
                Some(tally) => {
                    let table = tally.table(std::mem::take(target), *summary);
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
        streams.all(|stream| stream.error.is_some())
    }

    /// The first output that failed, and why. A closed pipe is no failure.
    pub(super) fn take_error(&mut self) -> Option<anyhow::Error> {
        let mut streams =
            self.json.iter_mut().chain(self.screen.iter_mut().map(|screen| &mut screen.stream));
        streams.find_map(Stream::take_error)
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

/// Refuses two outputs to one file, under whatever names. A device takes both.
fn differ(one: &Path, other: &Path) -> anyhow::Result<()> {
    let place = |path: &Path| -> anyhow::Result<_> {
        let metadata = if path == Path::new("-") {
            crate::stream::metadata_of_stdout()
        } else {
            // An existing file is not opened: the reader of a pipe would see its end at the close.
            std::fs::metadata(path).or_else(|_| {
                File::options()
                    .append(true)
                    .create(true)
                    .open(path)
                    .and_then(|file| file.metadata())
            })
        };
        let metadata = metadata.with_context(|| format!("cannot write {}", path.display()))?;
        Ok((metadata.is_file(), metadata.dev(), metadata.ino()))
    };
    let (one, other) = (place(one)?, place(other)?);
    if one == other && one.0 {
        return Err(crate::options::Usage(
            "-o and --json name the same file: give each its own".into(),
        )
        .into());
    }
    Ok(())
}

/// An output that takes text until a write fails.
struct Stream {
    writer: Box<dyn Write>,
    name: String,
    text: String,
    colored: bool,
    error: Option<io::Error>,
}

impl Stream {
    fn open(path: &Path) -> anyhow::Result<Self> {
        if path == Path::new("-") {
            return Ok(Stream::new(Box::new(io::stdout()), "standard output".to_owned()));
        }
        let file =
            File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Stream::new(Box::new(file), path.display().to_string()))
    }

    fn stderr(color: Color) -> Self {
        let colored = match color.choice() {
            ColorChoice::Auto => AutoStream::choice(&io::stderr()),
            chosen => chosen,
        } != ColorChoice::Never;
        Stream { colored, ..Stream::new(Box::new(io::stderr()), "standard error".to_owned()) }
    }

    fn new(writer: Box<dyn Write>, name: String) -> Self {
        Stream { writer, name, text: String::new(), colored: false, error: None }
    }

    fn add(&mut self, write: impl FnOnce(&mut String)) {
        write(&mut self.text);
        if self.text.len() >= CHUNK_BYTES {
            self.write();
        }
    }

    fn show(&mut self, shown: &Shown, names: &mut report::FileNames) {
        let colored = self.colored;
        self.add(|text| report::trace_line(shown, names, colored, text));
    }

    fn write(&mut self) {
        if self.error.is_none() {
            self.error = self.writer.write_all(self.text.as_bytes()).err();
        }
        self.text.clear();
    }

    fn flush(&mut self) {
        self.write();
        if self.error.is_none() {
            self.error = self.writer.flush().err();
        }
    }

    fn take_error(&mut self) -> Option<anyhow::Error> {
        let error = self.error.take().filter(|error| error.kind() != io::ErrorKind::BrokenPipe)?;
        Some(anyhow::Error::from(error).context(format!("cannot write {}", self.name)))
    }
}
