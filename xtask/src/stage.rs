//! The stages of `prove`.

/// The subject of a stage that runs the lab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// Four copies of the baseline.
    Same,
    /// More of the same work: 1, 2 and 5 %.
    Injected,
    /// One copy: the lab beside other tools.
    OneCopy,
}

/// The kind of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Runs the lab on work with a known result.
    Lab(Subject),
    /// Compares the lab's child with a C program.
    Phases,
    /// Runs other tools and the lab in turn.
    Peers,
}

/// A stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stage {
    /// Its kind.
    pub(crate) kind: Kind,
    /// Whether a busy neighbour runs at the same time.
    pub(crate) busy: bool,
}

impl Stage {
    /// All stages, in the order of running.
    pub(crate) const ALL: [Stage; 7] = [
        Stage { kind: Kind::Phases, busy: false },
        Stage { kind: Kind::Lab(Subject::Same), busy: false },
        Stage { kind: Kind::Lab(Subject::Injected), busy: false },
        Stage { kind: Kind::Peers, busy: false },
        Stage { kind: Kind::Lab(Subject::Same), busy: true },
        Stage { kind: Kind::Lab(Subject::Injected), busy: true },
        Stage { kind: Kind::Peers, busy: true },
    ];

    /// The name on the command line and of the stage's file.
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
    /// A message with the nearest name.
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        let names: Vec<String> = Stage::ALL.iter().map(|stage| stage.name()).collect();
        Stage::ALL.into_iter().find(|stage| stage.name() == name).ok_or_else(|| {
            let near = lab::question::arm::nearest(name, names.iter().map(String::as_str));
            let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            format!("no stage {name:?}{hint} Known: {}", names.join(", "))
        })
    }

    /// The number of runs, or an eighth of it with `quick`.
    #[must_use]
    pub(crate) fn runs(self, quick: bool) -> usize {
        let full = match self.kind {
            Kind::Phases => 96,
            Kind::Lab(_) | Kind::Peers => 100,
        };
        if quick { full / 8 } else { full }
    }

    /// A one-line description.
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
                "hyperfine, criterion and tango on the same work under two names, in turn with the \
                lab"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_gets_the_nearest_as_hint() {
        for stage in Stage::ALL {
            assert_eq!(Stage::named(&stage.name()), Ok(stage));
        }
        assert!(Stage::named("aa-quite").unwrap_err().contains("did you mean aa-quiet?"));
    }
}
