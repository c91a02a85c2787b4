//! Pages that come or go without a fault, or without a call that `trace` sees: in-kernel writes,
//! holes, guards, growth, a neighbour's end. The kernel's word on whether a page was present keeps
//! their causes right.

use serde_json::Value;

use crate::causes::{Causes, Counts, causes, expect, lines_of, ways};
use crate::program::{Scratch, fixture, skip};

const PAGES: u64 = 301;

/// The act, the mapping (`None`: the anonymous one of 301 pages), and its causes.
type Act<'a> = (&'a str, Option<&'a str>, Counts<'a>);

/// The causes of the faults in mappings whose name contains `name`.
fn causes_in(lines: &[Value], name: &str) -> Causes {
    let mut causes = Causes::new();
    for line in lines.iter().filter(|line| line["kind"] == "fault") {
        if line["mapping"].as_str().is_some_and(|mapping| mapping.contains(name)) {
            *causes.entry(line["cause"].as_str().expect("a cause").to_owned()).or_default() += 1;
        }
    }
    causes
}

#[test]
fn pages_that_no_call_tells_of_have_their_cause() {
    let scratch = Scratch::new();
    let Some(program) = fixture("unseen_pages", &scratch) else { return };
    let acts: [Act<'_>; 9] = [
        ("direct", None, &[("copy-on-write", PAGES)]),
        ("vm-write", None, &[("copy-on-write", PAGES)]),
        ("guard", None, &[("first-touch", PAGES + 8), ("unknown", 1)]),
        ("supplied", None, &[("first-touch", PAGES)]),
        ("protected", None, &[("first-touch", PAGES), ("unknown", PAGES)]),
        ("beside", Some("[shared anonymous]"), &[("first-touch", PAGES)]),
        ("grow", Some("[thread stack]"), &[("first-touch", PAGES)]),
        ("hole", Some("/memfd:hole"), &[("file", 2 * PAGES)]),
        ("truncate", Some("/truncate"), &[("file", 2 * PAGES)]),
    ];
    for (act, mapping, counts) in acts {
        for (name, mut way) in ways(&scratch) {
            way.current_dir(std::env::temp_dir());
            let Some((status, lines)) = lines_of(&name, way, &program, &[act, &PAGES.to_string()])
            else {
                continue;
            };
            if status == Some(77) {
                skip(&format!("{name}: this machine cannot do the act {act}"));
                continue;
            }
            assert_eq!(status, Some(0), "{name} {act}");
            if lines.iter().any(|line| line["kind"] == "fault" && line["present"].is_null()) {
                skip(&format!("{name}: the kernel does not say whether a page was present"));
                continue;
            }
            let found = match mapping {
                Some(mapping) => causes_in(&lines, mapping),
                None => causes(&lines, PAGES * 4096, |_| true),
            };
            let mut expected = expect(counts);
            if act == "direct" {
                // The kernel may still hold some pages of the read (it marks them dirty in a
                // worker); fork(2) copies these at once, so that they take no fault.
                let copied = found.get("copy-on-write").copied().unwrap_or_default();
                assert!(copied <= PAGES, "{name} {act}: {found:?}");
                expected.insert("copy-on-write".to_owned(), copied);
            }
            assert_eq!(found, expected, "{name} {act}");
        }
    }
}
