//! The judges on injected facts, so on machines that we do not have.

mod allocators;
mod layouts;
mod pages;
mod timed;

use claims::facts::Identity;
use results::claims::{Claim, ClaimVerdict};

/// A machine with glibc.
pub(crate) fn glibc() -> Identity {
    of("/lib/x86_64-linux-gnu/libc.so.6", Some("glibc 2.36"), "madvise")
}

/// A machine with another malloc.
pub(crate) fn of(malloc: &str, libc: Option<&str>, thp: &str) -> Identity {
    Identity {
        malloc: Some(malloc.to_owned()),
        libc: libc.map(str::to_owned),
        thp: Some(thp.to_owned()),
        page_bytes: 4096,
    }
}

/// Asserts the verdict of a claim, and that its evidence or explanation contains all of `words`.
#[track_caller]
pub(crate) fn is(claim: &Claim, verdict: ClaimVerdict, words: &[&str]) {
    assert_eq!(claim.verdict, verdict, "{claim:#?}");
    assert!(!claim.evidence.is_empty() && claim.explanation.ends_with('.'), "{claim:#?}");
    let text = format!("{}\n{}", claim.evidence, claim.explanation);
    assert!(text.is_ascii(), "{text}");
    for word in words {
        assert!(text.contains(word), "no {word:?} in {text}");
    }
}

#[test]
fn allocators_have_names() {
    assert_eq!(glibc().allocator(), "glibc 2.36");
    assert!(glibc().is_glibc());
    let jemalloc = of("/usr/lib/libjemalloc.so.2", Some("glibc 2.36"), "never");
    assert_eq!((jemalloc.allocator().as_str(), jemalloc.is_glibc()), ("libjemalloc.so.2", false));
    assert_eq!(of("/lib/ld-musl-x86_64.so.1", None, "never").allocator(), "ld-musl-x86_64.so.1");
    assert_eq!(Identity::default().allocator(), "an unknown allocator");
    assert_eq!(of("/lib/libc-2.31.so", Some("glibc 2.31"), "never").allocator(), "glibc 2.31");
}
