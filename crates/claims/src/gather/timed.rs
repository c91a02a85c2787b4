//! Experiments that the lab runs for the claims about time, each with a time cap.

use lab::{BenchError, BenchRequest, Experiment, MemoryState};
use results::LabResult;
use results::claims::Claim;

use super::Gatherer;
use crate::ClaimsEvent;
use crate::ask::Trouble;
use crate::judge::timed;
use crate::wording::about;

/// malloc against mmap.
fn against_mmap(name: &str, question: &str, size: &str, fill: u8) -> String {
    format!(
        r#"
name = "{name}"
question = "{question}"
metric = "total_ns"
size = "{size}"
margin = 0.05
max_time = "20s"
fill = {fill}
baseline = "mmap"
arms = ["malloc"]
"#
    )
}

/// Both arms write 0, as the post did with memory from malloc.
fn varies() -> String {
    let question =
        "Does the time of malloc and zeroing scatter more than that of mmap as blocks grow?";
    against_mmap("malloc-varies", question, "1MiB,4MiB,16MiB,64MiB", 0)
}

fn equal() -> String {
    let question = "Does malloc of a large block cost what a private anonymous mapping costs?";
    against_mmap("large-equal", question, "32MiB", 1)
}

/// At least half of the time is for cold memory, where it exists: four pairs, or more if the cells
/// are decided early.
const SLOWER: &str = r#"
name = "malloc-slower"
question = "What is the effect of each factor that the post changed at once?"
metric = "total_ns"
size = "16MiB"
margin = 0.05
max_time = "58s"

[factors]
api = ["malloc", "mmap"]
fill = [0, 1]
position = ["first", "second"]
memory = ["cold", "warm"]
"#;

impl Gatherer<'_> {
    /// Runs an experiment of `blocks` blocks, or of as many as its question needs.
    pub(super) fn measure(
        &mut self,
        experiment: &str,
        blocks: Option<u64>,
    ) -> Result<LabResult, Trouble> {
        let experiment = Experiment::parse(experiment)
            .map_err(|mistake| Trouble::Failed(mistake.to_string()))?;
        let request = BenchRequest {
            max_time: experiment.max_time,
            experiment,
            sizes_bytes: None,
            threads: None,
            passes: None,
            arms: Vec::new(),
            blocks,
            margin: None,
            seed: self.seed,
            cpu: None,
            directory: Some(self.folder.clone()),
            memory: MemoryState::Warm,
        };
        let interrupt = self.asker.interrupt();
        let watch = &mut self.watch;
        let result = lab::bench(&request, interrupt, |event| watch(ClaimsEvent::Lab(event)));

        if interrupt.received().is_some() {
            return Err(Trouble::Interrupted);
        }
        result.map_err(|error| match error {
            BenchError::Interrupted => Trouble::Interrupted,
            BenchError::Capacity { refusal, .. } => Trouble::Failed(format!(
                "a sample needs {}, but {} leaves {}",
                about(refusal.needed),
                refusal.limit,
                about(refusal.left)
            )),
            other => Trouble::Failed(other.to_string()),
        })
    }

    pub(super) fn malloc_varies(&mut self) -> Result<Claim, Trouble> {
        self.measure(&varies(), None).map(|result| timed::malloc_varies(&result))
    }

    pub(super) fn malloc_slower(&mut self) -> Result<Claim, Trouble> {
        self.measure(SLOWER, None).map(|result| timed::malloc_slower(&result))
    }

    pub(super) fn large_equal(&mut self) -> Result<Claim, Trouble> {
        self.measure(&equal(), None).map(|result| timed::large_equal(&result))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_experiments_are_sound() {
        for text in [varies(), SLOWER.to_owned(), equal()] {
            let experiment = Experiment::parse(&text).unwrap();
            assert!(experiment.question.ends_with('?') && experiment.max_time.is_some());
        }
    }
}
