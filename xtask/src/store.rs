//! The results so far: one line of JSON for each run of a stage, so an interrupted stage can
//! continue.

use std::fs::{OpenOptions, create_dir_all, read_to_string};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A directory with a file for each stage.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    directory: PathBuf,
    program: String,
}

/// One line.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Line<T> {
    /// The build of the program.
    program: String,
    #[serde(flatten)]
    outcome: T,
}

impl Store {
    /// The store in `directory` for results of `program` (a text that changes with the build).
    ///
    /// # Errors
    /// If the directory cannot be made.
    pub(crate) fn open(directory: &Path, program: String) -> anyhow::Result<Self> {
        create_dir_all(directory)
            .with_context(|| format!("cannot create {}", directory.display()))?;
        Ok(Store { directory: directory.to_owned(), program })
    }

    fn file(&self, stage: &str) -> PathBuf {
        self.directory.join(format!("{stage}.jsonl"))
    }

    /// The outcomes of `stage`, and the number of ignored lines: of another program, or broken.
    ///
    /// # Errors
    /// If the file exists and cannot be read.
    pub(crate) fn read<T: DeserializeOwned>(&self, stage: &str) -> anyhow::Result<(Vec<T>, usize)> {
        let file = self.file(stage);
        if !file.exists() {
            return Ok((Vec::new(), 0));
        }
        let text =
            read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let lines: Vec<Option<T>> = text
            .lines()
            .map(|line| serde_json::from_str::<Line<T>>(line).ok())
            .map(|line| line.filter(|line| line.program == self.program).map(|line| line.outcome))
            .collect();
        let all = lines.len();
        let own: Vec<T> = lines.into_iter().flatten().collect();
        let other = all - own.len();
        Ok((own, other))
    }

    /// Adds an outcome.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn add<T: Serialize>(&self, stage: &str, outcome: T) -> anyhow::Result<()> {
        let file = self.file(stage);
        let line = serde_json::to_string(&Line { program: self.program.clone(), outcome })?;
        let mut open = OpenOptions::new().create(true).append(true).open(&file);
        let written = open
            .as_mut()
            .map_err(|e| std::io::Error::from(e.kind()))
            .and_then(|f| writeln!(f, "{line}"));
        written.with_context(|| format!("cannot write {}", file.display()))
    }

    /// Removes the results of `stage`.
    ///
    /// # Errors
    /// If the file cannot be removed.
    pub(crate) fn forget(&self, stage: &str) -> anyhow::Result<()> {
        let file = self.file(stage);
        if file.exists() {
            std::fs::remove_file(&file)
                .with_context(|| format!("cannot remove {}", file.display()))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Outcome {
        seed: u64,
    }

    #[test]
    fn outcomes_of_another_program_do_not_count() {
        let directory =
            std::env::temp_dir().join(format!("firsttouch-store-{}", std::process::id()));
        let store = Store::open(&directory, "one".to_owned()).unwrap();
        store.add("aa", Outcome { seed: 1 }).unwrap();
        let other = Store::open(&directory, "two".to_owned()).unwrap();
        other.add("aa", Outcome { seed: 2 }).unwrap();
        std::fs::write(
            directory.join("aa.jsonl"),
            std::fs::read_to_string(directory.join("aa.jsonl")).unwrap() + "{\"se",
        )
        .unwrap();
        assert_eq!(store.read::<Outcome>("aa").unwrap(), (vec![Outcome { seed: 1 }], 2));
        store.forget("aa").unwrap();
        assert_eq!(store.read::<Outcome>("aa").unwrap(), (vec![], 0));
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
