//! `firsttouch report FILE`: the screen again.

use std::fs::File;
use std::process::ExitCode;

use anyhow::Context;

use crate::options::{ReportOptions, ScreenOptions};
use crate::stream;

pub(crate) fn run(options: &ReportOptions, screen: ScreenOptions) -> anyhow::Result<ExitCode> {
    let name = || options.file.display().to_string();
    let result = if options.file.as_os_str() == "-" {
        results::read(std::io::stdin().lock()).context("standard input")?
    } else {
        let file = File::open(&options.file).with_context(|| format!("cannot open {}", name()))?;
        results::read(file).with_context(name)?
    };
    stream::print(&report::screen(&result, screen.view()), screen.color)?;
    Ok(ExitCode::SUCCESS)
}
