//! A result as hyperfine writes its own. Mean, deviation and extremes are computed here: they are
//! in that file by hyperfine's definition, and in no result of ours.

use results::hyperfine::{Benchmark, Summary};

use super::series::{Run, Series, size};

/// A benchmark for each arm, in a sweep for each of its points. The placebo is left out: it is no
/// command of its own, and hyperfine's t-test takes a file of exactly two.
pub(super) fn summary(series: &[Series]) -> Summary {
    let results = series.iter().filter(|series| !series.is_placebo).map(benchmark);
    Summary { results: results.collect() }
}

fn benchmark(series: &Series) -> Benchmark {
    let times: Vec<f64> = series.runs.iter().map(|run| seconds(run.time_ns)).collect();
    let mean = mean(&times);
    let mut ascending = times.clone();
    ascending.sort_by(f64::total_cmp);
    let of_runs = |value: fn(&Run) -> Option<u64>| -> Option<Vec<u64>> {
        series.runs.iter().map(value).collect()
    };
    let cpu = |mode: fn(&Run) -> Option<u64>| {
        let times = of_runs(mode)?.into_iter().map(seconds);
        Some(self::mean(&times.collect::<Vec<_>>()))
    };
    Benchmark {
        command: command(series),
        mean,
        stddev: deviation(&times, mean),
        median: f64::midpoint(ascending[(ascending.len() - 1) / 2], ascending[ascending.len() / 2]),
        user: cpu(|run| run.cpu_ns.map(|[user, _]| user)),
        system: cpu(|run| run.cpu_ns.map(|[_, system]| system)),
        min: ascending[0],
        max: ascending[ascending.len() - 1],
        times,
        memory_usage_byte: of_runs(|run| run.max_rss_bytes),
        exit_codes: series.runs.iter().map(|run| run.exit_code).collect(),
        parameters: series
            .point
            .parts()
            .map(|(name, value)| (name.to_owned(), value.to_string()))
            .collect(),
    }
}

/// The arm, and the point: the scripts label with it, so it stands for no other benchmark.
fn command(series: &Series) -> String {
    let point = series.point.parts().map(|(name, value)| match (name, value) {
        ("size_bytes", bytes) => size(bytes),
        (name, value) => format!("{name} {value}"),
    });
    std::iter::once(series.arm.to_owned()).chain(point).collect::<Vec<_>>().join(", ")
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The sample standard deviation.
fn deviation(values: &[f64], mean: f64) -> Option<f64> {
    let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    (values.len() > 1).then(|| (squares / (values.len() - 1) as f64).sqrt())
}
