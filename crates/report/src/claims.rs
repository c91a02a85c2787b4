//! The screen of the claims: id, evidence and verdict on a line; below, what is claimed, and a
//! sentence.

use anstyle::Style;
use results::claims::{Claim, ClaimVerdict, Claims};
use textwrap::core::display_width;

use crate::text::{BAD, BOLD, DIM, GOOD, clean, hanging, styled};
use crate::view::View;

/// The columns of the ids and of the verdicts: the longest of each.
const ID_COLUMNS: usize = 18;
const VERDICT_COLUMNS: usize = 13;
const GAP: &str = "  ";
/// Evidence narrower than this is not worth a column.
const EVIDENCE_COLUMNS_MIN: usize = 24;

/// Renders `claims` as `view` wants it.
#[must_use]
pub fn screen(claims: &Claims, view: View) -> String {
    let width = view.width;
    let mut text = claims.claims.iter().map(|claim| entry(claim, width)).collect::<String>();
    if !claims.claims.is_empty() {
        text += "\n";
    }
    text + &hanging("", &summary(claims), width) + &hanging("Next: ", next(claims), width)
}

fn entry(claim: &Claim, width: Option<usize>) -> String {
    let (id, evidence) = (clean(&claim.id), clean(&claim.evidence));
    let verdict = styled(style(claim.verdict), claim.verdict.words());
    let taken = ID_COLUMNS + VERDICT_COLUMNS + 2 * GAP.len();
    let columns = width
        .map(|width| width.saturating_sub(taken))
        .filter(|columns| *columns >= EVIDENCE_COLUMNS_MIN);
    let head = format!(
        "{}{}",
        styled(BOLD, &id),
        " ".repeat(ID_COLUMNS.saturating_sub(display_width(&id)))
    );
    let first = match (width, columns) {
        (Some(width), None) => {
            hanging("", &format!("{id}: {}", claim.verdict.words()), Some(width))
                + &hanging("    ", &evidence, Some(width))
        }
        (_, columns) => {
            let block = hanging("", &evidence, columns);
            let mut lines = block.lines();
            let line = lines.next().unwrap_or_default();
            let room = " "
                .repeat(columns.map_or(0, |columns| columns.saturating_sub(display_width(line))));
            let rest = lines.map(|line| format!("{}{GAP}{line}\n", " ".repeat(ID_COLUMNS)));
            format!("{head}{GAP}{line}{room}{GAP}{verdict}\n") + &rest.collect::<String>()
        }
    };
    let said = hanging("    ", &format!("\"{}\"", clean(&claim.statement)), width);
    first + &said + &hanging("    ", &clean(&claim.explanation), width)
}

fn style(standing: ClaimVerdict) -> Style {
    match standing {
        ClaimVerdict::Holds => GOOD,
        ClaimVerdict::DoesNotHold | ClaimVerdict::Inconclusive => BAD,
        ClaimVerdict::CannotTest => DIM,
    }
}

fn summary(claims: &Claims) -> String {
    let machine = &claims.machine;
    let part = |name: &str, value: &Option<String>| {
        value.as_ref().map(|value| format!(", {name} {}", clean(value)))
    };
    let parts = [
        part("Linux", &machine.kernel),
        part("malloc from", &machine.malloc),
        part("THP", &machine.thp),
    ];
    let count = |standing, words: &str| format!("{} {words}", claims.count(standing));
    format!(
        "{}: {}, {}, {}, {}; seed {}{}.",
        match claims.claims.len() {
            1 => "1 claim".to_owned(),
            several => format!("{several} claims"),
        },
        count(ClaimVerdict::Holds, "held"),
        count(ClaimVerdict::DoesNotHold, "did not"),
        count(ClaimVerdict::Inconclusive, "inconclusive"),
        count(ClaimVerdict::CannotTest, "not testable here"),
        claims.seed,
        parts.into_iter().flatten().collect::<String>()
    )
}

/// The most useful next command.
fn next(claims: &Claims) -> &'static str {
    let stands = |id: &str, standing| {
        claims.claims.iter().any(|claim| claim.id == id && claim.verdict == standing)
    };
    if stands("malloc-slower", ClaimVerdict::Inconclusive)
        || stands("large-equal", ClaimVerdict::Inconclusive)
    {
        return "firsttouch doctor    (what on this machine widens the intervals)";
    }
    if stands("malloc-slower", ClaimVerdict::Holds)
        || stands("malloc-slower", ClaimVerdict::DoesNotHold)
    {
        return "firsttouch bench position    (the same question at 100 MiB, with every sample)";
    }
    "firsttouch bench    (which way of getting memory is cheapest here, and why)"
}
