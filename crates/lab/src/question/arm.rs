//! Arms as users write them: a source, a source with its own name and settings, or the injected
//! arm.

use std::collections::BTreeMap;

use sample::access_pattern::{Between, Cache, PageOrder, Touch};
use sample::source::Source;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::question::defaults::AccessOverrides;
use crate::question::preload::{Allocator, Environment};
use crate::question::quantity::parse_share;

/// The name of the baseline's second appearance.
pub const PLACEBO: &str = "placebo";

/// An arm of an experiment, before its size and place are known.
#[derive(Debug, Clone, PartialEq)]
pub struct ArmSpec {
    /// Its name.
    pub name: String,
    /// The source of its memory; `None`: that of the baseline.
    pub source: Option<Source>,
    /// The arm that it is compared with; `None`: the same arm without its allocator, if that is
    /// measured too, or else the baseline.
    pub against: Option<String>,
    /// The byte to write; `None`: that of the experiment.
    pub fill: Option<u8>,
    /// The additional share of the same work that it does: 0 for all arms but the injected one.
    pub extra: f64,
    /// The use of its memory, where it differs from the experiment's.
    pub overrides: AccessOverrides,
    /// Whether its threads share one mapping.
    pub one_mapping: bool,
    /// The environment of its children.
    pub environment: Environment,
}

impl ArmSpec {
    /// The arm called `name`: one of the sources, like `malloc`, perhaps with an allocator, like
    /// `malloc@jemalloc`; or `injected:+x%`, which does x % more work than the baseline, to prove
    /// that the lab detects it.
    ///
    /// # Errors
    /// A message with the nearest name.
    pub fn named(name: &str) -> Result<Self, String> {
        if let Some(share) = name.strip_prefix("injected:+") {
            let extra = parse_share(share).map_err(|error| format!("{name:?}: {error}"))?;
            return Ok(ArmSpec { name: name.to_owned(), extra, ..Self::blank() });
        }
        match name.split_once('@') {
            None => source(name).map(Self::of),
            Some((first, allocator)) => {
                Self::of(source(first)?).with_allocator(Allocator::named(allocator)?)
            }
        }
    }

    /// The same arm under `allocator`.
    ///
    /// # Errors
    /// If its memory does not come from an allocator.
    pub fn with_allocator(self, allocator: Allocator) -> Result<Self, String> {
        if !self.source.is_some_and(Source::is_of_the_heap) {
            return Err(format!(
                "{} does not use the process's allocator, so {} has no effect on it",
                self.name, allocator.name
            ));
        }
        let name = format!("{}@{}", self.name, allocator.name);
        let environment = Environment { allocator: Some(allocator), ..self.environment };
        Ok(ArmSpec { name, environment, against: None, ..self })
    }

    /// The arm that it is compared with, the arm that that one is compared with, and so on, as far
    /// as `named` finds them. Never ends if they form a cycle.
    pub fn chain<'a>(
        &'a self,
        named: impl Fn(&str) -> Option<&'a ArmSpec> + 'a,
    ) -> impl Iterator<Item = &'a ArmSpec> {
        let next = move |arm: &ArmSpec| arm.against.as_deref().and_then(&named);
        std::iter::successors(next(self), move |arm| next(arm))
    }

    fn blank() -> Self {
        ArmSpec {
            name: String::new(),
            source: None,
            against: None,
            fill: None,
            extra: 0.0,
            overrides: AccessOverrides::default(),
            one_mapping: false,
            environment: Environment::default(),
        }
    }

    /// The plain arm of `source`.
    #[must_use]
    pub fn of(source: Source) -> Self {
        ArmSpec { name: source.name().to_owned(), source: Some(source), ..Self::blank() }
    }
}

/// The source called `name`.
///
/// # Errors
/// A message with the nearest name, and all names.
pub fn source(name: &str) -> Result<Source, String> {
    Source::named(name).ok_or_else(|| {
        let names: Vec<&str> = Source::all().map(Source::name).collect();
        let hint = nearest(name, names.iter().copied())
            .map_or(".".to_owned(), |near| format!("; did you mean {near}?"));
        format!("unknown arm {name:?}{hint} Known: {}", names.join(", "))
    })
}

/// The name in `known` that is closest to `wanted`, if any is close.
#[must_use]
pub fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |name: &str| strsim::jaro_winkler(&wanted.to_lowercase(), name);
    known
        .into_iter()
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
        .filter(|name| likeness(name) > 0.7)
}

impl<'de> Deserialize<'de> for ArmSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = ArmSpec;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(
                    "the name of an arm, such as \"malloc\", or { name = \"...\", source = \
                     \"malloc\", fill = 1 }",
                )
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<ArmSpec, E> {
                ArmSpec::named(name).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ArmSpec, A::Error> {
                let table = Table::deserialize(MapAccessDeserializer::new(map))?;
                let (name, source) = (table.name.clone(), table.source.clone());
                if name.is_empty()
                    || name.len() > 40
                    || name.chars().any(|c| c != ' ' && !c.is_ascii_graphic())
                {
                    return Err(A::Error::custom(
                        "the name of an arm has 1 to 40 letters, digits, spaces and punctuation \
                         marks (ASCII)",
                    ));
                }
                let spec = ArmSpec::named(&source).map_err(A::Error::custom)?;
                if Source::named(&name).is_some_and(|other| Some(other) != spec.source) {
                    return Err(A::Error::custom(format!(
                        "{name} is the name of another source: give the arm of {source} another \
                         name"
                    )));
                }
                table.complete(spec).map_err(A::Error::custom)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    name: String,
    source: String,
    against: Option<String>,
    fill: Option<u8>,
    touch: Option<Touch>,
    order: Option<PageOrder>,
    between: Option<Between>,
    passes: Option<u32>,
    cache: Option<Cache>,
    mapping: Option<Sharing>,
    allocator: Option<String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
}

/// The mapping that the threads touch.
#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Sharing {
    Each,
    One,
}

impl Table {
    /// Completes `spec`, the arm of the source, by the other keys of the table.
    fn complete(self, spec: ArmSpec) -> Result<ArmSpec, String> {
        let spec = match self.allocator {
            Some(allocator) => spec.with_allocator(Allocator::named(&allocator)?)?,
            None => spec,
        };
        let one_mapping = self.mapping == Some(Sharing::One);
        if one_mapping && spec.source != Some(Source::Mmap) {
            return Err(format!(
                "mapping = \"one\" is for the source mmap, not for {}",
                self.source
            ));
        }
        if let Some(name) =
            self.environment.keys().find(|name| name.is_empty() || name.contains(['=', '\0']))
        {
            return Err(format!("{name:?} is not the name of an environment variable"));
        }
        if let Some((name, _)) = self.environment.iter().find(|(_, value)| value.contains('\0')) {
            return Err(format!(
                "the value of {name} contains a zero byte, which no environment variable can have"
            ));
        }
        if self.environment.contains_key("LD_PRELOAD") {
            return Err("LD_PRELOAD cannot be set: use the key allocator, which sets it".to_owned());
        }
        if spec.source.is_none() && self.against.is_some() {
            return Err(
                "an injected arm does more work than the baseline and can only be compared with it"
                    .to_owned(),
            );
        }
        Ok(ArmSpec {
            name: self.name,
            against: self.against,
            fill: self.fill.or(spec.fill),
            overrides: AccessOverrides {
                touch: self.touch,
                order: self.order,
                between: self.between,
                passes: self.passes,
                cache: self.cache,
            },
            one_mapping,
            environment: Environment { variables: self.environment, ..spec.environment },
            ..spec
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found() {
        let arms = || Source::all().map(Source::name);
        assert_eq!(nearest("mallocc", arms()), Some("malloc"));
        assert_eq!(nearest("mmap+populat", arms()), Some("mmap+populate"));
        assert_eq!(nearest("xyz", arms()), None);
    }

    #[test]
    fn the_injected_arm_has_its_share() {
        let arm = ArmSpec::named("injected:+2%").unwrap();
        assert_eq!((arm.source, arm.extra), (None, 0.02));
        for wrong in ["injected:+", "injected:+0%", "injected:2%", "injected:+x%", "injected"] {
            assert!(ArmSpec::named(wrong).is_err(), "{wrong}");
        }
    }
}
