//! `firsttouch report FILE`: the screen of a saved result, or its other forms.

use std::process::ExitCode;

use anyhow::Context;

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
    if report::svg(&result).is_none()
        && let Err(refusal) = options.exports.refuse_drawing(&result.experiment.name)
    {
        anyhow::bail!(refusal.0);
    }
    Exports::open(&options.exports, None)?.deliver(&result, screen)?;
    Ok(ExitCode::SUCCESS)
}
