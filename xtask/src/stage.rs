//! The stages of the proof.

/// What the lab is run on in a stage of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// Four copies of the baseline.
    Same,
    /// More of the same work: 1, 2 and 5 %.
    Injected,
    /// One copy: the lab beside its peers.
    OneCopy,
}

/// What a stage does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Runs the lab on itself.
    Lab(Subject),
    /// Holds the lab's child against a C program.
    Phases,
    /// Other tools, and the lab in turn with them.
    Peers,
}

/// A stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stage {
    /// What it does.
    pub(crate) kind: Kind,
    /// Whether a neighbour works meanwhile.
    pub(crate) busy: bool,
}

impl Stage {
    /// All, in the order of running.
    pub(crate) const ALL: [Stage; 7] = [
        Stage { kind: Kind::Phases, busy: false },
        Stage { kind: Kind::Lab(Subject::Same), busy: false },
        Stage { kind: Kind::Lab(Subject::Injected), busy: false },
        Stage { kind: Kind::Peers, busy: false },
        Stage { kind: Kind::Lab(Subject::Same), busy: true },
        Stage { kind: Kind::Lab(Subject::Injected), busy: true },
        Stage { kind: Kind::Peers, busy: true },
    ];

    /// As on the command line, and of its file.
    #[must_use]
    pub(crate) fn name(self) -> String {
        let kind = match self.kind {
            Kind::Lab(Subject::Same) => "aa",
            Kind::Lab(Subject::Injected) => "injected",
            Kind::Lab(Subject::OneCopy) | Kind::Peers => "peers",
            Kind::Phases => return "phases".to_owned(),
        };
        format!("{kind}-{}", if self.busy { "busy" } else { "quiet" })
    }

    /// The stage called `name`.
    ///
    /// # Errors
    /// A sentence with the nearest name.
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        let names: Vec<String> = Stage::ALL.iter().map(|stage| stage.name()).collect();
        Stage::ALL.into_iter().find(|stage| stage.name() == name).ok_or_else(|| {
            let near = lab::question::arm::nearest(name, names.iter().map(String::as_str));
            let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            format!("there is no stage {name:?}{hint} Known: {}", names.join(", "))
        })
    }

    /// Runs that the proof asks for, or an eighth of them for a first impression.
    #[must_use]
    pub(crate) fn runs(self, quick: bool) -> usize {
        let full = match self.kind {
            Kind::Phases => 96,
            Kind::Lab(_) | Kind::Peers => 100,
        };
        if quick { full / 8 } else { full }
    }

    /// What it is, in a line.
    #[must_use]
    pub(crate) fn about(self) -> &'static str {
        match self.kind {
            Kind::Phases => {
                "the lab's child against a C program of the same phases, block by block"
            }
            Kind::Lab(Subject::Same) => {
                "four copies of mmap against mmap: how often is one called different?"
            }
            Kind::Lab(Subject::Injected) => {
                "1, 2 and 5 % more of the same work: how often is it found?"
            }
            Kind::Lab(Subject::OneCopy) | Kind::Peers => {
                "hyperfine, criterion and tango on the same work under two names, in turn with the lab"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_and_the_nearest_is_told() {
        for stage in Stage::ALL {
            assert_eq!(Stage::named(&stage.name()), Ok(stage));
        }
        assert!(Stage::named("aa-quite").unwrap_err().contains("did you mean aa-quiet?"));
    }
}
