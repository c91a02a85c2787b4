//! `firsttouch report FILE`: the screen of a saved result, or its other forms. `firsttouch report
//! --diff OLD NEW`: two of them against each other.

mod diff;
mod events;
mod names;
pub(crate) mod options;
mod ranges;
mod reading;
mod recording;
mod rows;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use report::Document;
use results::{AnyResult, Reading};

use crate::exports::Exports;
use crate::input;
use crate::options::{ScreenOptions, Usage};
use options::ReportOptions;

pub(crate) fn run(options: &ReportOptions, screen: ScreenOptions) -> anyhow::Result<ExitCode> {
    if let Some(files) = &options.diff {
        return diff::run(files, options, screen);
    }
    let file = options.file.as_deref().context("no FILE")?;
    if recording::is_recording(file) {
        return recording::run(file, options, screen);
    }
    if options.events {
        return Err(Usage("--events needs a recording, which record makes".to_owned()).into());
    }
    if let Some(option) = options.rows.first() {
        return Err(Usage(format!("{option} needs a recording, which record makes")).into());
    }
    // A result is JSON already.
    if options.json.is_some() {
        let usage = "--json goes with --diff or a recording: a result is a file of JSON already";
        return Err(Usage(usage.to_owned()).into());
    }
    options.exports.check(None)?;
    options.exports.keep(file, None)?;
    match read(file)? {
        AnyResult::Lab(result) => {
            let text = || report::screen(&result, screen.view());
            deliver(Document::Lab(&result), &result.experiment.name, options, screen, text)
        }
        AnyResult::Program(result) => {
            let text = || report::compare_screen(&result, screen.view());
            deliver(Document::Program(&result), &result.experiment.name, options, screen, text)
        }
    }
}

/// The result in `file`, which may be standard input.
fn read(file: &Path) -> anyhow::Result<AnyResult> {
    if file.as_os_str() == "-" {
        return results::read_any(std::io::stdin().lock()).context("standard input");
    }
    let name = || file.display().to_string();
    results::read_any(input::open(file, results::BYTES_MAX)?).map_err(hinted).with_context(name)
}

/// Says what a file of another kind is good for.
fn hinted(error: Reading) -> anyhow::Error {
    match &error {
        Reading::Schema { .. } => {
            let hint = "report shows recordings, and what bench --json and compare --json write";
            anyhow::anyhow!("{error}: {hint}")
        }
        _ => error.into(),
    }
}

fn deliver(
    document: Document,
    name: &str,
    options: &ReportOptions,
    screen: ScreenOptions,
    text: impl FnOnce() -> String,
) -> anyhow::Result<ExitCode> {
    if document.svg().is_none()
        && let Err(refusal) = options.exports.refuse_drawing(name)
    {
        anyhow::bail!(refusal.0);
    }
    Exports::open(&options.exports, None)?.deliver(document, text, screen.color)?;
    Ok(ExitCode::SUCCESS)
}
