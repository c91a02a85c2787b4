//! What `firsttouch doctor --json` writes, `firsttouch.doctor/1`, as types.

use serde::{Deserialize, Serialize};

/// The schema that this version writes.
pub const SCHEMA: &str = "firsttouch.doctor/1";

/// The warnings of a bench result that are caused by a state of the machine. Each is also the id of
/// a check with the details.
pub const BENCH_WARNINGS: [&str; 5] =
    ["thp", "memory-cold", "busy-machine", "perf-refused", "proc-missing"];

/// The checks of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of the program that wrote it.
    pub version: String,
    /// Every check, always in the same order.
    pub checks: Vec<Check>,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Stable name.
    pub id: String,
    /// Its state.
    pub state: State,
    /// What was found, or why the check was not possible.
    pub found: String,
    /// What it distorts or hides, or `null`.
    pub effect: Option<String>,
    /// The command that fixes it, or another remedy; `null` if nothing is wrong.
    pub fix: Option<String>,
    /// The verbs of this version whose figures it distorts or hides now.
    #[serde(default)]
    pub touches: Vec<String>,
}

/// The state of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Something cannot be measured at all.
    Blocked,
    /// A measurement is distorted, or part of it hidden.
    Warn,
    /// Nothing is distorted or hidden.
    Ok,
    /// The machine has no such thing, or does not show it.
    Skip,
}

impl State {
    /// The state as in the file.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            State::Blocked => "blocked",
            State::Warn => "warn",
            State::Ok => "ok",
            State::Skip => "skip",
        }
    }
}

impl Check {
    /// A check without effect and fix.
    #[must_use]
    pub fn new(id: &str, state: State, found: impl Into<String>) -> Self {
        Check {
            id: id.to_owned(),
            state,
            found: found.into(),
            effect: None,
            fix: None,
            touches: Vec::new(),
        }
    }

    /// Sets what it distorts or hides.
    #[must_use]
    pub fn effect(mut self, effect: impl Into<String>) -> Self {
        self.effect = Some(effect.into());
        self
    }

    /// Sets how to fix it.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// Adds a verb whose figures it distorts or hides now.
    #[must_use]
    pub fn touching(mut self, verb: &str) -> Self {
        self.touches.push(verb.to_owned());
        self
    }

    /// Whether it distorts or hides something.
    #[must_use]
    pub fn is_trouble(&self) -> bool {
        self.state <= State::Warn
    }
}

impl Diagnosis {
    /// How many checks distort or hide something.
    #[must_use]
    pub fn troubles(&self) -> usize {
        self.checks.iter().filter(|check| check.is_trouble()).count()
    }

    /// How many of them touch figures of `verb`.
    #[must_use]
    pub fn troubles_of(&self, verb: &str) -> usize {
        self.checks
            .iter()
            .filter(|check| check.is_trouble() && check.touches.iter().any(|other| other == verb))
            .count()
    }

    /// How many checks are in `state`.
    #[must_use]
    pub fn count(&self, state: State) -> usize {
        self.checks.iter().filter(|check| check.state == state).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_a_diagnosis() {
        let check = Check::new("thp", State::Warn, "always").effect("too many").touching("bench");
        let diagnosis =
            Diagnosis { schema: SCHEMA.to_owned(), version: "1".to_owned(), checks: vec![check] };
        let text = serde_json::to_string(&diagnosis).unwrap();
        assert_eq!(
            text,
            concat!(
                r#"{"schema":"firsttouch.doctor/1","version":"1","checks":[{"id":"thp","#,
                r#""state":"warn","found":"always","effect":"too many","fix":null,"#,
                r#""touches":["bench"]}]}"#
            )
        );
        assert_eq!(serde_json::from_str::<Diagnosis>(&text).unwrap(), diagnosis);
        assert_eq!(
            (diagnosis.troubles(), diagnosis.troubles_of("bench"), diagnosis.troubles_of("report")),
            (1, 1, 0)
        );
    }

    #[test]
    fn words_are_those_of_the_file() {
        for state in [State::Blocked, State::Warn, State::Ok, State::Skip] {
            assert_eq!(serde_json::to_string(&state).unwrap(), format!("{:?}", state.word()));
        }
    }
}
