//! A result in other forms than its screen: JSON, CSV, Markdown, SVG, and the forms of other tools.
//! `bench` writes them of the run that it made, `report` of a run in a file.

use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};
use report::Document;

use crate::options::{Color, Usage};
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
    /// Write the samples as other tools read them: hyperfine (the JSON of its scripts) or go (for
    /// benchstat); also csv, markdown and svg. Without a file, or with -, to standard output
    /// (instead of the screen); may be repeated
    #[arg(
        long = "export",
        value_name = "FORMAT[=FILE]",
        value_parser = OsStringValueParser::new().try_map(|text| Export::parse(&text))
    )]
    pub(crate) exports: Vec<Export>,
}

/// A form of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Csv,
    Svg,
    Markdown,
    Hyperfine,
    Go,
}

impl Form {
    /// Those of `--export`, by their names.
    const NAMED: [(&str, Form); 5] = [
        ("hyperfine", Form::Hyperfine),
        ("go", Form::Go),
        ("csv", Form::Csv),
        ("markdown", Form::Markdown),
        ("svg", Form::Svg),
    ];

    /// Writes `document` in this form. A person at a `terminal` sees no names that move its cursor.
    fn write(self, document: Document, terminal: bool, out: &mut dyn Write) -> io::Result<()> {
        match (self, document) {
            (Form::Json, Document::Lab(result)) => results::write(result, out),
            (Form::Json, Document::Program(result)) => results::write(result, out),
            (Form::Csv, _) => out.write_all(document.csv(terminal).as_bytes()),
            (Form::Svg, _) => out.write_all(document.svg().unwrap_or_default().as_bytes()),
            (Form::Markdown, _) => out.write_all(document.markdown().as_bytes()),
            (Form::Hyperfine, _) => results::write(&document.hyperfine(), out),
            (Form::Go, _) => out.write_all(document.go().as_bytes()),
        }
    }
}

/// A form, and the file that it goes to; `-` is standard output.
#[derive(Debug, Clone)]
pub(crate) struct Export {
    form: Form,
    name: &'static str,
    path: PathBuf,
}

impl Export {
    fn parse(text: &OsStr) -> Result<Self, String> {
        let bytes = text.as_bytes();
        let end = bytes.iter().position(|byte| *byte == b'=').unwrap_or(bytes.len());
        let (name, file) = (&bytes[..end], bytes.get(end + 1..));
        let known = Form::NAMED.into_iter().find(|(known, _)| known.as_bytes() == name);
        let Some((name, form)) = known else {
            let name = String::from_utf8_lossy(name);
            let names = Form::NAMED.map(|(name, _)| name).join(", ");
            return Err(format!("there is no format {name}; there are {names}"));
        };
        let path = match file {
            None => PathBuf::from("-"),
            Some([]) => return Err(format!("no file: {name}=FILE, or {name} alone")),
            Some(file) => PathBuf::from(OsString::from_vec(file.to_vec())),
        };
        Ok(Export { form, name, path })
    }
}

/// A form that was asked for: by which option, and for which file.
struct Wish<'a> {
    form: Form,
    option: String,
    path: &'a Path,
}

impl Wish<'_> {
    /// As it was typed for standard output.
    fn to_stdout(&self) -> String {
        if self.option == "--markdown" { self.option.clone() } else { format!("{} -", self.option) }
    }
}

impl ExportOptions {
    /// Whether no form was asked for.
    pub(crate) fn is_none(&self) -> bool {
        self.wishes(None).is_empty()
    }

    /// Every form that was asked for.
    fn wishes<'a>(&'a self, json: Option<&'a Path>) -> Vec<Wish<'a>> {
        let own = [
            (Form::Json, "--json", json),
            (Form::Csv, "--csv", self.csv.as_deref()),
            (Form::Svg, "--svg", self.svg.as_deref()),
            (Form::Markdown, "--markdown", self.markdown.then_some(Path::new("-"))),
        ];
        let own = own.into_iter().filter_map(|(form, option, path)| {
            Some(Wish { form, option: option.to_owned(), path: path? })
        });
        let others = self.exports.iter().map(|export| Wish {
            form: export.form,
            option: format!("--export {}", export.name),
            path: &export.path,
        });
        own.chain(others).collect()
    }

    /// Refuses wishes that exclude each other: two documents for standard output, two for one file.
    pub(crate) fn check(&self, json: Option<&Path>) -> Result<(), Usage> {
        let wishes = self.wishes(json);
        let wanted: Vec<String> =
            wishes.iter().filter(|wish| is_stdout(wish.path)).map(Wish::to_stdout).collect();
        if wanted.len() > 1 {
            return Err(Usage(format!(
                "{} each write to standard output, which takes one of them: give the others a file",
                wanted.join(" and ")
            )));
        }
        for (at, wish) in wishes.iter().enumerate() {
            let same = |other: &&Wish| stream::is_same_file(wish.path, other.path);
            let clash = wishes[..at].iter().find(same).filter(|_| !is_stdout(wish.path));
            if let Some(other) = clash {
                return Err(Usage(format!(
                    "{} and {} name the same file: give each its own",
                    other.option, wish.option
                )));
            }
        }
        Ok(())
    }

    /// Refuses to write over `input`.
    pub(crate) fn keep(&self, input: &Path, json: Option<&Path>) -> Result<(), Usage> {
        for Wish { option, path, .. } in self.wishes(json) {
            if !is_stdout(path) && stream::is_same_file(input, path) {
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
        match self.wishes(None).iter().find(|wish| wish.form == Form::Svg) {
            Some(Wish { option, .. }) => Err(Usage(format!(
                "{option} draws ratios between arms, and {name} compares none: leave it out"
            ))),
            None => Ok(()),
        }
    }
}

/// The forms that were asked for, and the place of each.
pub(crate) struct Exports {
    forms: Vec<(Form, Sink)>,
}

impl Exports {
    /// Finds out whether every file can be written, before anything is measured.
    pub(crate) fn open(options: &ExportOptions, json: Option<&Path>) -> anyhow::Result<Self> {
        options.check(json)?;
        let opened = options
            .wishes(json)
            .into_iter()
            .map(|wish| Ok((wish.form, Sink::open(wish.path)?)))
            .collect::<anyhow::Result<_>>()?;
        Ok(Exports { forms: opened })
    }

    /// Writes each form to its place: standard output first (`screen`, unless a form goes there),
    /// so that a full disk does not cost the screen. The first failure is reported once all have
    /// been tried.
    pub(crate) fn deliver(
        self,
        document: Document,
        screen: impl FnOnce() -> String,
        color: Color,
    ) -> anyhow::Result<()> {
        let mut outcome = Ok(());
        let (mut files, mut printed) = (Vec::new(), false);
        let nothing_to_draw =
            self.forms.iter().any(|(form, _)| *form == Form::Svg) && document.svg().is_none();
        for (form, sink) in self.forms {
            match sink {
                _ if form == Form::Svg && nothing_to_draw => {}
                Sink::Stdout => {
                    printed = true;
                    let terminal = io::stdout().is_terminal();
                    keep(&mut outcome, stdout(|out| form.write(document, terminal, out)));
                }
                Sink::File(file) => files.push((form, file)),
            }
        }
        if !printed {
            keep(&mut outcome, stream::print(&screen(), color).map_err(Into::into));
        }
        for (form, file) in files {
            keep(&mut outcome, file.replace(|out| form.write(document, false, out)));
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

fn stdout(write: impl Fn(&mut dyn Write) -> io::Result<()>) -> anyhow::Result<()> {
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
