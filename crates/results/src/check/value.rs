//! Limits of single values.

/// Thirty-six years. Sums of a few thousand such times fit their type.
pub(super) const TIME_NS_MAX: u64 = 1 << 60;
/// More than any address space; a bound for counts of pages too.
pub(super) const BYTES_MAX: u64 = 1 << 57;
/// The same for averages.
const AMOUNT_MAX: f64 = (1_u64 << 60) as f64;
/// A ratio of two times is between this and its inverse.
const RATIO_MAX: f64 = 1e18;
/// The longest name, in letters: the longest path.
const NAME_LETTERS_MAX: usize = 4096;
/// What rounding may do to the order of a ratio and its bounds.
const ROUNDING: f64 = 1e-9;

/// A value that no run can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct Impossible {
    /// Where it is in the file: `comparisons[0].low`.
    pub key: String,
    /// What is wrong with it.
    pub problem: String,
}

pub(super) type Outcome = Result<(), Impossible>;

pub(super) fn wrong(key: &str, problem: impl Into<String>) -> Outcome {
    Err(Impossible { key: key.to_owned(), problem: problem.into() })
}

/// Names the object that a key is in.
pub(super) trait Within {
    fn within(self, object: &str) -> Self;
}

impl Within for Outcome {
    fn within(self, object: &str) -> Self {
        self.map_err(|inner| {
            let dot = if inner.key.is_empty() || inner.key.starts_with('[') { "" } else { "." };
            Impossible { key: format!("{object}{dot}{}", inner.key), ..inner }
        })
    }
}

/// A value that may be `null`.
pub(super) fn known(
    key: &str,
    value: Option<f64>,
    check: impl FnOnce(&str, f64) -> Outcome,
) -> Outcome {
    value.map_or(Ok(()), |value| check(key, value))
}

pub(super) fn at_most(key: &str, value: u64, limit: u64) -> Outcome {
    if value <= limit { Ok(()) } else { wrong(key, format!("{value} is too much to be true")) }
}

/// A time, a size or a number of things, as an average.
pub(super) fn amount(key: &str, value: f64) -> Outcome {
    if value < 0.0 { wrong(key, format!("{value:e} is less than 0")) } else { signed(key, value) }
}

/// A difference of amounts.
pub(super) fn signed(key: &str, value: f64) -> Outcome {
    if value.abs() <= AMOUNT_MAX {
        Ok(())
    } else {
        wrong(key, format!("{value:e} is too much to be true"))
    }
}

pub(super) fn share(key: &str, value: f64) -> Outcome {
    if (-ROUNDING..=1.0 + ROUNDING).contains(&value) {
        Ok(())
    } else {
        wrong(key, format!("{value:e} is no share"))
    }
}

pub(super) fn confidence(value: f64) -> Outcome {
    if value > 0.0 && value <= 1.0 {
        Ok(())
    } else {
        wrong("confidence", format!("{value:e} is not between 0 and 1"))
    }
}

pub(super) fn ratio(key: &str, value: f64) -> Outcome {
    if (1.0 / RATIO_MAX..=RATIO_MAX).contains(&value) {
        Ok(())
    } else {
        wrong(key, format!("{value:e} is no ratio of times"))
    }
}

/// A ratio between its bounds.
pub(super) fn interval(value: f64, low: Option<f64>, high: Option<f64>) -> Outcome {
    ratio("ratio", value)?;
    known("low", low, ratio)?;
    known("high", high, ratio)?;
    match (low, high) {
        (Some(low), Some(_)) if low > value * (1.0 + ROUNDING) => {
            wrong("low", format!("{low:?} is more than the ratio, {value:?}"))
        }
        (Some(_), Some(high)) if high < value * (1.0 - ROUNDING) => {
            wrong("high", format!("{high:?} is less than the ratio, {value:?}"))
        }
        (None, None) | (Some(_), Some(_)) => Ok(()),
        (Some(_), None) => wrong("high", "missing, and there is a low"),
        (None, Some(_)) => wrong("low", "missing, and there is a high"),
    }
}

pub(super) fn name(key: &str, name: &str) -> Outcome {
    match name.chars().count() {
        0 => wrong(key, "empty"),
        letters if letters > NAME_LETTERS_MAX => {
            wrong(key, format!("{letters} letters are too many"))
        }
        _ => Ok(()),
    }
}

pub(super) fn names(key: &str, all: &[String]) -> Outcome {
    let mut numbered = all.iter().enumerate();
    numbered.try_for_each(|(index, one)| name(&format!("{key}[{index}]"), one))
}
