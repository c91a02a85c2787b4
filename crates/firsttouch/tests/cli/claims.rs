//! `claims` on this machine: its file, verdicts that hold everywhere, other mallocs and limits.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};

use results::claims::ClaimVerdict::{CannotTest, DoesNotHold, Holds, Inconclusive};
use results::claims::{Claim, ClaimVerdict, Claims, SCHEMA};

use crate::program::{
    PROGRAM, Scratch, as_nobody, firsttouch, is_root, open_copy, run, skip, text, without_proc,
};

/// The claims whose tests take less than a second or so.
const QUICK: [&str; 12] = [
    "demand-paging",
    "file-demand-paging",
    "zero-fill",
    "malloc-is-lazy",
    "brk-or-mmap",
    "program-break",
    "thread-arenas",
    "aslr-gap",
    "mmap-between",
    "shared",
    "syscalls-seen",
    "less-portable",
];

/// The file of a run with `--json -`.
fn claims(output: &Output) -> Claims {
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
    let claims = results::read_claims(&output.stdout[..])
        .unwrap_or_else(|e| panic!("{e}: {}", text(&output.stdout)));
    assert_eq!(
        (claims.schema.as_str(), claims.version.as_str()),
        (SCHEMA, env!("CARGO_PKG_VERSION"))
    );
    for claim in &claims.claims {
        assert!(
            !claim.evidence.is_empty()
                && !claim.statement.is_empty()
                && claim.explanation.ends_with('.'),
            "{claim:?}"
        );
    }
    claims
}

/// The claims `ids` of a process that `change` has set up.
fn tested(ids: &[&str], change: impl FnOnce(&mut Command)) -> Claims {
    let mut command = firsttouch(&["claims", "--json", "-"]);
    command.args(ids);
    change(&mut command);
    claims(&command.output().expect("the program starts"))
}

fn claim<'a>(claims: &'a Claims, id: &str) -> &'a Claim {
    claims.claims.iter().find(|claim| claim.id == id).unwrap_or_else(|| panic!("no {id}"))
}

#[track_caller]
fn stands(claims: &Claims, id: &str, standing: ClaimVerdict, words: &[&str]) {
    let claim = claim(claims, id);
    assert_eq!(claim.verdict, standing, "{claim:#?}");
    let all = format!("{}\n{}", claim.evidence, claim.explanation);
    assert!(words.iter().all(|word| all.contains(word)), "{words:?} in {all}");
}

/// These verdicts depend on no allocator, policy or privilege.
fn hold_everywhere(claims: &Claims) {
    stands(claims, "zero-fill", Holds, &[]);
    stands(claims, "shared", Holds, &["both ways", "neither way"]);
    stands(claims, "aslr-gap", Holds, &["ASLR off: no gap"]);
    stands(claims, "demand-paging", Holds, &[" after"]);
    stands(claims, "program-break", Holds, &[]);
    stands(claims, "less-portable", CannotTest, &["not measurable"]);
    let demand = &claim(claims, "demand-paging").figures;
    assert_eq!(demand["resident_before"], 0);
    assert!(demand["resident_after"].as_u64() >= demand["pages"].as_u64());
}

#[test]
fn quick_claims_hold_here() {
    let scratch = Scratch::new();
    let claims = tested(&QUICK, |command| {
        command.env("TMPDIR", &scratch.0);
    });
    let ids: Vec<&str> = claims.claims.iter().map(|claim| claim.id.as_str()).collect();
    assert_eq!(ids, QUICK, "those asked for, in the order of the list");
    let left: Vec<_> = std::fs::read_dir(&scratch.0).unwrap().collect();
    assert!(left.is_empty(), "something was left behind: {left:?}");
    hold_everywhere(&claims);
    if claims.machine.libc.is_none() {
        return skip("not glibc");
    }
    stands(&claims, "mmap-between", Holds, &[]);
    stands(&claims, "malloc-is-lazy", Holds, &["0 of"]);
    stands(&claims, "brk-or-mmap", Holds, &["131,072", "131,049", "moves on free", "stays there"]);
    let threshold = &claim(&claims, "brk-or-mmap").figures;
    assert_eq!(
        (&threshold["threshold_bytes"], &threshold["smallest_mapped_bytes"]),
        (&131_072.into(), &131_049.into())
    );
    let limit = threshold["largest_moving_bytes"].as_u64().expect("a limit");
    assert!(
        (32 << 20) - 8192 < limit && limit <= 32 << 20,
        "DEFAULT_MMAP_THRESHOLD_MAX is 32 MiB: {limit}"
    );
    stands(&claims, "program-break", Holds, &["held the break up"]);
    stands(&claims, "thread-arenas", Holds, &["64 MiB reserved"]);
}

#[test]
fn another_malloc_is_named_and_judged() {
    for (library, from_break) in [
        ("libjemalloc.so.2", Some(false)),
        ("libmimalloc.so.2", Some(false)),
        ("libtcmalloc_minimal.so.4", None),
    ] {
        let claims = tested(&QUICK, |command| {
            command.env("LD_PRELOAD", library).stderr(Stdio::null());
        });
        if !claims.machine.malloc.as_ref().is_some_and(|path| path.contains(library)) {
            skip(&format!("no {library}"));
            continue;
        }
        hold_everywhere(&claims);
        let id = "brk-or-mmap";
        stands(&claims, id, DoesNotHold, &[library, "both"]);
        if let Some(from_break) = from_break {
            assert_eq!(claim(&claims, id).figures["small_in_break"], from_break, "{library}");
        }
        stands(&claims, "thread-arenas", DoesNotHold, &[library]);
        assert_ne!(
            claim(&claims, "syscalls-seen").verdict,
            DoesNotHold,
            "{:#?}",
            claim(&claims, "syscalls-seen")
        );
    }
}

#[test]
fn tunables_of_glibc_are_seen() {
    let found = tested(&["brk-or-mmap"], |command| {
        command.env("GLIBC_TUNABLES", "glibc.malloc.mmap_threshold=65536");
    });
    if found.machine.libc.is_none() {
        return skip("not glibc");
    }
    stands(&found, "brk-or-mmap", Holds, &["brk below 65,536 bytes", "does not move on free"]);
    // malloc then asks for 2 MiB more than it needs: the rest must not pass for a threshold.
    let found = tested(&["brk-or-mmap", "demand-paging"], |command| {
        command.env("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1");
    });
    stands(&found, "brk-or-mmap", Holds, &["brk below 131,072 bytes"]);
    stands(&found, "demand-paging", Holds, &["25,600 after"]);
    let found = tested(&["thread-arenas"], |command| {
        command.env("GLIBC_TUNABLES", "glibc.malloc.arena_max=1");
    });
    stands(&found, "thread-arenas", DoesNotHold, &["0 of 2", "from the program break too"]);
}

#[test]
fn huge_pages_are_told_from_eagerness() {
    let found = tested(&["malloc-is-lazy"], |command| {
        command
            .env("LD_PRELOAD", "libjemalloc.so.2")
            .env("MALLOC_CONF", "thp:always,metadata_thp:always");
        command.stderr(Stdio::null());
    });
    let there = |claim: &Claim| claim.figures["resident_before_at_65536"].as_u64().unwrap_or(0);
    match found.machine.malloc.as_deref() {
        Some(path) if path.contains("jemalloc") && there(claim(&found, "malloc-is-lazy")) > 1 => {
            stands(&found, "malloc-is-lazy", DoesNotHold, &["huge pages", "64 KiB"]);
        }
        _ => skip("no jemalloc, or no huge page for it"),
    }
}

#[test]
fn the_old_layout_is_seen() {
    let script = format!("ulimit -s unlimited && exec {PROGRAM} claims --json - mmap-between");
    let output = Command::new("sh").args(["-c", &script]).output().expect("a shell");
    if output.stdout.is_empty() {
        return skip("the stack may not be unlimited here");
    }
    let found = claims(&output);
    let claim = claim(&found, "mmap-between");
    let figure = |key: &str| claim.figures[key].as_u64().expect("a figure");
    // An architecture without that layout shows the other.
    assert_eq!(claim.verdict == Holds, figure("between") == figure("mappings"), "{claim:#?}");
    assert!(figure("fresh_between") <= figure("processes"));
}

#[test]
fn an_inherited_layout_changes_nothing() {
    let output =
        Command::new("setarch").args(["-R", PROGRAM, "claims", "aslr-gap", "--json", "-"]).output();
    match output {
        Ok(output) if output.status.success() => {
            stands(&claims(&output), "aslr-gap", Holds, &["no gap"]);
        }
        _ => skip("setarch is refused or missing here"),
    }
}

#[test]
fn an_ordinary_user_gets_the_same_verdicts() {
    if !is_root() {
        return skip("this is an ordinary user already");
    }
    let scratch = Scratch::new();
    let mut command = as_nobody(&open_copy(&scratch));
    command.args(["claims", "--json", "-"]).args(QUICK).env("TMPDIR", &scratch.0);
    let Ok(output) = command.output() else {
        return skip("no setpriv");
    };
    hold_everywhere(&claims(&output));
}

#[test]
fn without_proc_the_evidence_names_the_file() {
    let Some(output) = without_proc(&format!("claims {} --json -", QUICK.join(" "))) else {
        return;
    };
    let claims = claims(&output);
    for id in ["brk-or-mmap", "thread-arenas", "aslr-gap", "mmap-between"] {
        stands(&claims, id, CannotTest, &["/proc/self/maps"]);
    }
    for id in ["demand-paging", "zero-fill", "shared", "program-break"] {
        stands(&claims, id, Holds, &[]); // mincore(2) and brk(2) need no /proc
    }
}

#[test]
fn a_file_in_tmpfs_cannot_be_dropped() {
    if !std::path::Path::new("/dev/shm").is_dir() {
        return skip("no /dev/shm");
    }
    let found = tested(&["file-demand-paging"], |command| {
        command.args(["--dir", "/dev/shm"]);
    });
    stands(&found, "file-demand-paging", CannotTest, &["stay in the page cache", "--dir"]);
}

#[test]
fn a_limited_address_space_breaks_no_claim() {
    let script = format!("ulimit -v 60000; exec {PROGRAM} claims --json - {}", QUICK.join(" "));
    let output = Command::new("sh").args(["-c", &script]).output().expect("a shell");
    let claims = claims(&output);
    assert_eq!(claims.claims.len(), QUICK.len());
    stands(&claims, "zero-fill", Holds, &[]);
}

#[test]
fn a_claim_about_time_has_its_figures() {
    let found = tested(&["large-equal"], |command| {
        command.args(["--seed", "7"]);
    });
    let claim = claim(&found, "large-equal");
    assert!([Holds, DoesNotHold, Inconclusive].contains(&claim.verdict), "{claim:#?}");
    let figure =
        |key: &str| claim.figures[key].as_f64().unwrap_or_else(|| panic!("no {key} in {claim:#?}"));
    assert!(figure("ratio") > 0.0 && figure("blocks") > 0.0);
    if claim.figures["low"].is_number() {
        assert!(
            figure("low") <= figure("ratio") && figure("ratio") <= figure("high"),
            "{claim:#?}"
        );
    }
    assert_eq!(found.seed, 7);
}

#[test]
fn screen_and_file_agree() {
    let scratch = Scratch::new();
    let file = scratch.file("claims.json");
    let output = run(&[
        "claims",
        "zero-fill",
        "demand-paging",
        "zero-fill",
        "--json",
        file.to_str().unwrap(),
    ]);
    assert!(output.status.success() && output.stderr.is_empty(), "{}", text(&output.stderr));
    let claims = results::read_claims(std::fs::File::open(&file).unwrap()).expect("claims");
    assert_eq!(claims.claims.len(), 2, "each once");
    let screen = text(&output.stdout);
    for claim in &claims.claims {
        let all_there =
            [&claim.evidence, &claim.explanation].iter().all(|text| screen.contains(text.as_str()));
        assert!(all_there, "a pipe truncates nothing: {claim:?}\n{screen}");
    }
    assert!(
        screen.is_ascii()
            && screen.contains("2 claims: 2 hold here")
            && screen.contains("\nNext: "),
        "{screen}"
    );
    let refused = run(&["report", file.to_str().unwrap()]);
    assert!(
        refused.status.code() == Some(1) && text(&refused.stderr).contains("firsttouch.claims/1")
    );
}

#[test]
fn unknown_ids_are_answered_with_the_nearest() {
    for (arguments, words) in [
        (&["claims", "zerofill"][..], &["zerofill", "did you mean zero-fill?"][..]),
        (&["claims", "demand-paging", "brk"], &["\"brk\"", "Known: demand-paging"]),
        (&["claims", "--dir", "/nonexistent", "zero-fill"], &["/nonexistent is not a folder"]),
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(
            words.iter().all(|word| text(&output.stderr).contains(word)),
            "{}",
            text(&output.stderr)
        );
    }
    let list = text(&run(&["claims", "--list"]).stdout);
    assert_eq!(list.lines().count(), 16, "{list}");
    let probe = run(&["__probe", "nonsense"]);
    assert!(
        probe.status.code() == Some(2) && text(&probe.stderr).contains("for firsttouch itself")
    );
}

#[test]
fn an_interrupt_keeps_the_claims_tested_so_far() {
    let child = firsttouch(&["claims", "zero-fill", "malloc-varies", "--json", "-"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // Long enough for the first, and less than a third of what the second takes.
    std::thread::sleep(std::time::Duration::from_secs(5));
    let _ = Command::new("kill").args(["-2", &child.id().to_string()]).status();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.signal(), Some(2), "{}", text(&output.stderr));
    let claims = results::read_claims(&output.stdout[..]).expect("claims");
    assert_eq!(
        claims.claims.iter().map(|claim| claim.id.as_str()).collect::<Vec<_>>(),
        ["zero-fill"]
    );
}
