//! A result in other forms than its screen: JSON, CSV, Markdown, SVG. `bench` writes them of the
//! run that it made, `report` of a run in a file.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use results::LabResult;

use crate::options::{ScreenOptions, Usage};
use crate::sink::Sink;
use crate::stream::{self, is_stdout};

/// Options of `bench` and `report`.
#[derive(Debug, Default, Args)]
pub(crate) struct ExportOptions {
    /// Write a row for each sample as CSV to a file, or to standard output (instead of the screen)
    /// with -
    #[arg(long, value_name = "FILE")]
    pub(crate) csv: Option<PathBuf>,
    /// Print the tables as GitHub Markdown instead of the screen
    #[arg(long)]
    pub(crate) markdown: bool,
    /// Draw the ratios with their intervals as SVG into a file, or to standard output (instead of
    /// the screen) with -
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
}

impl ExportOptions {
    /// Every file that was asked for, by its option.
    fn files<'a>(&'a self, json: Option<&'a Path>) -> Vec<(&'static str, &'a Path)> {
        let files =
            [("--json", json), ("--csv", self.csv.as_deref()), ("--svg", self.svg.as_deref())];
        files.into_iter().filter_map(|(option, path)| Some((option, path?))).collect()
    }

    /// Refuses wishes that exclude each other: two documents for standard output, two for one file.
    pub(crate) fn check(&self, json: Option<&Path>) -> Result<(), Usage> {
        let files = self.files(json);
        let to_stdout = files.iter().filter(|(_, path)| is_stdout(path));
        let mut wanted: Vec<String> = to_stdout.map(|(option, _)| format!("{option} -")).collect();
        wanted.extend(self.markdown.then(|| "--markdown".to_owned()));
        if wanted.len() > 1 {
            return Err(Usage(format!(
                "{} each write to standard output, which takes one of them: give the others a file",
                wanted.join(" and ")
            )));
        }
        for (at, (option, path)) in files.iter().enumerate() {
            let same = |other: &&(&str, &Path)| stream::is_same_file(path, other.1);
            if let Some((other, _)) = files[..at].iter().find(same).filter(|_| !is_stdout(path)) {
                return Err(Usage(format!(
                    "{other} and {option} name the same file: give each its own"
                )));
            }
        }
        Ok(())
    }

    /// Refuses to write over `input`.
    pub(crate) fn keep(&self, input: &Path, json: Option<&Path>) -> Result<(), Usage> {
        for (option, output) in self.files(json) {
            if !is_stdout(output) && stream::is_same_file(input, output) {
                return Err(Usage(format!(
                    "{option} would overwrite {}: name another file",
                    input.display()
                )));
            }
        }
        Ok(())
    }

    /// Refuses a drawing of a result that has nothing to draw.
    pub(crate) fn refuse_drawing(&self, name: &str) -> Result<(), Usage> {
        match self.svg {
            Some(_) => Err(Usage(format!(
                "--svg draws ratios between arms, and {name} compares none: leave it out"
            ))),
            None => Ok(()),
        }
    }
}

/// The places of the forms that were asked for.
pub(crate) struct Exports {
    json: Option<Sink>,
    csv: Option<Sink>,
    svg: Option<Sink>,
    markdown: bool,
}

impl Exports {
    /// Finds out whether every file can be written, before anything is measured.
    pub(crate) fn open(options: &ExportOptions, json: Option<&Path>) -> anyhow::Result<Self> {
        options.check(json)?;
        let open = |path: Option<&Path>| path.map(Sink::open).transpose();
        Ok(Exports {
            json: open(json)?,
            csv: open(options.csv.as_deref())?,
            svg: open(options.svg.as_deref())?,
            markdown: options.markdown,
        })
    }

    /// Writes each form to its place: standard output first, so that a full disk does not cost the
    /// screen. The first failure is reported once all have been tried.
    pub(crate) fn deliver(self, result: &LabResult, screen: ScreenOptions) -> anyhow::Result<()> {
        let drawn = report::svg(result);
        let nothing_to_draw = self.svg.is_some() && drawn.is_none();
        let seen = self.csv.as_ref().is_some_and(|sink| matches!(sink, Sink::Stdout))
            && io::stdout().is_terminal();
        let csv = |out: &mut dyn Write| out.write_all(report::csv(result, seen).as_bytes());
        let svg = |out: &mut dyn Write| out.write_all(drawn.as_deref().unwrap_or("").as_bytes());
        let json = |out: &mut dyn Write| results::write(result, out);
        let forms: [(Option<Sink>, &Form); 3] =
            [(self.json, &json), (self.csv, &csv), (self.svg.filter(|_| drawn.is_some()), &svg)];
        let mut outcome = Ok(());
        let (mut files, mut printed) = (Vec::new(), false);
        for (sink, write) in forms {
            match sink {
                Some(Sink::Stdout) => {
                    printed = true;
                    keep(&mut outcome, stdout(write));
                }
                Some(Sink::File(file)) => files.push((file, write)),
                None => {}
            }
        }
        if self.markdown {
            keep(&mut outcome, stdout(&|out| out.write_all(report::markdown(result).as_bytes())));
        } else if !printed {
            let text = report::screen(result, screen.view());
            keep(&mut outcome, stream::print(&text, screen.color).map_err(Into::into));
        }
        for (file, write) in files {
            keep(&mut outcome, file.replace(write));
        }
        if nothing_to_draw {
            keep(
                &mut outcome,
                Err(anyhow::anyhow!("nothing was compared: there is nothing to draw")),
            );
        }
        outcome
    }
}

/// Writes a result in one of its forms.
type Form<'a> = dyn Fn(&mut dyn Write) -> io::Result<()> + 'a;

fn stdout(write: &Form) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let written = write(&mut out).and_then(|()| out.flush());
    stream::quietly(written)
        .map_err(|error| anyhow::anyhow!("cannot write to standard output: {error}"))
}

/// The first failure stays.
fn keep(outcome: &mut anyhow::Result<()>, next: anyhow::Result<()>) {
    if outcome.is_ok() {
        *outcome = next;
    }
}
