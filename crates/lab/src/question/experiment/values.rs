//! Deserialises the values of an experiment file: sizes, numbers, times, levels.

use std::time::Duration;

use sample::source::Source;
use serde::Deserialize;

use crate::question::points::{ascending, parse_passes, parse_sizes, parse_threads};
use crate::question::quantity::parse_duration;

/// A list, or a single value.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

pub(super) fn sizes<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<u64>, D::Error> {
    use serde::de::Error;
    let texts = OneOrMany::<String>::deserialize(deserializer);
    let texts = texts.map_err(|_| {
        D::Error::custom("a size is a string such as \"100MiB\", or a list of them")
    })?;
    match texts {
        OneOrMany::One(text) => parse_sizes(&text).map_err(D::Error::custom),
        OneOrMany::Many(texts) => {
            let sizes: Result<Vec<Vec<u64>>, String> =
                texts.iter().map(|text| parse_sizes(text)).collect();
            let sizes = sizes.map_err(D::Error::custom)?.concat();
            ascending(sizes, |size| format!("the size of {size} bytes")).map_err(D::Error::custom)
        }
    }
}

pub(super) fn threads<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<u64>, D::Error> {
    use serde::de::Error;
    let numbers = OneOrMany::<u64>::deserialize(deserializer);
    let numbers = numbers
        .map_err(|_| D::Error::custom("threads are a number such as 2, or a list of them"))?;
    let text = match numbers {
        OneOrMany::One(one) => one.to_string(),
        OneOrMany::Many(many) => many.iter().map(u64::to_string).collect::<Vec<_>>().join(","),
    };
    parse_threads(&text).map_err(D::Error::custom)
}

pub(super) fn passes<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<u32>, D::Error> {
    use serde::de::Error;
    let numbers = OneOrMany::<u64>::deserialize(deserializer);
    let numbers = numbers
        .map_err(|_| D::Error::custom("passes are a number such as 2, or a list of them"))?;
    let text = match numbers {
        OneOrMany::One(one) => one.to_string(),
        OneOrMany::Many(many) => many.iter().map(u64::to_string).collect::<Vec<_>>().join(","),
    };
    parse_passes(&text).map_err(D::Error::custom)
}

pub(super) fn one_thread() -> Vec<u64> {
    vec![1]
}

pub(super) fn duration<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    parse_duration(&String::deserialize(deserializer)?).map(Some).map_err(serde::de::Error::custom)
}

/// Exactly two levels of a factor.
pub(super) fn two<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<[T; 2], D::Error> {
    let levels = Vec::<T>::deserialize(deserializer)?;
    let count = levels.len();
    levels
        .try_into()
        .map_err(|_| serde::de::Error::custom(format!("a factor has two levels, not {count}")))
}

/// As [`two`], for a factor that may be left out.
pub(super) fn two_or_none<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<[T; 2]>, D::Error> {
    two(deserializer).map(Some)
}

pub(super) fn sources<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<[Source; 2], D::Error> {
    let names: [String; 2] = two(deserializer)?;
    let mut found = Vec::new();
    for name in names {
        found.push(crate::question::arm::source(&name).map_err(serde::de::Error::custom)?);
    }
    Ok([found[0], found[1]])
}
