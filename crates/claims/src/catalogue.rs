//! The claims: ids and statements.

use results::claims::{Claim, ClaimVerdict};

/// Ids, which never change, and statements, in the order of the screen.
pub const CLAIMS: [(&str, &str); 16] = [
    ("demand-paging", "mapped memory uses no physical memory until it is touched"),
    ("file-demand-paging", "a mapped file is not read until it is accessed"),
    ("zero-fill", "anonymous mappings read as zero"),
    ("malloc-is-lazy", "malloc uses no physical pages until they are written"),
    ("brk-or-mmap", "malloc uses brk or mmap, depending on the size"),
    ("program-break", "brk moves the program break up and down"),
    ("thread-arenas", "the main arena uses brk, arenas of other threads use mmap and mprotect"),
    ("aslr-gap", "bss and heap are adjacent without ASLR, and a random gap apart with it"),
    ("mmap-between", "the mmap area lies between heap and stack"),
    ("shared", "mmap shares memory between parent and child"),
    ("malloc-varies", "malloc plus zeroing gets slow and varies with size; mmap does not"),
    ("malloc-slower", "malloc plus filling is slower than mmap plus filling"),
    ("large-equal", "malloc of a large block costs the same as a private anonymous mapping"),
    ("map-or-copy", "mapping a file can cost more than copying it"),
    ("syscalls-seen", "strace shows the system calls that malloc makes"),
    ("less-portable", "mmap makes code less portable"),
];

/// Every id.
pub fn ids() -> impl Iterator<Item = &'static str> {
    CLAIMS.iter().map(|(id, _)| *id)
}

/// The id from the list that equals `wanted`.
///
/// # Errors
/// A message with the nearest id and all known ids.
pub fn find(wanted: &str) -> Result<&'static str, String> {
    ids().find(|id| *id == wanted).ok_or_else(|| {
        let hint = lab::question::arm::nearest(wanted, ids())
            .map_or(".".to_owned(), |near| format!("; did you mean {near}?"));
        format!("no claim {wanted:?}{hint} Known: {}", ids().collect::<Vec<_>>().join(", "))
    })
}

/// The claim `id` with a verdict.
///
/// # Panics
/// If the id is not in the list; the tests of the judges rule this out.
#[must_use]
pub fn claim(
    id: &str,
    verdict: ClaimVerdict,
    evidence: impl Into<String>,
    explanation: impl Into<String>,
) -> Claim {
    let (id, statement) =
        CLAIMS.iter().find(|(known, _)| *known == id).expect("a claim of the list");
    Claim {
        id: (*id).to_owned(),
        statement: (*statement).to_owned(),
        verdict,
        evidence: evidence.into(),
        explanation: explanation.into(),
        figures: serde_json::Map::new(),
    }
}

/// The claim `id` without a verdict, because it cannot be tested here.
#[must_use]
pub fn cannot(id: &str, why: impl Into<String>) -> Claim {
    claim(id, ClaimVerdict::CannotTest, why, "Nothing was measured, so there is no verdict.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_id_gets_the_nearest_as_hint() {
        assert_eq!(find("zero-fill"), Ok("zero-fill"));
        assert!(find("zerofill").unwrap_err().contains("did you mean zero-fill?"));
        let lost = find("xyzzy").unwrap_err();
        assert!(!lost.contains("did you mean") && lost.contains("less-portable"), "{lost}");
    }
}
