//! `firsttouch report FILE.ft --events`: the events of a recording, as `trace` shows them.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Seek, Write};
use std::ops::Range;
use std::process::ExitCode;

use analysis::trace::LineBuilder;
use anyhow::Context;
use events::{Batch, Definitions};
use recording::Reader;
use results::trace::{Line, LineKind, Shown, write_line};

use crate::options::ScreenOptions;
use crate::sink::Sink;
use crate::stream;

/// Writes every event of a recording, and the pauses in it; every fault on its own line. As JSON
/// lines if `output` is given, instead or besides.
pub(super) fn write<R: Read + Seek>(
    reader: &mut Reader<R>,
    output: Option<Sink>,
    screen: ScreenOptions,
) -> anyhow::Result<ExitCode> {
    let mut json = output.map(Sink::into_stream).transpose()?;
    let mut lines = match json {
        Some((_, true)) => None,
        _ => Some(stream::to_stdout(screen.color)),
    };
    let mut builder = LineBuilder::new(reader.header(), json.is_some());
    let mut names = report::FileNames::new(screen.view());
    let mut switches = Switches::new(reader.pauses(), reader.header().began_ns);
    let (mut batch, mut definitions) = (Batch::default(), Definitions::default());
    let (mut text, mut records) = (String::new(), String::new());
    let mut has_more = true;
    while has_more {
        let mut show = |line: Line| {
            if json.is_some() {
                write_line(&line, &mut records);
            }
            if lines.is_some() {
                report::trace_line(&Shown::Line(line), &mut names, true, &mut text);
            }
        };
        has_more = reader.next_batch(&mut batch)?;
        builder.read(&mut batch, &mut definitions, &mut |line| {
            switches.until(line.time_ns, &mut show);
            show(line);
        });
        if !has_more {
            switches.until(u64::MAX, &mut show);
        }
        let written = match &mut lines {
            Some(lines) => lines.write_all(text.as_bytes()),
            None => Ok(()),
        };
        let recorded = match &mut json {
            Some((file, _)) => file.write_all(records.as_bytes()),
            None => Ok(()),
        };
        text.clear();
        records.clear();
        match written.and(recorded) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
            other => other.context("cannot write the events")?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// When the recorder paused and went on, since the start of the recording: what is still to be
/// shown.
struct Switches(VecDeque<(u64, bool)>);

impl Switches {
    fn new(pauses: Vec<Range<u64>>, began_ns: u64) -> Switches {
        let switches =
            pauses.into_iter().flat_map(|pause| [(pause.start, false), (pause.end, true)]);
        // A pause in which the recording ends has no end.
        let known = switches.filter(|&(time_ns, _)| time_ns != u64::MAX);
        Switches(
            known.map(|(time_ns, records)| (time_ns.saturating_sub(began_ns), records)).collect(),
        )
    }

    /// Shows those until a time.
    fn until(&mut self, time_ns: u64, show: &mut impl FnMut(Line)) {
        while let Some((time_ns, records)) = self.0.pop_front_if(|(at, _)| *at <= time_ns) {
            show(Line { time_ns, pid: 0, tid: 0, kind: LineKind::Switched { records } });
        }
    }
}
