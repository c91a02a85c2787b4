//! `firsttouch report FILE`: the screen of a saved result, or its other forms.

use std::process::ExitCode;

use anyhow::Context;
use report::Document;

use crate::exports::Exports;
use crate::input;
use crate::options::{ReportOptions, ScreenOptions};

pub(crate) fn run(options: &ReportOptions, screen: ScreenOptions) -> anyhow::Result<ExitCode> {
    options.exports.check(None)?;
    options.exports.keep(&options.file, None)?;
    let name = || options.file.display().to_string();
    let result = if options.file.as_os_str() == "-" {
        results::read(std::io::stdin().lock()).context("standard input")?
    } else {
        results::read(input::open(&options.file, results::BYTES_MAX)?).with_context(name)?
    };
    let document = Document::Lab(&result);
    if document.svg().is_none()
        && let Err(refusal) = options.exports.refuse_drawing(&result.experiment.name)
    {
        anyhow::bail!(refusal.0);
    }
    let exports = Exports::open(&options.exports, None)?;
    let text = || report::screen(&result, screen.view());
    exports.deliver(document, text, screen.color)?;
    Ok(ExitCode::SUCCESS)
}
