//! `firsttouch claims [ID...]`.

use std::process::ExitCode;

use ::claims::catalogue::{CLAIMS, find, ids};
use ::claims::{ClaimsEvent, ClaimsRequest};
use anyhow::Context;
use lab::BenchEvent;
use sys::interrupt::Interrupt;

use crate::bench::new_seed;
use crate::options::{ClaimsOptions, ScreenOptions, Usage};
use crate::progress::Watcher;
use crate::sink::{self, Sink};
use crate::stream;

pub(crate) fn run(options: &ClaimsOptions, screen: ScreenOptions) -> anyhow::Result<ExitCode> {
    let wanted = wanted(&options.ids)?;
    if options.list {
        let wanted = CLAIMS.iter().filter(|(id, _)| wanted.contains(id));
        let width = stream::width();
        let lines: Vec<String> = wanted
            .map(|(id, claim)| report::wrapped(&format!("{id:18}  "), claim, width))
            .collect();
        stream::print(&lines.concat(), screen.color)?;
        return Ok(ExitCode::SUCCESS);
    }
    let folder = options.dir.clone().unwrap_or_else(std::env::temp_dir);
    if options.dir.is_some() && !folder.is_dir() {
        return Err(Usage(format!("--dir: {} is not a folder", folder.display())).into());
    }
    let sink = options.json.as_deref().map(Sink::open).transpose()?;
    let interrupt = Interrupt::install().context("cannot watch for signals")?;
    let request = ClaimsRequest {
        ids: wanted,
        seed: options.seed.unwrap_or_else(new_seed),
        folder,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        refusal: crate::observed::notice::refusal,
    };
    let mut watcher = Watcher::new(options.quiet, None);
    let claims = ::claims::test(&request, interrupt, &mut |event| match event {
        ClaimsEvent::Claim(number, of, id) => watcher.begin(number, of, id),
        // Notices advise options of bench, which claims does not have.
        ClaimsEvent::Lab(BenchEvent::Notice(_)) => {}
        ClaimsEvent::Lab(event) => watcher.see(&event),
    });
    watcher.finish();
    let claims = claims.context("the claims cannot be tested")?;
    if let (Some(signal), true) = (interrupt.received(), claims.claims.is_empty()) {
        crate::stream::complain("interrupted before any claim was tested");
        sys::interrupt::die_by(signal);
    }
    // Claims that are named are explained.
    let verbose = screen.verbose || !options.ids.is_empty();
    let text = || report::claims_screen(&claims, report::View { verbose, ..screen.view() });
    sink::deliver(sink, |writer| results::write(&claims, writer), text, screen.color)?;
    if let Some(signal) = interrupt.received() {
        sys::interrupt::die_by(signal);
    }
    Ok(ExitCode::SUCCESS)
}

/// The named claims, each once, in the order of the list; all of them if none is named.
fn wanted(asked: &[String]) -> Result<Vec<&'static str>, Usage> {
    let known: Vec<&str> =
        asked.iter().map(|name| find(name).map_err(Usage)).collect::<Result<_, _>>()?;
    Ok(ids().filter(|id| known.is_empty() || known.contains(id)).collect())
}
