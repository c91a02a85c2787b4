//! The screen of the claims: how many hold, then a line for each. `-v` adds each claim in words,
//! and what follows from its figures.

use anstyle::Style;
use results::claims::{Claim, ClaimVerdict, Claims};
use textwrap::core::display_width;

use crate::text::{BAD, BOLD, DIM, GOOD, clean, hanging, styled};
use crate::view::View;

/// The columns of the ids and of the verdicts: the longest of each.
const ID_COLUMNS: usize = 18;
const VERDICT_COLUMNS: usize = 13;
const GAP: &str = "  ";
/// On a terminal with fewer columns for the evidence, the evidence goes below the id.
const EVIDENCE_COLUMNS_MIN: usize = 24;
/// Where the claims are from: their evidence compares with "the post".
const ORIGIN: &str = "The claims come from a blog post that timed malloc against mmap for 100 MB, \
                      and from common advice (docs/claims.md).";
const WORDS: &str = "firsttouch claims --list shows each claim in words; -v explains its evidence.";

/// Renders `claims` as `view` wants it.
#[must_use]
pub fn screen(claims: &Claims, view: View) -> String {
    let width = view.width;
    let mut text = String::new();
    if !claims.untested.is_empty() {
        let untested = format!("interrupted: not tested: {}", clean(&claims.untested.join(", ")));
        text += &styled(BAD, &hanging("", &untested, width));
    }
    // The line of a single claim says everything that a count could.
    if claims.claims.len() != 1 {
        text += &(hanging("", &counts(claims), width) + "\n");
    }
    text.extend(claims.claims.iter().map(|claim| entry(claim, view)));
    text += "\n";
    if claims.claims.len() > 1 {
        text += &hanging("", ORIGIN, width);
    }
    if view.verbose {
        text += &hanging("", &provenance(claims), width);
    } else {
        text += &hanging("", WORDS, width);
    }
    text + &hanging("Next: ", next(claims), width)
}

fn entry(claim: &Claim, view: View) -> String {
    let width = view.width;
    let (id, evidence) = (clean(&claim.id), clean(&claim.evidence));
    let columns = width.map(|width| {
        width.saturating_sub(ID_COLUMNS.max(id.len()) + VERDICT_COLUMNS + 2 * GAP.len())
    });
    let verdict = styled(style(claim.verdict), claim.verdict.words());
    let mut text = match width {
        Some(width) if columns.is_some_and(|columns| columns < EVIDENCE_COLUMNS_MIN) => {
            hanging("", &format!("{id}: {}", claim.verdict.words()), Some(width))
                + &hanging("    ", &evidence, Some(width))
        }
        _ => {
            let head = padded(&styled(BOLD, &id), &id, ID_COLUMNS)
                + GAP
                + &padded(&verdict, claim.verdict.words(), VERDICT_COLUMNS)
                + GAP;
            let indent = " ".repeat(ID_COLUMNS + VERDICT_COLUMNS + 2 * GAP.len());
            let block = hanging("", &evidence, columns);
            let line = |(number, line): (usize, &str)| {
                format!("{}{line}\n", if number == 0 { &head } else { &indent })
            };
            block.lines().enumerate().map(line).collect()
        }
    };
    if view.verbose {
        text += &hanging("    ", &format!("\"{}\"", clean(&claim.statement)), width);
        text += &hanging("    ", &clean(&claim.explanation), width);
    }
    text
}

/// `shown`, which reads `plain`, with blanks behind it up to `columns`.
fn padded(shown: &str, plain: &str, columns: usize) -> String {
    shown.to_owned() + &" ".repeat(columns.saturating_sub(display_width(plain)))
}

fn style(verdict: ClaimVerdict) -> Style {
    match verdict {
        ClaimVerdict::Holds => GOOD,
        ClaimVerdict::DoesNotHold | ClaimVerdict::Inconclusive => BAD,
        ClaimVerdict::CannotTest => DIM,
    }
}

/// `16 claims: 12 hold here, none is wrong, 3 inconclusive, 1 cannot be tested.`
fn counts(claims: &Claims) -> String {
    let parts = [
        (ClaimVerdict::Holds, "holds here", "hold here"),
        (ClaimVerdict::DoesNotHold, "does not hold", "do not hold"),
        (ClaimVerdict::Inconclusive, "inconclusive", "inconclusive"),
        (ClaimVerdict::CannotTest, "cannot be tested", "cannot be tested"),
    ]
    .map(|(verdict, one, several)| match claims.count(verdict) {
        0 if verdict == ClaimVerdict::DoesNotHold && !claims.claims.is_empty() => {
            Some("none is wrong".to_owned())
        }
        0 => None,
        1 => Some(format!("1 {one}")),
        number => Some(format!("{number} {several}")),
    });
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let colon = if parts.is_empty() { "" } else { ": " };
    format!("{} claims{colon}{}.", claims.claims.len(), parts.join(", "))
}

/// What the claims were tested on, and the seed that repeats the test.
fn provenance(claims: &Claims) -> String {
    let machine = &claims.machine;
    let part = |name: &str, value: &Option<String>| {
        value.as_ref().map(|value| format!("{name} {}", clean(value)))
    };
    let parts = [
        part("Linux", &machine.kernel),
        part("malloc from", &machine.malloc),
        part("THP", &machine.thp),
        Some(format!("seed {}", claims.seed)),
    ];
    format!("Tested on: {}.", parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

/// The most useful next command.
fn next(claims: &Claims) -> &'static str {
    let stands = |id: &str, verdict| {
        claims.claims.iter().any(|claim| claim.id == id && claim.verdict == verdict)
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
    "firsttouch bench    (which way of getting memory is cheapest, and why)"
}
