//! A result for other programs and pages: CSV, Markdown, SVG, and the forms of other tools. Pure
//! functions of the result.

mod csv;
mod go;
mod hyperfine;
mod markdown;
mod program;
mod series;
mod svg;

use results::compare::ProgramResult;
use results::{LabResult, Machine};

use crate::number::{bytes, percent};
use crate::text::clean;

/// A result that is exported.
#[derive(Debug, Clone, Copy)]
pub enum Document<'a> {
    /// Of `bench`.
    Lab(&'a LabResult),
    /// Of `compare`.
    Program(&'a ProgramResult),
}

impl Document<'_> {
    /// A header, and a row for each sample that counts: RFC 4180, with lines that end in LF. For
    /// the eyes of a `terminal`, names are escaped.
    #[must_use]
    pub fn csv(self, terminal: bool) -> String {
        match self {
            Document::Lab(result) => csv::of_lab(result, terminal),
            Document::Program(result) => csv::of_program(result, terminal),
        }
    }

    /// The question, the tables, the doubts and what the run was, as GitHub Markdown.
    #[must_use]
    pub fn markdown(self) -> String {
        match self {
            Document::Lab(result) => markdown::of_lab(result),
            Document::Program(result) => markdown::of_program(result),
        }
    }

    /// The ratios with their intervals; `None` where the result compares nothing: a survey of
    /// floors, or a run that ended before its first complete block.
    #[must_use]
    pub fn svg(self) -> Option<String> {
        match self {
            Document::Lab(result) => svg::of_lab(result),
            Document::Program(result) => svg::of_program(result),
        }
    }

    /// What `hyperfine --export-json` writes.
    #[must_use]
    pub fn hyperfine(self) -> results::hyperfine::Summary {
        hyperfine::summary(&self.series())
    }

    /// The benchmark format of Go, with a line for each sample that counts.
    #[must_use]
    pub fn go(self) -> String {
        let head = match self {
            Document::Lab(result) => {
                let metric = &result.experiment.metric;
                let mut comments = provenance(result);
                comments.push(format!("ns/op: {metric} for each operation of a sample"));
                go::Head { machine: &result.machine, subject: &result.experiment.name, comments }
            }
            Document::Program(result) => go::Head {
                machine: &result.machine,
                subject: program::name(result),
                comments: program::provenance(result),
            },
        };
        go::benchmarks(&head, &self.series())
    }

    fn series(&self) -> Vec<series::Series<'_>> {
        match self {
            Document::Lab(result) => series::of_lab(result),
            Document::Program(result) => series::of_program(result),
        }
    }
}

/// The machine, the size, the number of blocks, the seed and the version: what a reader needs to
/// repeat a run.
fn provenance(result: &LabResult) -> Vec<String> {
    let experiment = &result.experiment;
    let size = match (experiment.sizes_bytes.first(), experiment.sizes_bytes.last()) {
        (Some(first), Some(last)) if first != last => {
            format!("{} to {}", bytes(*first as f64), bytes(*last as f64))
        }
        _ => bytes(experiment.size_bytes as f64),
    };
    let mut run = vec![clean(&experiment.name), size];
    run.extend((experiment.memory == "cold").then(|| "cold memory".to_owned()));
    let compared = result.comparisons.iter().map(|comparison| comparison.blocks);
    let estimated = result.floors.iter().flat_map(|floors| &floors.estimates).map(|e| e.blocks);
    run.push(blocks(compared.chain(estimated)));
    run.extend(
        crate::bench::head::stop(result.stopped, crate::bench::next::is_open(result))
            .map(str::to_owned),
    );
    run.push(format!("margin {}", percent(experiment.margin)));
    run.push(format!("seed {}", result.seed));
    run.push(format!("firsttouch {}", clean(&result.version)));
    vec![machine(&result.machine), run.join(", ")]
}

fn machine(machine: &Machine) -> String {
    let kernel = machine.kernel.as_ref().map(|kernel| format!("Linux {}", clean(kernel)));
    let guest = (machine.virtualized == Some(true)).then(|| "virtual machine".to_owned());
    let cpus = match machine.cpus {
        1 => "1 processor".to_owned(),
        n => format!("{n} processors"),
    };
    let thp = machine.thp.as_ref().map(|thp| format!("THP {}", clean(thp)));
    let libc = machine.libc.as_deref().map(clean);
    let cpu = machine.cpu.as_deref().map(clean);
    [kernel, cpu, guest, Some(cpus), thp, libc].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Blocks that count: arms may have fewer than the baseline.
fn blocks(counted: impl Iterator<Item = u64>) -> String {
    match counted.max().unwrap_or(0) {
        1 => "1 block".to_owned(),
        n => format!("{n} blocks"),
    }
}
