//! Several mappings moved by one call, wholly or in part, and mappings that a child of vfork made:
//! `trace` gives the memory that is there then, or says that it does not know.

use serde_json::Value;

use crate::causes::{lines_of, ways};
use crate::program::{Scratch, fixture, skip};

/// The program reads each page of its target once, at last.
const PAGES: usize = 8;

/// The mapping and the cause of each page of the target: the last faults on pages one after the
/// other.
fn read_at_last(lines: &[Value]) -> Vec<(&str, &str)> {
    let address = |fault: &Value| {
        let digits = fault["address"].as_str().and_then(|text| text.strip_prefix("0x"));
        u64::from_str_radix(digits.expect("an address"), 16).expect("an address")
    };
    let pid = &lines.first().expect("lines")["pid"];
    let faults: Vec<&Value> =
        lines.iter().filter(|line| line["kind"] == "fault" && line["pid"] == *pid).collect();
    let last = faults
        .windows(PAGES)
        .rfind(|faults| faults.windows(2).all(|pair| address(pair[0]) + 4096 == address(pair[1])));
    let each = last.unwrap_or(&[]).iter();
    each.map(|fault| (text(&fault["mapping"]), text(&fault["cause"]))).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("none")
}

#[test]
fn moved_memory_is_what_the_kernel_made_of_it() {
    let scratch = Scratch::new();
    let Some(program) = fixture("moved_mappings", &scratch) else { return };
    let moved = ("[anonymous]", "first-touch");
    let stayed = ("/memfd:target (deleted)", "file");
    let either = ("[other]", "unknown");
    let acts = [
        ("hole", [moved, moved, stayed, stayed, stayed, stayed, moved, moved]),
        ("in part", [either, either, either, either, stayed, stayed, stayed, stayed]),
        ("vfork", [stayed; PAGES]),
    ];
    for (act, expected) in acts {
        for (name, way) in ways(&scratch) {
            let Some((status, lines)) = lines_of(&name, way, &program, &[act]) else { continue };
            if status == Some(77) {
                skip(&format!("{name}: this kernel cannot do the act {act}"));
                continue;
            }
            assert_eq!(status, Some(0), "{name} {act}");
            assert_eq!(read_at_last(&lines), expected, "{name} {act}");
        }
    }
}
