//! `firsttouch doctor`.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use results::doctor::{Diagnosis, SCHEMA};
use sys::facts::Facts;

use crate::options::{Color, DoctorOptions};
use crate::sink::Sink;
use crate::stream;

/// How long it watches what others do: twenty of the kernel's ticks, and short enough to wait for.
const WINDOW: Duration = Duration::from_millis(200);

pub(crate) fn run(options: &DoctorOptions, color: Color) -> anyhow::Result<ExitCode> {
    let sink = options.json.as_deref().map(Sink::open).transpose()?;
    let diagnosis = Diagnosis {
        schema: SCHEMA.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        checks: doctor::examine(&Facts::gather(WINDOW)),
    };
    let print = || stream::print(&report::doctor_screen(&diagnosis, stream::width()), color);
    match sink {
        Some(Sink::Stdout) => stream::quietly(results::write(&diagnosis, io::stdout().lock()))?,
        Some(Sink::File(file)) => {
            let printed = print();
            file.replace(|writer| results::write(&diagnosis, writer))?;
            printed?;
        }
        None => print()?,
    }
    Ok(ExitCode::SUCCESS)
}
