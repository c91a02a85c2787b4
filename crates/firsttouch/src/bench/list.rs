//! `firsttouch bench --list`: the experiments, and what each compares.

use lab::Experiment;
use lab::question::experiment::{Subject, built_in};
use lab::question::request::MAX_TIME;
use report::{View, wrapped};

/// The column at which questions begin: the longest name, and a space.
const NAME_COLUMNS: usize = 15;

/// A line for each experiment; with `-v` also its arms, sizes and time.
pub(super) fn all(view: View) -> String {
    let entry = |experiment: &Experiment| {
        if view.verbose { one(experiment, view) } else { question(experiment, view) }
    };
    built_in().iter().map(entry).collect()
}

/// One experiment whole.
pub(super) fn one(experiment: &Experiment, view: View) -> String {
    question(experiment, view) + &line("", &details(experiment), view)
}

fn question(experiment: &Experiment, view: View) -> String {
    line(&experiment.name, &experiment.question, view)
}

fn line(name: &str, text: &str, view: View) -> String {
    let name = report::clean(name);
    wrapped(&format!("{name:NAME_COLUMNS$}"), &report::clean(text), view.width)
}

fn details(experiment: &Experiment) -> String {
    let sizes: Vec<String> =
        experiment.sizes_bytes.iter().map(|size| report::bytes(*size as f64)).collect();
    let compared = match &experiment.subject {
        Subject::Arms { baseline, arms, .. } => {
            let names: Vec<&str> = arms.iter().map(|arm| arm.name.as_str()).collect();
            format!("{} against {}", names.join(", "), baseline.name)
        }
        Subject::Floors => {
            "each step alone, and each source against the floor of its pages".to_owned()
        }
        Subject::Factors(factors) => {
            let api = factors.api.map(|api| api.name().to_owned()).join(", ");
            let fill = factors.fill.map(|fill| fill.to_string()).join(", ");
            format!("{api} x fill {fill} x first, second")
        }
    };
    let seconds = experiment.max_time.unwrap_or(MAX_TIME).as_secs();
    format!("{compared}; {}; at most {seconds} s", sizes.join(", "))
}
