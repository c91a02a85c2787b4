//! The screen of the claims, from injected ones.

use report::View;
use results::claims::{Claim, ClaimVerdict, Claims, SCHEMA, Tested};

use crate::{plain, snapshots};

fn claim(id: &str, verdict: ClaimVerdict, evidence: &str, explanation: &str) -> Claim {
    Claim {
        id: id.to_owned(),
        statement: "something".to_owned(),
        verdict,
        evidence: evidence.to_owned(),
        explanation: explanation.to_owned(),
        figures: serde_json::Map::new(),
    }
}

pub(crate) fn every_verdict() -> Claims {
    Claims {
        schema: SCHEMA.to_owned(),
        version: "0.1.0".to_owned(),
        seed: 7,
        untested: Vec::new(),
        machine: Tested {
            kernel: Some("6.18.0".to_owned()),
            libc: Some("glibc 2.36".to_owned()),
            malloc: Some("/lib/x86_64-linux-gnu/libc.so.6".to_owned()),
            thp: Some("madvise".to_owned()),
            page_bytes: 4096,
        },
        claims: vec![
            claim(
                "demand-paging",
                ClaimVerdict::Holds,
                "0 of 25,600 pages resident before touch, 25,600 after",
                "So with malloc (glibc 2.36): 0 of 25,599 before, 25,599 after. A touch of 1,600 \
                 pages brought in 1,600.",
            ),
            claim(
                "file-demand-paging",
                ClaimVerdict::CannotTest,
                "8,192 of 8,192 pages of the file stay in the page cache (tmpfs?): name a folder \
                 on a disk by --dir",
                "Nothing was measured, so nothing is said about it.",
            ),
            claim(
                "malloc-slower",
                ClaimVerdict::DoesNotHold,
                "1.00x [0.98, 1.01]; position here 1.02x [1.00, 1.04]; cold memory 2.30x [no \
                 interval]",
                "API crossed with fill value and position at 16 MiB (48 blocks); position does no \
                 such thing here for certain.",
            ),
            claim(
                "large-equal",
                ClaimVerdict::Inconclusive,
                "1.02x [0.98, 1.07] at 32 MiB, margin 5 %",
                "Twelve blocks.",
            ),
        ],
    }
}

fn shown(claims: &Claims, view: View) -> String {
    plain(&report::claims_screen(claims, view), view)
}

#[test]
fn every_verdict_in_every_view() {
    snapshots("claims", |view| report::claims_screen(&every_verdict(), view));
}

#[test]
fn evidence_goes_below_the_id_on_a_very_narrow_terminal() {
    let screen = shown(&every_verdict(), View::brief(Some(40)));
    let lines: Vec<&str> = screen.lines().collect();
    let claim = lines.iter().position(|line| *line == "demand-paging: holds").expect("its line");
    assert!(lines[claim + 1].starts_with("    0 of 25,600 pages"), "{screen}");
}

#[test]
fn a_single_claim_needs_no_count() {
    let mut one = every_verdict();
    one.claims.truncate(1);
    let screen = shown(&one, View::verbose(Some(80)));
    assert!(screen.starts_with("demand-paging       holds "), "{screen}");
    assert!(
        !screen.contains("blog post") && screen.contains("Tested on: Linux 6.18.0"),
        "{screen}"
    );
}

#[test]
fn the_count_says_that_none_is_wrong() {
    let counted = |verdict| {
        let claims =
            vec![claim("demand-paging", verdict, "e", "x."), claim("shared", verdict, "e", "x.")];
        let text = shown(&Claims { claims, ..every_verdict() }, View::brief(None));
        text.lines().find(|line| line.starts_with("2 claims")).unwrap_or_default().to_owned()
    };
    let none = counted(ClaimVerdict::Holds);
    assert!(none.starts_with("2 claims: 2 hold here, none is wrong."), "{none}");
    let both = counted(ClaimVerdict::DoesNotHold);
    assert!(both.starts_with("2 claims: 2 do not hold."), "{both}");
}

#[test]
fn the_next_command_follows_from_the_verdicts() {
    let next = |verdict| {
        let claims =
            Claims { claims: vec![claim("malloc-slower", verdict, "e", "x.")], ..every_verdict() };
        shown(&claims, View::brief(None)).lines().last().unwrap_or_default().to_owned()
    };
    assert!(next(ClaimVerdict::Inconclusive).contains("firsttouch doctor"));
    assert!(next(ClaimVerdict::DoesNotHold).contains("firsttouch bench position"));
    assert!(next(ClaimVerdict::CannotTest).starts_with("Next: firsttouch bench "));
}

#[test]
fn hostile_and_no_claims_are_printed_all_the_same() {
    let evil = "\u{1b}[2J\nevil";
    let mut hostile = every_verdict();
    hostile.claims = vec![claim(evil, ClaimVerdict::Holds, evil, evil)];
    hostile.machine.malloc = Some(evil.to_owned());
    for width in [None, Some(1), Some(80)] {
        let screen = shown(&hostile, View::verbose(width));
        assert!(!screen.contains('\u{1b}') && !screen.contains("\nevil"), "{screen:?}");
    }
    hostile.claims.clear();
    assert!(shown(&hostile, View::brief(Some(80))).contains("0 claims."));
}

#[test]
fn an_interrupted_run_names_what_it_did_not_test() {
    let mut cut = every_verdict();
    cut.untested = vec!["malloc-slower".to_owned(), "large-equal".to_owned()];
    let screen = report::claims_screen(&cut, report::View::brief(None));
    let screen = anstream::adapter::strip_str(&screen).to_string();
    assert!(
        screen.starts_with("interrupted: not tested: malloc-slower, large-equal\n"),
        "{screen}"
    );
}
