//! Facts about files: unnamed files in the folder that the user chose.

use lab::question::experiment::Metric;
use results::claims::Claim;
use results::{Comparison, LabResult, Sample};
use sys::scratch::Scratch;

use super::Gatherer;
use crate::ask::{Trouble, pick};
use crate::judge::files::{Cell, file_demand_paging, map_or_copy};
use crate::protocol::ProbeTask;

const FILE_BYTES: usize = 32 << 20;

const WARM_BLOCKS: u64 = 24;
/// Few, because each block reads the disk page by page.
const COLD_BLOCKS: u64 = 12;

/// An experiment: mapping against copying, in order and page by page at random.
fn map_or_copy_of(name: &str, keys: &str) -> String {
    format!(
        r#"
name = "{name}"
question = "Does mapping a file cost more than copying it?"
metric = "whole_ns"
margin = 0.05
fill = 1
touch = "sum"
baseline = "read"
{keys}
arms = [
    "file",
    {{ name = "pread at random", source = "pread", order = "random" }},
    {{ name = "file at random", source = "file", order = "random", against = "pread at random" }},
]
"#
    )
}

/// With a file in the page cache.
fn warm() -> String {
    map_or_copy_of("map-or-copy", "size = [\"16KiB\", \"1MiB\", \"16MiB\"]\npasses = [1, 8]")
}

/// With a file that is not in the page cache.
fn cold() -> String {
    map_or_copy_of(
        "map-or-copy-cold",
        "size = \"8MiB\"\npasses = 1\ncache = \"cold\"\nmax_time = \"40s\"",
    )
}

impl Gatherer<'_> {
    /// A file, and the descriptor by which children open it. The file exists until the [`Scratch`]
    /// is dropped.
    fn file(&self, bytes: usize) -> Result<(Scratch, i32), Trouble> {
        let folder = self.folder.display();
        let failed = |error: &dyn std::fmt::Display| {
            Trouble::Failed(format!(
                "cannot create a file in {folder}: {error} (--dir chooses another folder)"
            ))
        };
        let scratch =
            Scratch::create(&self.folder, bytes as u64).map_err(|error| failed(&error))?;
        let number = scratch.inherit().map_err(|errno| failed(&errno))?;
        Ok((scratch, number))
    }

    pub(super) fn file_demand_paging(&mut self) -> Result<Claim, Trouble> {
        let (_scratch, file) = self.file(FILE_BYTES)?;
        let task = ProbeTask::PageFile { file, bytes: FILE_BYTES };
        Ok(file_demand_paging(&self.asker.ask(task, pick!(File))?))
    }

    pub(super) fn map_or_copy(&mut self) -> Result<Claim, Trouble> {
        let cached = self.measure(&warm(), Some(WARM_BLOCKS))?;
        let uncached = match self.measure(&cold(), Some(COLD_BLOCKS)) {
            Err(Trouble::Failed(why)) => Err(why),
            other => Ok(other?),
        };
        let mut cells = cells(&cached);
        cells.extend(uncached.as_ref().map(self::cells).unwrap_or_default());
        Ok(map_or_copy(&cells, uncached.err().as_deref()))
    }
}

/// For each pair of a mapping and a copying arm, at each point: the blocks that have both.
fn cells(result: &LabResult) -> Vec<Cell> {
    let mapped = |comparison: &&Comparison| comparison.arm.starts_with("file");
    result
        .comparisons
        .iter()
        .filter(mapped)
        .filter_map(|comparison| cell(result, comparison))
        .collect()
}

fn cell(result: &LabResult, comparison: &Comparison) -> Option<Cell> {
    let here = |sample: &&Sample| {
        sample.size_bytes.is_none_or(|size| size == comparison.size_bytes)
            && sample.passes == comparison.passes
    };
    let arm = |name: &str| result.arms.iter().find(|arm| arm.name == name);
    let (map, copy) = (arm(&comparison.arm)?, arm(&comparison.baseline)?);
    let work = map.work.as_ref()?;
    let (mut log_ratios, mut map_ns, mut copy_ns) = (Vec::new(), Vec::new(), Vec::new());
    for mapped in map.samples.iter().filter(here) {
        let Some(copied) =
            copy.samples.iter().filter(here).find(|copied| copied.block == mapped.block)
        else {
            continue;
        };
        let [mapped, copied] = [mapped, copied].map(whole_ns);
        log_ratios.push((mapped / copied).ln());
        map_ns.push(mapped);
        copy_ns.push(copied);
    }
    Some(Cell {
        bytes: usize::try_from(comparison.size_bytes).ok()?,
        random: work.order == "random",
        cold: work.cache == "cold",
        passes: u32::try_from(comparison.passes.unwrap_or(1)).ok()?,
        map_ns: stats::median(&map_ns),
        read_ns: stats::median(&copy_ns),
        log_ratios,
    })
}

/// The time from obtaining to release, for one block of memory.
fn whole_ns(sample: &Sample) -> f64 {
    Metric::Whole.of(sample).max(1) as f64 / sample.operations.max(1) as f64
}

#[cfg(test)]
mod tests {
    use results::{Arm, ArmWork};

    use super::*;

    #[test]
    fn cells_use_blocks_with_both_arms() {
        let sample = |block, ns, passes| Sample {
            block,
            total_ns: ns,
            operations: 2,
            passes: Some(passes),
            ..Sample::default()
        };
        let arm = |name: &str, samples: &[Sample]| Arm {
            name: name.to_owned(),
            work: Some(ArmWork { order: "random".to_owned(), ..ArmWork::plain("file", 1) }),
            samples: samples.to_vec(),
            ..Arm::default()
        };
        let comparison = |passes| Comparison {
            arm: "file at random".to_owned(),
            baseline: "pread at random".to_owned(),
            metric: "whole_ns".to_owned(),
            size_bytes: 4096,
            threads: None,
            passes: Some(passes),
            ratio: 1.0,
            low: None,
            high: None,
            confidence: 0.95,
            blocks: 2,
            verdict: results::Verdict::Inconclusive,
            smallest_detectable: None,
            sensitivity: None,
        };
        let result = LabResult {
            arms: vec![
                arm("pread at random", &[sample(0, 100, 1), sample(1, 100, 1), sample(0, 800, 8)]),
                arm("file at random", &[sample(0, 200, 1), sample(2, 300, 1), sample(0, 400, 8)]),
            ],
            comparisons: vec![comparison(1), comparison(8)],
            ..LabResult::default()
        };
        let cells = cells(&result);
        let seen: Vec<_> = cells
            .iter()
            .map(|cell| (cell.passes, cell.random, cell.cold, cell.map_ns, cell.read_ns))
            .collect();
        assert_eq!(
            seen,
            [(1, true, false, Some(100.0), Some(50.0)), (8, true, false, Some(200.0), Some(400.0))]
        );
        assert!(
            (cells[0].log_ratios[0] - 2_f64.ln()).abs() < 1e-12 && cells[0].log_ratios.len() == 1
        );
    }

    #[test]
    fn the_experiments_are_sound() {
        for text in [warm(), cold()] {
            assert!(lab::Experiment::parse(&text).unwrap().question.ends_with('?'));
        }
    }
}
