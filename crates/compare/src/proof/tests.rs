//! Cases that need another machine: pictures by hand.

use std::path::Path;

use lab::question::preload::Preloaded;

use super::*;

fn object(path: &str, linkage: Linkage) -> LoadedFile {
    LoadedFile { path: PathBuf::from(path), linkage: Some(linkage) }
}

fn library(path: &str, soname: &str, exports: &[&str]) -> LoadedFile {
    let exported = exports.iter().map(|name| (*name).to_owned()).collect();
    object(path, Linkage { soname: Some(soname.to_owned()), exported, ..Linkage::default() })
}

/// A program of glibc, with `preloaded` before its C library.
fn picture(interpreter: &str, preloaded: &[LoadedFile]) -> Picture {
    let linkage = Linkage { interpreter: Some(interpreter.to_owned()), ..Linkage::default() };
    let program = object("/bin/program", linkage);
    let mut loaded = vec![program.clone()];
    loaded.extend_from_slice(preloaded);
    loaded.push(library("/lib/libc.so.6", "libc.so.6", &["malloc"]));
    Picture {
        program,
        loaded: Some(loaded),
        environment: Some(vec![("LD_PRELOAD".into(), "libx.so".into())]),
        secure: Some(false),
        ending: Some(WaitStatus::Exited(0)),
        ..Picture::default()
    }
}

const GLIBC: &str = "/lib64/ld-linux-x86-64.so.2";

fn arm() -> PreparedArm {
    PreparedArm {
        name: "x".to_owned(),
        command: vec!["program".into()],
        variables: Vec::new(),
        allocator: None,
        tunables: Vec::new(),
        huge_pages_off: false,
    }
}

fn preloads(library: &str, origin: &str) -> PreparedArm {
    let allocator = Preloaded { library: Some(library.to_owned()), origin: origin.to_owned() };
    PreparedArm { allocator: Some(allocator), ..arm() }
}

fn tuned(name: &str) -> PreparedArm {
    let tunable = Tunable { name: name.to_owned(), value: "1".to_owned() };
    PreparedArm { tunables: vec![tunable], ..arm() }
}

#[test]
fn the_first_file_that_exports_malloc_counts() {
    let first = library("/lib/libx.so", "libx.so", &["malloc"]);
    let none = library("/lib/liby.so", "liby.so", &[]);
    let seen = picture(GLIBC, &[none, first]);
    let proof = judge(&seen, &preloads("libx.so", "/lib/libx.so")).unwrap();
    assert_eq!((proof.malloc.as_deref(), proof.unseen), (Some("/lib/libx.so"), None));
    let refused = judge(&seen, &preloads("liby.so", "/lib/liby.so")).unwrap_err();
    assert!(refused.contains("malloc comes from /lib/libx.so"), "{refused}");
}

#[test]
fn musl_is_told_apart() {
    let mut seen = picture("/lib/ld-musl-x86_64.so.1", &[]);
    seen.ending = Some(WaitStatus::Exited(127));
    seen.errors = "Error relocating libx.so: __libc_malloc: symbol not found\n\n".to_owned();
    let refused = judge(&seen, &preloads("libx.so", "/lib/libx.so")).unwrap_err();
    assert!(refused.contains("uses musl") && refused.contains("built for musl"), "{refused}");
    assert!(
        refused.ends_with("status 127: Error relocating libx.so: __libc_malloc: symbol not found")
    );
    let refused = judge(&seen, &tuned("glibc.malloc.arena_max")).unwrap_err();
    assert!(refused.contains("musl") && refused.contains("GLIBC_TUNABLES"), "{refused}");
}

#[test]
fn a_library_that_is_missing_for_no_known_reason_is_refused_with_the_last_words() {
    let mut seen = picture(GLIBC, &[]);
    let why = |seen: &Picture| judge(seen, &preloads("libx.so", "/lib/libx.so")).unwrap_err();
    assert!(why(&seen).contains("it is unknown why"));
    seen.environment = None;
    assert!(why(&seen).contains("it is unknown why"));
    seen.ending = Some(WaitStatus::Killed(11));
    seen.errors = "one\nlast\n".to_owned();
    assert!(why(&seen).ends_with("it was killed by SIGSEGV: last"), "{}", why(&seen));
    seen.secure_untraced = true;
    assert!(why(&seen).contains("when it is not traced"), "{}", why(&seen));
}

#[test]
fn what_cannot_be_seen_is_said() {
    let unseen = |seen: &Picture, arm: &PreparedArm| judge(seen, arm).unwrap().unseen.unwrap();
    let preloading = preloads("libx.so", "/lib/libx.so");
    let mut seen = picture(GLIBC, &[]);
    seen.loaded = None;
    assert!(unseen(&seen, &preloading).contains("may not read"));
    assert!(unseen(&seen, &arm()).contains("may not read"));
    let mut seen = picture(GLIBC, &[]);
    seen.program.linkage = None;
    assert!(unseen(&seen, &preloading).contains("/bin/program cannot be read any more"));
    let mut seen = picture(GLIBC, &[library("/lib/gone.so (deleted)", "gone", &[])]);
    seen.loaded.as_mut().unwrap()[1].linkage = None;
    assert!(unseen(&seen, &preloading).contains("/lib/gone.so (deleted)"));
    let seen = picture(GLIBC, &[]);
    assert!(unseen(&seen, &PreparedArm { huge_pages_off: true, ..arm() }).contains("THP_enabled"));
    let seen = Picture { unseen: Some("no ptrace".to_owned()), ..Picture::default() };
    assert_eq!(unseen(&seen, &preloading), "no ptrace");
}

#[test]
fn settings_are_asked_of_the_programs_own_loader() {
    let mut seen = picture(GLIBC, &[]);
    let environment = vec![(VARIABLE.into(), "glibc.malloc.arena_max=1".into())];
    seen.environment = Some(environment);
    seen.tunables = Some(Err("no list".to_owned()));
    let proof = judge(&seen, &tuned("glibc.malloc.arena_max")).unwrap();
    assert_eq!(proof.unseen.as_deref(), Some("no list"));
    seen.tunables =
        Some(Ok(Listing::parse("glibc.malloc.arena_max: 0x1 (min: 0x1, max: 0xff)").unwrap()));
    let proof = judge(&seen, &tuned("glibc.malloc.arena_max")).unwrap();
    assert_eq!(proof.tunables["glibc.malloc.arena_max"], "0x1");
    let other = judge(&seen, &tuned("glibc.malloc.check")).unwrap_err();
    assert!(other.contains("had no glibc.malloc.check=1"), "{other}");
    // Settings of other parts do not depend on malloc.
    let preloaded = library("/lib/libx.so", "libx.so", &["malloc"]);
    let mut seen = picture(GLIBC, &[preloaded]);
    seen.environment = Some(vec![(VARIABLE.into(), "glibc.rtld.nns=1".into())]);
    seen.tunables = Some(Ok(Listing::parse("glibc.rtld.nns: 0x1 (min: 0x1, max: 0x10)").unwrap()));
    assert_eq!(judge(&seen, &tuned("glibc.rtld.nns")).unwrap().unseen, None);
    let none = judge(&seen, &tuned("glibc.malloc.check")).unwrap_err();
    assert!(none.contains("/lib/libx.so, not from glibc"), "{none}");
}

#[test]
fn the_first_of_a_variable_counts() {
    let mut seen = picture(GLIBC, &[]);
    let twice = [("A", "1"), ("A", "2")].map(|(name, value)| (name.into(), value.into()));
    seen.environment = Some(twice.to_vec());
    assert_eq!(seen.variable("A"), Variable::Set(OsStr::new("1")));
    assert_eq!(seen.variable("B"), Variable::Unset);
    assert!(Path::new(&seen.name()).is_absolute());
}

#[test]
fn huge_pages_that_are_not_there_are_noted() {
    let with = |value: &str| {
        let tunable = Tunable { name: "glibc.malloc.hugetlb".into(), value: value.into() };
        PreparedArm { tunables: vec![tunable], ..arm() }
    };
    let pool = |page_bytes, free| [sys::facts::Pool { page_bytes, free }];
    let (empty, full) = (pool(2 << 20, 0), pool(2 << 20, 8));
    for (value, thp, pools, words) in [
        ("2", "madvise", &empty, Some("none are free here")),
        ("2", "madvise", &full, None),
        ("2097152", "madvise", &full, None),
        ("1073741824", "madvise", &full, Some("none are free here")),
        ("1", "never", &full, Some("off on this machine")),
        ("1", "always", &full, Some("gives in any case")),
        ("1", "madvise", &empty, None),
        ("0", "never", &empty, None),
    ] {
        let note = huge_pages_in_vain(&with(value), Some(thp), pools);
        let is_so = match words {
            Some(words) => note.as_ref().is_some_and(|note| note.contains(words)),
            None => note.is_none(),
        };
        assert!(is_so, "{value}, {thp}: {note:?}");
    }
    assert_eq!(huge_pages_in_vain(&tuned("glibc.malloc.arena_max"), Some("never"), &empty), None);
}
