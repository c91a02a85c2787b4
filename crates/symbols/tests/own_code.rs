//! The names of this test's own code.

use std::hint::black_box;
use std::path::{Path, PathBuf};

use symbols::{DebugFolders, SymbolFindings, SymbolFrame, SymbolTrouble, Symbolizer};

/// The lines of the functions below.
const INNER: std::ops::Range<u32> = line!() + 4..line!() + 6;
const CALL: u32 = line!() + 9;
#[expect(clippy::inline_always, reason = "it has to be")]
#[inline(always)]
fn inlined_into_another(value: u64) -> u64 {
    black_box(value).wrapping_mul(black_box(3)).rotate_left(7)
}

#[inline(never)]
fn function_with_a_name(value: u64) -> u64 {
    let first = inlined_into_another(value);
    black_box(first ^ 5)
}

/// The file that has the code at `address` of this process, and the offset in it.
fn place_of(address: usize) -> (PathBuf, u64) {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("its maps");
    let hex = |text: &str| u64::from_str_radix(text, 16).expect("a number");
    let address = address as u64;
    maps.lines()
        .find_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (start, end) = fields[0].split_once('-')?;
            let (start, end) = (hex(start), hex(end));
            let offset = hex(fields[2]) + address.checked_sub(start)?;
            (address < end).then(|| (PathBuf::from(fields[5]), offset))
        })
        .expect("a mapping with the code")
}

fn own_place() -> (PathBuf, u64) {
    black_box(function_with_a_name(black_box(1)));
    place_of(function_with_a_name as *const () as usize)
}

fn has(frame: &SymbolFrame, name: &str) -> bool {
    frame.function.as_deref().is_some_and(|function| function.contains(name))
}

#[test]
fn functions_have_names_and_lines() {
    let (path, offset) = own_place();
    let mut symbols = Symbolizer::new(DebugFolders::default());
    let frames = symbols.frames(&path, None, &[offset, u64::MAX]);
    assert_eq!(frames.len(), 2);
    let outermost = frames[0].last().expect("a name");
    assert!(has(outermost, "function_with_a_name"), "{frames:?}");
    assert!(outermost.file.as_deref().is_some_and(|file| file.ends_with("own_code.rs")));
    assert!(outermost.line.is_some_and(|line| (CALL - 1..CALL + 3).contains(&line)), "{frames:?}");
    assert_eq!(outermost.offset_bytes, Some(0), "its first instruction");
    assert_eq!(frames[1], [], "no code is there");
    let unchecked =
        SymbolFindings { trouble: Some(SymbolTrouble::Unchecked), ..SymbolFindings::default() };
    assert_eq!(symbols.findings(&path, None), Some(&unchecked), "no build id is known");
}

#[test]
fn inlined_functions_come_before_those_that_they_were_inlined_into() {
    let (path, offset) = own_place();
    let offsets: Vec<u64> = (offset..offset + 64).collect();
    let frames = Symbolizer::new(DebugFolders::default()).frames(&path, None, &offsets);
    let inlined = frames
        .iter()
        .find(|frames| frames.iter().any(|frame| has(frame, "inlined_into_another")))
        .expect("an instruction of the inlined function");
    let inner = inlined.iter().position(|frame| has(frame, "inlined_into_another"));
    let outer = inlined.iter().position(|frame| has(frame, "function_with_a_name"));
    assert!(inner < outer, "{inlined:#?}");
    let line = |at: Option<usize>| at.and_then(|at| inlined[at].line).expect("a line");
    assert!(INNER.contains(&line(inner)), "its own line: {inlined:#?}");
    assert_eq!(line(outer), CALL, "the line of the call: {inlined:#?}");
}

#[test]
fn another_build_and_no_file_have_no_names() {
    let (path, offset) = own_place();
    let mut symbols = Symbolizer::new(DebugFolders::default());
    assert_eq!(symbols.frames(&path, Some(&[1, 2, 3]), &[offset]), [vec![]]);
    assert_eq!(trouble(&symbols, &path, Some(&[1, 2, 3])), Some(SymbolTrouble::Changed));
    let text = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    let unreadable = |why: &str| SymbolTrouble::Unreadable(why.to_owned());
    for (path, why) in [
        ("/nowhere/at/all", SymbolTrouble::Missing),
        ("/dev/null/below", SymbolTrouble::Missing),
        ("relative", SymbolTrouble::Missing),
        ("/dev/zero", unreadable("it is not a regular file")),
        ("/tmp", unreadable("it is a directory")),
        (text.to_str().expect("UTF-8"), unreadable("it is not an ELF file")),
    ] {
        let path = Path::new(path);
        assert_eq!(symbols.frames(path, None, &[1, 2]), [vec![], vec![]]);
        assert_eq!(trouble(&symbols, path, None), Some(why), "{}", path.display());
    }
    assert_eq!(symbols.findings(Path::new("/not/asked"), None), None);
}

fn trouble(symbols: &Symbolizer, path: &Path, id: Option<&[u8]>) -> Option<SymbolTrouble> {
    symbols.findings(path, id).expect("it was asked for").trouble.clone()
}

#[test]
fn the_recorded_build_has_names() {
    let (path, offset) = own_place();
    let id = blazesym::helper::read_elf_build_id(&path).expect("an ELF file");
    let id = id.as_deref().or(Some(&[1]));
    let mut symbols = Symbolizer::new(DebugFolders::default());
    let frames = symbols.frames(&path, id, &[offset]);
    let named = frames[0].last().is_some_and(|frame| has(frame, "function_with_a_name"));
    // A linker that writes no build id makes every build another one.
    let expected = (id == Some(&[1])).then_some(SymbolTrouble::Changed);
    assert_eq!((named, trouble(&symbols, &path, id)), (expected.is_none(), expected));
}
