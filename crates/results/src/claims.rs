//! What `firsttouch claims --json` writes, `firsttouch.claims/1`, as types.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The schema that this version writes.
pub const SCHEMA: &str = "firsttouch.claims/1";

/// The claims tested on a machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claims {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of the program that wrote it.
    pub version: String,
    /// The seed of every random choice.
    pub seed: u64,
    /// The machine and the process that were tested.
    pub machine: Tested,
    /// The requested claims, in the order of the list.
    pub claims: Vec<Claim>,
    /// The ids of requested claims that an interrupt left untested.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub untested: Vec<String>,
}

/// The machine and process that claims were tested on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tested {
    /// Kernel release, as in `uname -r`.
    pub kernel: Option<String>,
    /// The C library: `glibc 2.36`.
    pub libc: Option<String>,
    /// The file that malloc came from.
    pub malloc: Option<String>,
    /// Transparent huge pages of 2 MiB for anonymous memory: `always`, `madvise` or `never`.
    pub thp: Option<String>,
    /// Size of a base page.
    pub page_bytes: u64,
}

/// One claim and the result of its test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// Stable name.
    pub id: String,
    /// The statement.
    pub statement: String,
    /// The verdict on this machine.
    pub verdict: ClaimVerdict,
    /// The evidence in figures, or why the claim cannot be tested. Never empty.
    pub evidence: String,
    /// One sentence: details and limits of the evidence.
    pub explanation: String,
    /// The figures behind the evidence. Times end in `_ns`, sizes in `_bytes`; ratios are plain
    /// numbers.
    pub figures: Map<String, Value>,
}

/// The verdict of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClaimVerdict {
    /// True here.
    Holds,
    /// Not true here.
    DoesNotHold,
    /// The data do not decide.
    Inconclusive,
    /// It cannot be tested here.
    CannotTest,
}

impl ClaimVerdict {
    /// The verdict as on a screen.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            ClaimVerdict::Holds => "holds",
            ClaimVerdict::DoesNotHold => "does not hold",
            ClaimVerdict::Inconclusive => "inconclusive",
            ClaimVerdict::CannotTest => "cannot test",
        }
    }
}

impl Claim {
    /// Adds a figure.
    #[must_use]
    pub fn figure(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.figures.insert(key.to_owned(), value.into());
        self
    }
}

impl Claims {
    /// How many claims have the verdict `standing`.
    #[must_use]
    pub fn count(&self, standing: ClaimVerdict) -> usize {
        self.claims.iter().filter(|claim| claim.verdict == standing).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_a_claim() {
        let claim = Claim {
            id: "zero-fill".to_owned(),
            statement: "anonymous mappings read as zero".to_owned(),
            verdict: ClaimVerdict::DoesNotHold,
            evidence: "1 byte is not".to_owned(),
            explanation: "Odd.".to_owned(),
            figures: Map::new(),
        };
        let text = serde_json::to_string(&claim.figure("nonzero_bytes", 1)).unwrap();
        assert_eq!(
            text,
            concat!(
                r#"{"id":"zero-fill","statement":"anonymous mappings read as zero","#,
                r#""verdict":"does-not-hold","evidence":"1 byte is not","explanation":"Odd.","#,
                r#""figures":{"nonzero_bytes":1}}"#
            )
        );
        assert_eq!(serde_json::from_str::<Claim>(&text).unwrap().figures["nonzero_bytes"], 1);
    }
}
