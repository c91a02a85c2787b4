//! The experiment, in the form of the result file.

use std::time::Duration;

use sample::measurement::nanoseconds;

use crate::design::survey::FILL;
use crate::design::{Design, Point};
use crate::question::experiment::Subject;
use crate::question::request::BenchRequest;

/// The user's options that are not in the design.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    arms: Vec<String>,
    passes: Option<u64>,
    directory: Option<String>,
}

impl Asked {
    /// The options of `request`.
    #[must_use]
    pub(crate) fn by(request: &BenchRequest) -> Self {
        Asked {
            arms: request.arms.iter().map(|arm| arm.name.clone()).collect(),
            passes: match request.passes.as_deref() {
                Some(&[one]) => Some(u64::from(one)),
                _ => None,
            },
            directory: request.directory.as_ref().map(|path| path.display().to_string()),
        }
    }
}

/// The question, and how it was measured.
pub(super) fn experiment(
    design: &Design,
    cap: Option<Duration>,
    asked: Asked,
) -> results::ExperimentRecord {
    let first = design.arms.first().map(|arm| &arm.work);
    let fill = match &design.experiment.subject {
        Subject::Arms { defaults, .. } => defaults.fill,
        Subject::Factors(factors) => factors.fill[1],
        Subject::Floors => FILL,
    };
    let distinct = |of: fn(&Point) -> u64| {
        let mut values: Vec<u64> = design.points.iter().map(of).collect();
        values.sort_unstable();
        values.dedup();
        values
    };
    let several = |values: Vec<u64>| if values.len() > 1 { values } else { Vec::new() };
    let threads = distinct(|point| point.threads);
    results::ExperimentRecord {
        name: design.experiment.name.clone(),
        file: design.experiment.file.clone(),
        question: design.experiment.question.clone(),
        metric: design.metric().name().to_owned(),
        margin: design.margin,
        size_bytes: design.points.first().map_or(0, |point| point.size_bytes),
        sizes_bytes: several(distinct(|point| point.size_bytes)),
        threads: if threads == [1] { Vec::new() } else { threads },
        passes: several(distinct(|point| u64::from(point.passes.unwrap_or(0)))),
        factors: design.factors.clone(),
        operations: first.map_or(0, |work| work.operations),
        fill,
        memory: design.memory.name().to_owned(),
        cpu: design.cpu,
        max_time_ns: cap.map(nanoseconds),
        asked_arms: asked.arms,
        asked_passes: asked.passes,
        asked_directory: asked.directory,
        blocks: design.blocks,
    }
}
