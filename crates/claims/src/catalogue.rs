//! The claims: ids and what is claimed.

use results::claims::{Claim, ClaimVerdict};

/// Ids, which never change, and statements, in the order of the screen.
pub const CLAIMS: [(&str, &str); 16] = [
    ("demand-paging", "mapped memory uses no physical memory until it is touched"),
    ("file-demand-paging", "a mapped file is not read until it is accessed"),
    ("zero-fill", "anonymous mappings read as zero"),
    ("malloc-is-lazy", "malloc allocates no pages until they are written to"),
    ("brk-or-mmap", "malloc uses brk or mmap, depending on the size"),
    ("program-break", "brk moves the program break up and down"),
    ("thread-arenas", "the main arena uses brk, the arenas of other threads mmap and mprotect"),
    (
        "aslr-gap",
        "without ASLR no gap lies between the end of bss and the heap, with it a random one",
    ),
    ("mmap-between", "the mmap area lies between heap and stack"),
    ("shared", "mmap shares memory between parent and child"),
    (
        "malloc-varies",
        "the time of malloc and zeroing shoots up and varies with size, that of mmap does not",
    ),
    ("malloc-slower", "malloc and filling is slower than mmap and filling"),
    ("large-equal", "malloc of large blocks costs what a private anonymous mapping costs"),
    ("map-or-copy", "mapping a file is not free: it can cost more than copying it"),
    ("syscalls-seen", "strace shows the system calls that malloc makes"),
    ("less-portable", "mmap makes code less portable"),
];

/// Every id.
pub fn ids() -> impl Iterator<Item = &'static str> {
    CLAIMS.iter().map(|(id, _)| *id)
}

/// The id that `wanted` is.
///
/// # Errors
/// The nearest, and all that there are.
pub fn find(wanted: &str) -> Result<&'static str, String> {
    ids().find(|id| *id == wanted).ok_or_else(|| {
        let hint = lab::question::arm::nearest(wanted, ids())
            .map_or(".".to_owned(), |near| format!("; did you mean {near}?"));
        format!(
            "there is no claim {wanted:?}{hint} Known: {}",
            ids().collect::<Vec<_>>().join(", ")
        )
    })
}

/// The claim `id` with a verdict.
///
/// # Panics
/// Of an id that is not in the list, which a test of every judge rules out.
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

/// The claim `id`, which cannot be tested here.
#[must_use]
pub fn cannot(id: &str, why: impl Into<String>) -> Claim {
    claim(id, ClaimVerdict::CannotTest, why, "Nothing was measured, so nothing is said about it.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_ids_are_answered_with_the_nearest() {
        assert_eq!(find("zero-fill"), Ok("zero-fill"));
        assert!(find("zerofill").unwrap_err().contains("did you mean zero-fill?"));
        let lost = find("xyzzy").unwrap_err();
        assert!(!lost.contains("did you mean") && lost.contains("less-portable"), "{lost}");
    }
}
