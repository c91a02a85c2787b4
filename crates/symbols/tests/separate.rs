//! Debug information in other files, compressed, split, of another build: made with the tools that
//! make such files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use symbols::{DebugFolders, SymbolFindings, SymbolFrame, SymbolTrouble, Symbolizer, hexadecimal};

const PROGRAM: &str = "
volatile int sink;
static inline __attribute__((always_inline)) int inner(int n) { return sink * n + EXTRA; }
__attribute__((noinline)) int outer(int n) { int found = inner(n); sink = found; return found; }
int main(void) { return outer(3); }
";

/// A folder with a program and what is made of it.
struct Workshop {
    folder: PathBuf,
}

impl Workshop {
    fn new(name: &str) -> Workshop {
        let folder = std::env::temp_dir().join(format!("ft-symbols-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder");
        let workshop = Workshop { folder: folder.canonicalize().expect("its path") };
        fs::write(workshop.path("a.c"), PROGRAM).expect("a file");
        workshop
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Runs a tool in the folder. `false`, and a skip, where it is not there or cannot.
    fn run(&self, command: &str) -> bool {
        let words: Vec<&str> = command.split(' ').collect();
        let output = Command::new(words[0]).args(&words[1..]).current_dir(&self.folder).output();
        let succeeds = output.is_ok_and(|output| output.status.success());
        if !succeeds {
            skips::skip(&format!("{command} does not work here"));
        }
        succeeds
    }

    /// The program as `name`. All have the same code at the same place.
    fn compile(&self, name: &str, flags: &str) -> bool {
        self.run(&format!("cc -O2 -rdynamic -DEXTRA=7 {flags} a.c -o {name}"))
    }

    /// A program without its debug information, which is in `debug`.
    fn strip(&self, name: &str, debug: &str) -> bool {
        fs::create_dir_all(self.path(debug).parent().expect("a folder")).expect("a folder");
        self.compile(name, "-g")
            && self.run(&format!("objcopy --only-keep-debug {name} {debug}"))
            && self.run(&format!("strip {name}"))
    }

    fn folders(&self) -> DebugFolders {
        DebugFolders { by_path: vec![self.path("lib/debug")], fetched: Some(self.path("cache")) }
    }

    /// The functions at each place of the code of `name`, and what was found of it.
    fn names(&self, name: &str, id: Option<&[u8]>) -> (Vec<Vec<SymbolFrame>>, SymbolFindings) {
        let mut symbols = Symbolizer::new(self.folders());
        let offsets: Vec<u64> = (0x1000..0x1400).collect();
        let path = self.path(name);
        let frames = symbols.frames(&path, id, &offsets);
        (frames, symbols.findings(&path, id).expect("it was asked for").clone())
    }

    /// Checks that inlined functions and lines of `name` are found.
    fn has_all_names(&self, name: &str) {
        let (frames, findings) = self.names(name, None);
        assert!(has_inlined(&frames), "{name}: {findings:?}");
        assert_eq!(findings.unusable, [], "{name}");
    }

    /// Checks that `name` has functions alone, for a reason with these words.
    fn has_functions_only(&self, name: &str, reason: &str) {
        let (frames, findings) = self.names(name, None);
        assert!(!has_inlined(&frames), "{name}");
        // Those would be of what is inlined.
        assert!(frames.iter().flatten().all(|frame| frame.line.is_none()), "{name}: {frames:?}");
        assert!(frames.iter().flatten().any(|frame| is(frame, "outer")), "{name}: {findings:?}");
        let why = findings.unusable.iter().map(|file| &file.why);
        assert!(why.clone().any(|why| why.contains(reason)), "{name}: {findings:?}");
    }

    fn build_id(&self, name: &str) -> Option<Vec<u8>> {
        blazesym::helper::read_elf_build_id(&self.path(name))
            .expect("ELF")
            .map(std::borrow::Cow::into_owned)
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn is(frame: &SymbolFrame, name: &str) -> bool {
    frame.function.as_deref() == Some(name)
}

/// Whether `inner`, with its line, is inlined into `outer` somewhere.
fn has_inlined(frames: &[Vec<SymbolFrame>]) -> bool {
    frames.iter().any(|frames| {
        let is_at = |frame: &SymbolFrame, name, line| is(frame, name) && frame.line == Some(line);
        let [inner, outer] = &frames[..] else { return false };
        is_at(inner, "inner", 3) && is_at(outer, "outer", 4)
    })
}

#[test]
fn debug_files_are_found_by_link_path_and_build_id() {
    let workshop = Workshop::new("found");
    let link = |name: &str, debug: &str| {
        workshop.strip(name, debug)
            && workshop.run(&format!("objcopy --add-gnu-debuglink={debug} {name}"))
    };
    let below = |name| format!("lib/debug{}/{name}", workshop.folder.display());
    for (name, debug) in [
        ("beside", "other.debug".to_owned()),
        ("hidden", ".debug/hidden.debug".to_owned()),
        ("by_path", below("by_path.debug")),
    ] {
        if link(name, &debug) {
            workshop.has_all_names(name);
            // The link has only the name of the file and its checksum.
            fs::remove_file(workshop.path(&debug)).expect("the debug file");
            let (frames, findings) = workshop.names(name, None);
            assert!(!has_inlined(&frames) && findings.unusable.is_empty(), "{findings:?}");
        }
    }
    if !workshop.strip("by_id", "by_id.file") {
        return;
    }
    let Some(id) = workshop.build_id("by_id") else { return skips::skip("no build ids") };
    let hex = hexadecimal(&id);
    for place in [
        format!("lib/debug/.build-id/{}/{}.debug", &hex[..2], &hex[2..]),
        format!("cache/{hex}/debuginfo"),
        below("by_id.debug"),
    ] {
        let place = workshop.path(&place);
        fs::create_dir_all(place.parent().expect("a folder")).expect("a folder");
        fs::copy(workshop.path("by_id.file"), &place).expect("a copy");
        let (frames, findings) = workshop.names("by_id", Some(&id));
        assert!(has_inlined(&frames), "{}", place.display());
        assert_eq!(findings, SymbolFindings::default());
        fs::remove_file(place).expect("the copy");
    }
}

#[test]
fn a_debug_file_of_another_build_is_not_used() {
    let workshop = Workshop::new("other");
    for (name, flags) in [("with_id", "-g"), ("without", "-g -Wl,--build-id=none")] {
        let other = format!("{name}.debug");
        let made = workshop.compile(&other, &format!("{flags} -UEXTRA -DEXTRA=8"))
            && workshop.compile(name, flags)
            && workshop.run(&format!("objcopy --only-keep-debug {name} own"))
            && workshop.run(&format!("strip {name}"));
        if !made {
            return;
        }
        fs::rename(workshop.path("own"), workshop.path("own.debug")).expect("renamed");
        fs::rename(workshop.path(&other), workshop.path("kept")).expect("renamed");
        fs::rename(workshop.path("own.debug"), workshop.path(&other)).expect("renamed");
        if !workshop.run(&format!("objcopy --add-gnu-debuglink={other} {name}")) {
            return;
        }
        workshop.has_all_names(name);
        fs::rename(workshop.path("kept"), workshop.path(&other)).expect("renamed");
        workshop.has_functions_only(name, "another build");
    }
}

#[test]
fn compressed_and_split_debug_information_is_read_or_named() {
    let workshop = Workshop::new("compressed");
    if workshop.compile("zlib", "-g -gz=zlib") {
        workshop.has_all_names("zlib");
    }
    if workshop.compile("zstd", "-g") && workshop.run("objcopy --compress-debug-sections=zstd zstd")
    {
        workshop.has_functions_only("zstd", "--decompress-debug-sections");
    }
    if workshop.compile("split", "-g -gdwarf-5 -gsplit-dwarf") {
        workshop.has_functions_only("split", ".dwo");
    }
}

#[test]
fn programs_without_symbols_have_those_that_they_export() {
    let workshop = Workshop::new("stripped");
    if !workshop.compile("stripped", "-s") {
        return;
    }
    let (frames, findings) = workshop.names("stripped", None);
    let line = frames.iter().flatten().find_map(|frame| frame.line);
    assert!(frames.iter().flatten().any(|frame| is(frame, "outer")) && line.is_none());
    assert_eq!(findings.unusable, []);
}

#[test]
fn another_build_and_a_file_that_cannot_be_read_are_named() {
    let workshop = Workshop::new("trouble");
    if !workshop.compile("app", "-g") {
        return;
    }
    let id = workshop.build_id("app");
    let trouble = |id: Option<&[u8]>| workshop.names("app", id).1.trouble;
    assert_eq!(trouble(id.as_deref()), id.is_none().then_some(SymbolTrouble::Unchecked));
    workshop.compile("app", "-g -UEXTRA -DEXTRA=8");
    if id.is_some() {
        assert_eq!(trouble(id.as_deref()), Some(SymbolTrouble::Changed));
    }
    fs::remove_file(workshop.path("app")).expect("it is there");
    assert_eq!(trouble(None), Some(SymbolTrouble::Missing));
    if workshop.run("mkfifo app") {
        let why = "it is not a regular file".to_owned();
        assert_eq!(trouble(None), Some(SymbolTrouble::Unreadable(why)), "and nothing waits");
    }
    fs::remove_file(workshop.path("app")).expect("it is there");
    let cut = fs::read(Path::new("/proc/self/exe")).expect("this program");
    for length in [0, 3, 16, 63, 64, 200, 4096, cut.len() / 2] {
        fs::write(workshop.path("app"), &cut[..length]).expect("a file");
        let (frames, findings) = workshop.names("app", None);
        assert!(frames.iter().all(Vec::is_empty) || findings.trouble.is_some(), "{length}");
    }
}
