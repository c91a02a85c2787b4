//! Everything that is fixed before the first sample.

pub mod arrangement;
pub mod capacity;
pub(crate) mod error;
pub mod factorial;
pub(crate) mod from_request;
pub(crate) mod impossible;
pub mod machine;
pub mod machine_limits;
pub mod randomization;
pub mod schedule;
pub(crate) mod survey;
pub mod time_budget;
pub mod trial;
pub mod work;

use std::time::Duration;

use results::Refused;

use crate::question::experiment::{Experiment, Metric};
use crate::question::memory::MemoryState;
use crate::question::quantity::bytes_text;
use error::BenchError;
use schedule::Schedule;
use work::Work;

/// The role of an arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Other arms are compared with it.
    Baseline,
    /// It is compared with the baseline or another arm.
    Compared,
    /// The baseline under another name.
    Placebo,
}

/// An arm at a point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArmPlan {
    /// Its name, the same at all points.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// Index of its point in [`Design::points`].
    pub point: usize,
    /// The work of a sample.
    pub work: Work,
}

/// A size, a number of threads and, if the run sweeps over passes, a number of passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// Bytes of one block of memory.
    pub size_bytes: u64,
    /// Threads that share the work.
    pub threads: u64,
    /// The number of touches; `None`: as in each arm.
    pub passes: Option<u32>,
}

impl Point {
    /// A point at which each arm has its own number of passes.
    #[must_use]
    pub fn new(size_bytes: u64, threads: u64) -> Self {
        Point { size_bytes, threads, passes: None }
    }
}

/// What a run sweeps over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Swept {
    /// Sizes of blocks of memory.
    pub sizes: bool,
    /// Numbers of threads.
    pub threads: bool,
    /// Numbers of passes.
    pub passes: bool,
}

/// The quantity that is estimated from every block: the mean logarithm of some arms less that of
/// others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contrast {
    /// The index of a factor of a factorial experiment; `None`: a comparison of two arms.
    pub factor: Option<usize>,
    /// The index of the compared figure, where a trial compares several.
    pub metric: usize,
    /// The arms that are added, by index.
    pub plus: Vec<usize>,
    /// The arms that are subtracted, by index.
    pub minus: Vec<usize>,
}

impl Contrast {
    /// One arm against another.
    #[must_use]
    pub fn pair(arm: usize, baseline: usize) -> Self {
        Contrast { factor: None, metric: 0, plus: vec![arm], minus: vec![baseline] }
    }

    /// All arms that it needs.
    pub fn arms(&self) -> impl Iterator<Item = usize> + '_ {
        self.plus.iter().chain(&self.minus).copied()
    }
}

/// A whole run, before it starts.
#[derive(Debug, Clone, PartialEq)]
pub struct Design {
    /// The question.
    pub experiment: Experiment,
    /// Sizes and numbers of threads, in the order of the screen.
    pub points: Vec<Point>,
    /// The arms, point by point, in their order on the screen.
    pub arms: Vec<ArmPlan>,
    /// The contrasts to decide.
    pub contrasts: Vec<Contrast>,
    /// The placebos against their baselines.
    pub placebo: Contrast,
    /// The factors that are crossed; empty unless the experiment is factorial.
    pub factors: Vec<results::Factor>,
    /// Looks and cap.
    pub schedule: Schedule,
    /// The number of blocks, if the user requested one instead of the scheduled looks.
    pub blocks: Option<u64>,
    /// A difference below this share does not matter.
    pub margin: f64,
    /// The seed of every random choice.
    pub seed: u64,
    /// The processor to measure on.
    pub cpu: Option<u32>,
    /// The state of free memory to measure in.
    pub memory: MemoryState,
    /// What the whole run sweeps over, if this design is one point of it.
    pub swept: Option<Swept>,
    /// Whether pairs of cold and warm samples follow, in the time that this schedule leaves.
    pub pairs_follow: bool,
}

impl Design {
    /// The figure of a sample that is compared.
    #[must_use]
    pub fn metric(&self) -> Metric {
        self.experiment.metric
    }

    /// The time cap of a whole run that leaves `needed` to this design.
    #[must_use]
    pub fn whole_cap(&self, needed: Duration) -> Duration {
        let needed =
            if self.experiment.bisect { time_budget::cap_with_bisections(needed) } else { needed };
        if self.pairs_follow { needed + needed.min(time_budget::pairs_time()) } else { needed }
    }

    /// Whether the point of `arm`, or the whole factorial experiment, is useless without it.
    #[must_use]
    pub fn essential(&self, arm: usize) -> bool {
        !self.factors.is_empty() || self.arms[arm].role != Role::Compared
    }

    /// An error if no contrast is left, with the reasons why the arms were `refused`.
    ///
    /// # Errors
    /// [`BenchError::NothingToCompare`].
    pub fn comparable(&self, refused: &[Refused]) -> Result<(), BenchError> {
        if !self.contrasts.is_empty() {
            return Ok(());
        }
        let reasons: Vec<String> =
            refused.iter().map(|r| format!("{}: {}", r.arm, r.reason)).collect();
        Err(BenchError::NothingToCompare(reasons.join("; ")))
    }

    /// The name of an arm without which nothing can be compared. The placebo is the baseline under
    /// another name.
    #[must_use]
    pub fn essential_name(&self, arm: usize) -> String {
        let plan = &self.arms[arm];
        let same_point =
            |other: &&ArmPlan| other.role == Role::Baseline && other.point == plan.point;
        let baseline =
            self.arms.iter().find(same_point).map_or(&plan.name, |baseline| &baseline.name);
        match plan.role {
            Role::Baseline | Role::Placebo => format!("baseline {baseline}"),
            Role::Compared => format!("cell \"{}\"", plan.name),
        }
    }

    /// Whether the points of the run differ in `of`.
    fn several<T: PartialEq>(&self, of: fn(&Point) -> T) -> bool {
        self.points.iter().any(|point| of(point) != of(&self.points[0]))
    }

    /// What the run sweeps over.
    #[must_use]
    pub fn sweeps(&self) -> Swept {
        self.swept.unwrap_or(Swept {
            sizes: self.several(|point| point.size_bytes),
            threads: self.several(|point| point.threads),
            passes: self.several(|point| point.passes),
        })
    }

    /// Whether `arm` is the baseline's second appearance.
    #[must_use]
    pub fn is_placebo(&self, arm: usize) -> bool {
        self.arms[arm].role == Role::Placebo
    }

    /// Whether the run sweeps over sizes.
    #[must_use]
    pub fn sweeps_sizes(&self) -> bool {
        self.sweeps().sizes
    }

    /// Whether the run sweeps over numbers of threads.
    #[must_use]
    pub fn sweeps_threads(&self) -> bool {
        self.sweeps().threads
    }

    /// Whether the run sweeps over numbers of passes.
    #[must_use]
    pub fn sweeps_passes(&self) -> bool {
        self.sweeps().passes
    }

    /// The name of `arm` with its point, as far as the run sweeps.
    #[must_use]
    pub fn label(&self, arm: usize) -> String {
        let plan = &self.arms[arm];
        let size = self.sweeps_sizes().then(|| format!(" at {}", bytes_text(plan.work.size_bytes)));
        let several =
            |n: u64, one: &str, many: &str| format!(", {n} {}", if n == 1 { one } else { many });
        let threads =
            self.sweeps_threads().then(|| several(plan.work.threads, "thread", "threads"));
        let passes = self
            .sweeps_passes()
            .then(|| several(u64::from(plan.work.pattern.passes), "pass", "passes"));
        [Some(plan.name.clone()), size, threads, passes].into_iter().flatten().collect()
    }

    /// The same design without the arms in `gone`. A point that loses an essential arm loses all.
    #[must_use]
    pub fn without(&self, gone: &[usize]) -> Design {
        let lost = |point: usize| {
            gone.iter().any(|&arm| self.arms[arm].point == point && self.essential(arm))
        };
        let stays = |arm: &usize| !gone.contains(arm) && !lost(self.arms[*arm].point);
        let kept: Vec<usize> = (0..self.arms.len()).filter(stays).collect();
        let points: Vec<usize> = (0..self.points.len()).filter(|&point| !lost(point)).collect();
        let place = |of: &[usize], old: usize| of.iter().position(|&index| index == old);
        let moved = |arms: &[usize]| {
            arms.iter().filter_map(|&arm| place(&kept, arm)).collect::<Vec<usize>>()
        };
        let arm = |&old: &usize| {
            let plan = &self.arms[old];
            Some(ArmPlan { point: place(&points, plan.point)?, ..plan.clone() })
        };
        let whole = |contrast: &&Contrast| contrast.arms().all(|arm| kept.contains(&arm));
        let contrast = |old: &Contrast| Contrast {
            factor: old.factor,
            metric: old.metric,
            plus: moved(&old.plus),
            minus: moved(&old.minus),
        };
        Design {
            points: points.iter().map(|&point| self.points[point]).collect(),
            arms: kept.iter().filter_map(arm).collect(),
            contrasts: self.contrasts.iter().filter(whole).map(contrast).collect(),
            placebo: contrast(&self.placebo),
            ..self.clone()
        }
    }

    /// The arms of `point`, by index.
    pub fn arms_of(&self, point: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.arms.len()).filter(move |&arm| self.arms[arm].point == point)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A design without arms.
    pub(crate) fn empty(experiment: Experiment) -> Design {
        Design {
            experiment,
            points: Vec::new(),
            arms: Vec::new(),
            contrasts: Vec::new(),
            placebo: Contrast::default(),
            factors: Vec::new(),
            schedule: Schedule::sequential(Duration::from_mins(1)),
            blocks: None,
            margin: 0.03,
            seed: 1,
            cpu: None,
            memory: MemoryState::Warm,
            swept: None,
            pairs_follow: false,
        }
    }
}
