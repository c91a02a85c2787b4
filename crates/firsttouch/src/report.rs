//! `firsttouch report FILE`: the screen of a saved result, or its other forms. `firsttouch report
//! --diff OLD NEW`: two of them against each other.

mod diff;
pub(crate) mod options;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use results::{Document, LabResult};

use crate::exports::Exports;
use crate::input;
use crate::options::{ScreenOptions, Usage};
use options::ReportOptions;

pub(crate) fn run(options: &ReportOptions, screen: ScreenOptions) -> anyhow::Result<ExitCode> {
    if let Some(files) = &options.diff {
        return diff::run(files, options.json.as_deref(), screen);
    }
    // clap does not demand --diff beside FILE, which excludes it.
    if options.json.is_some() {
        let usage = "--json goes with --diff: a result is a file of JSON already";
        return Err(Usage(usage.to_owned()).into());
    }
    let file = options.file.as_deref().context("no FILE")?;
    options.exports.check(None)?;
    options.exports.keep(file, None)?;
    match read(file)? {
        Document::Lab(result) => of_lab(&result, options, screen),
        // The place of the screen of `compare`.
        Document::Program(_) => anyhow::bail!(
            "{} is a result of compare, which this version shows only with --diff",
            file.display()
        ),
    }
}

/// The result in `file`, which may be standard input.
fn read(file: &Path) -> anyhow::Result<Document> {
    if file.as_os_str() == "-" {
        return results::read_any(std::io::stdin().lock()).context("standard input");
    }
    let name = || file.display().to_string();
    results::read_any(input::open(file, results::BYTES_MAX)?).with_context(name)
}

fn of_lab(
    result: &LabResult,
    options: &ReportOptions,
    screen: ScreenOptions,
) -> anyhow::Result<ExitCode> {
    if report::svg(result).is_none()
        && let Err(refusal) = options.exports.refuse_drawing(&result.experiment.name)
    {
        anyhow::bail!(refusal.0);
    }
    Exports::open(&options.exports, None)?.deliver(result, screen)?;
    Ok(ExitCode::SUCCESS)
}
