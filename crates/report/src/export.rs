//! A result for other programs and pages: CSV, Markdown and SVG. Pure functions of the result.

mod csv;
mod markdown;
mod svg;

pub use csv::csv;
pub use markdown::markdown;
pub use svg::svg;

use results::LabResult;

use crate::number::{bytes, percent};
use crate::text::clean;

/// The machine, the size, the number of blocks, the seed and the version: what a reader needs to
/// repeat a run.
fn provenance(result: &LabResult) -> Vec<String> {
    let (machine, experiment) = (&result.machine, &result.experiment);
    let kernel = machine.kernel.as_ref().map(|kernel| format!("Linux {}", clean(kernel)));
    let guest = (machine.virtualized == Some(true)).then(|| "virtual machine".to_owned());
    let cpus = match machine.cpus {
        1 => "1 processor".to_owned(),
        n => format!("{n} processors"),
    };
    let thp = machine.thp.as_ref().map(|thp| format!("THP {}", clean(thp)));
    let libc = machine.libc.as_deref().map(clean);
    let cpu = machine.cpu.as_deref().map(clean);
    let on = [kernel, cpu, guest, Some(cpus), thp, libc];
    let size = match (experiment.sizes_bytes.first(), experiment.sizes_bytes.last()) {
        (Some(first), Some(last)) if first != last => {
            format!("{} to {}", bytes(*first as f64), bytes(*last as f64))
        }
        _ => bytes(experiment.size_bytes as f64),
    };
    let mut run = vec![clean(&experiment.name), size];
    run.extend((experiment.memory == "cold").then(|| "cold memory".to_owned()));
    run.push(blocks(result));
    run.extend(crate::bench::head::stop(result).map(str::to_owned));
    run.push(format!("margin {}", percent(experiment.margin)));
    run.push(format!("seed {}", result.seed));
    run.push(format!("firsttouch {}", clean(&result.version)));
    vec![on.into_iter().flatten().collect::<Vec<_>>().join(", "), run.join(", ")]
}

/// Blocks that count: arms may have fewer than the baseline.
fn blocks(result: &LabResult) -> String {
    let compared = result.comparisons.iter().map(|comparison| comparison.blocks);
    let estimated = result.floors.iter().flat_map(|floors| &floors.estimates).map(|e| e.blocks);
    match compared.chain(estimated).max().unwrap_or(0) {
        1 => "1 block".to_owned(),
        n => format!("{n} blocks"),
    }
}
