//! `firsttouch man DIR`: the manual pages, made from the options.

use std::fs::create_dir_all;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::options::Cli;
use crate::sink::Sink;

/// Write the manual pages.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  firsttouch man man1 && man -l man1/firsttouch.1          read one where it is
  firsttouch man ~/.local/share/man/man1                   where man(1) finds it
  sudo firsttouch man /usr/local/share/man/man1            for every user")]
pub(crate) struct ManOptions {
    /// The directory for firsttouch.1 and a page for each verb; made if it is missing
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

pub(crate) fn run(options: &ManOptions) -> anyhow::Result<ExitCode> {
    let directory = &options.directory;
    create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    for (name, page) in pages()? {
        if let Sink::File(file) = Sink::open(&directory.join(name))? {
            file.replace(|writer| std::io::Write::write_all(writer, &page))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The file name and the text of every page.
fn pages() -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let mut program = Cli::command();
    program.build();
    let verbs: Vec<Command> =
        program.get_subcommands().filter(|verb| is_documented(verb)).cloned().collect();
    let mut pages = vec![page(&program, "firsttouch", &names(&verbs))?];
    for verb in &verbs {
        let name = page_name(verb);
        let others: Vec<String> = std::iter::once("firsttouch".to_owned())
            .chain(names(&verbs).into_iter().filter(|other| *other != name))
            .collect();
        pages.push(page(verb, &name, &others)?);
    }
    Ok(pages)
}

fn is_documented(verb: &Command) -> bool {
    !verb.is_hide_set() && verb.get_name() != "help"
}

fn page_name(verb: &Command) -> String {
    format!("firsttouch-{}", verb.get_name())
}

fn names(verbs: &[Command]) -> Vec<String> {
    verbs.iter().map(page_name).collect()
}

/// A page of `command`, in the sections that a reader of manual pages expects.
fn page(command: &Command, name: &str, others: &[String]) -> anyhow::Result<(String, Vec<u8>)> {
    // `man -k` shows the line of NAME, so the verb has its hyphen there.
    let titled = command.clone().name(name.to_owned()).display_name(name.to_owned());
    let man = Man::new(titled)
        .section("1")
        .manual("firsttouch")
        .source(format!("firsttouch {}", env!("CARGO_PKG_VERSION")));
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let sections = Sections::of(&help);
    let mut roff = Roff::new();
    if command.has_subcommands() {
        verb_section(&mut roff, command);
    }
    sections.write(&mut roff);
    see_also(&mut roff, others);
    roff.to_writer(&mut text)?;
    Ok((format!("{name}.1"), text))
}

fn verb_section(roff: &mut Roff, program: &Command) {
    roff.control("SH", ["VERBS"]);
    for verb in program.get_subcommands().filter(|verb| is_documented(verb)) {
        roff.control("TP", []);
        roff.text([bold(page_name(verb)), roman("(1)")]);
        roff.text([roman(verb.get_about().map(ToString::to_string).unwrap_or_default())]);
    }
}

fn see_also(roff: &mut Roff, others: &[String]) {
    roff.control("SH", ["SEE ALSO"]);
    let mut line = Vec::new();
    for (at, name) in others.iter().enumerate() {
        line.extend([bold(name.clone()), roman("(1)")]);
        line.extend((at + 1 < others.len()).then(|| roman(", ")));
    }
    roff.text(line);
}

/// The parts of the text behind the options of `--help`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sections {
    /// A command, and what it is for.
    examples: Vec<(String, String)>,
    /// Paragraphs that are neither examples nor the exit status.
    notes: Vec<String>,
    exit_status: Option<String>,
}

impl Sections {
    fn of(help: &str) -> Self {
        let mut sections = Sections::default();
        for paragraph in help.split("\n\n").map(str::trim_end) {
            let one_line = || paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
            if let Some(examples) = paragraph.strip_prefix("Examples:\n") {
                sections.examples = examples_of(examples);
            } else if let Some(text) = one_line().strip_prefix("Exit status: ") {
                sections.exit_status = Some(text.to_owned());
            } else if !paragraph.is_empty() {
                sections.notes.push(one_line());
            }
        }
        sections
    }

    fn write(&self, roff: &mut Roff) {
        if !self.notes.is_empty() {
            roff.control("SH", ["NOTES"]);
        }
        for note in &self.notes {
            roff.control("PP", []);
            roff.text([roman(note.clone())]);
        }
        if !self.examples.is_empty() {
            roff.control("SH", ["EXAMPLES"]);
        }
        for (command, purpose) in &self.examples {
            roff.control("TP", []);
            roff.text([bold(command.clone())]);
            roff.text([roman(purpose.clone())]);
        }
        roff.control("SH", ["EXIT STATUS"]);
        roff.text([roman(self.exit_status.as_deref().unwrap_or(EXIT_STATUS))]);
    }
}

/// Of a verb whose help says nothing else.
const EXIT_STATUS: &str =
    "0 done, 1 failed, 2 wrong usage; firsttouch dies by the signal that interrupts it.";

/// Lines of two columns: a command, and behind two spaces or more what it is for. A line that is
/// indented further goes on with what the line before is for.
fn examples_of(text: &str) -> Vec<(String, String)> {
    let mut examples: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        let line = line.trim();
        match examples.last_mut() {
            Some((_, purpose)) if indent > 2 => {
                let space = if purpose.is_empty() { "" } else { " " };
                purpose.push_str(space);
                purpose.push_str(line);
            }
            _ => {
                let (command, purpose) = line.split_once("  ").unwrap_or((line, ""));
                examples.push((command.to_owned(), purpose.trim().to_owned()));
            }
        }
    }
    examples
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_is_taken_apart() {
        let help = "Examples:\n  firsttouch a    one\n  firsttouch b --long\n             two\n\n\
                    Lines go to\nstandard error.\n\nExit status: 0 done.";
        let pair = |command: &str, purpose: &str| (command.to_owned(), purpose.to_owned());
        assert_eq!(
            Sections::of(help),
            Sections {
                examples: vec![pair("firsttouch a", "one"), pair("firsttouch b --long", "two")],
                notes: vec!["Lines go to standard error.".to_owned()],
                exit_status: Some("0 done.".to_owned()),
            }
        );
    }
}
