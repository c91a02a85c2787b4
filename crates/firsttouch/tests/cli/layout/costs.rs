//! What mappings cost besides resident memory: the figures of `layout` and those of `/proc`.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use results::layout::{Cost, Layout};

use super::{MIB, layout, of};
use crate::program::{
    PROGRAM, Scratch, as_nobody, fixture, is_root, open_copy, run, skip, state, text, wait_for,
};

/// The program `costs` of `fixtures/`, which has done what it was told and waits.
struct Waiting(Child);

impl Waiting {
    fn new(program: &Path, wishes: &[&str]) -> Self {
        Waiting::told(Command::new(program).args(wishes))
    }

    fn told(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut begin = [0; 8];
        child.stdout.as_mut().unwrap().read_exact(&mut begin).unwrap();
        assert_eq!(&begin, b"waiting\n");
        // Its first call of pause(2) may take the fault of another page of the C library.
        wait_for("the pause", || (state(&child.id().to_string()) == Some('S')).then_some(()));
        Waiting(child)
    }

    fn pid(&self) -> String {
        self.0.id().to_string()
    }

    fn file(&self, name: &str) -> String {
        let bytes = std::fs::read(format!("/proc/{}/{name}", self.0.id())).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Adds up one field of smaps, over all mappings.
    fn smaps(&self, field: &str) -> u64 {
        let smaps = self.file("smaps");
        let values = smaps.lines().filter_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        values.map(kib).sum()
    }

    /// What `/proc` says of it now.
    fn cost(&self) -> Cost {
        let status = self.file("status");
        let of_status = |field: &str| {
            Some(kib(status.lines().find_map(|line| line.strip_prefix(field)).unwrap()))
        };
        let smaps = self.file("smaps");
        let mut accounted = 0;
        let mut size = 0;
        for line in smaps.lines() {
            if let Some(value) = line.strip_prefix("Size:") {
                size = kib(value);
            }
            if line.starts_with("VmFlags:") && line.split(' ').any(|flag| flag == "ac") {
                accounted += size;
            }
        }
        let limits = self.file("limits");
        let limit = limits.lines().find_map(|line| line.strip_prefix("Max address space")).unwrap();
        let most = std::fs::read_to_string("/proc/sys/vm/max_map_count").unwrap();
        Cost {
            page_tables_bytes: of_status("VmPTE:"),
            accounted_bytes: Some(accounted),
            mappings: self.file("maps").lines().count() as u64,
            mappings_max: Some(most.trim().parse().unwrap()),
            address_space_bytes: of_status("VmSize:"),
            address_space_max_bytes: limit.split_whitespace().next().unwrap().parse().ok(),
            commit_left_bytes: None,
        }
    }

    fn layout(&self, options: &[&str]) -> Layout {
        let pid = self.pid();
        layout(&run(&[&["layout", "--json", "-", "-p", &pid], options].concat()))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = (self.0.kill(), self.0.wait());
    }
}

/// `  12 kB` in bytes.
fn kib(text: &str) -> u64 {
    let number = text.trim().strip_suffix(" kB").unwrap_or_else(|| panic!("{text:?}"));
    number.trim().parse::<u64>().unwrap() * 1024
}

/// The cost in a picture, without what belongs to the machine and may change meanwhile.
fn cost(layout: &Layout) -> Cost {
    Cost { commit_left_bytes: None, ..layout.runs[0].cost }
}

fn resident(layout: &Layout) -> u64 {
    layout.runs[0].resident_bytes()
}

#[test]
fn the_figures_are_those_of_proc() {
    let scratch = Scratch::new();
    let Some(program) = fixture("costs", &scratch) else { return };
    let plain = Waiting::new(&program, &[]).cost();
    let more = |wishes: &[&str], figure: fn(&Cost) -> u64| {
        let process = Waiting::new(&program, wishes);
        let layout = process.layout(&[]);
        assert_eq!(cost(&layout), process.cost(), "{wishes:?}");
        assert_eq!(resident(&layout), process.smaps("Rss"), "{wishes:?}");
        figure(&cost(&layout)).saturating_sub(figure(&plain))
    };
    let tables = |cost: &Cost| cost.page_tables_bytes.unwrap();
    let accounted = |cost: &Cost| cost.accounted_bytes.unwrap();
    let space = |cost: &Cost| cost.address_space_bytes.unwrap();
    // A table of a page for each page that is touched, and tables of these tables.
    let sparse = more(&["sparse=2048"], tables);
    assert!((8 * MIB..9 * MIB).contains(&sparse), "{sparse}");
    for closed in ["closed=10000", "noreserve=10000"] {
        assert_eq!((more(&[closed], accounted), more(&[closed], tables) < MIB), (0, true));
        assert_eq!(more(&[closed], space), 10_000 * MIB);
    }
    for open in ["open=1000", "opened=1000"] {
        assert_eq!(more(&[open], accounted), 1000 * MIB, "{open}");
    }
    let mappings = more(&["mappings=3000"], |cost| cost.mappings);
    assert!((2999..=3001).contains(&mappings), "{mappings}");
}

#[test]
fn residency_is_that_of_smaps_for_pages_of_every_kind() {
    let scratch = Scratch::new();
    let Some(program) = fixture("costs", &scratch) else { return };
    let process = Waiting::new(&program, &["mixed=16"]);
    let layout = process.layout(&[]);
    assert_eq!(resident(&layout), process.smaps("Rss"));
    let huge: u64 = layout.runs[0].regions.iter().map(|region| region.huge_bytes).sum();
    assert_eq!(huge, process.smaps("AnonHugePages") + process.smaps("ShmemPmdMapped"));
    if huge == 0 {
        skip("the kernel gives no huge pages");
    }
}

#[test]
fn at_the_exit_they_are_there_too() {
    let scratch = Scratch::new();
    let Some(program) = fixture("costs", &scratch) else { return };
    let waiting = Waiting::new(&program, &["sparse=512", "open=100", "touched=128"]);
    let layout = of(&[], &program, &["sparse=512", "open=100", "touched=128", "leave"]);
    let (at_exit, before) = (cost(&layout), waiting.cost());
    let within = |found: Option<u64>, expect: Option<u64>, slack: u64| {
        assert!(found.unwrap().abs_diff(expect.unwrap()) <= slack, "{found:?} {expect:?}");
    };
    within(at_exit.page_tables_bytes, before.page_tables_bytes, 64 << 10);
    within(at_exit.accounted_bytes, before.accounted_bytes, MIB);
    within(at_exit.address_space_bytes, before.address_space_bytes, MIB);
    assert!(at_exit.mappings.abs_diff(before.mappings) <= 3, "{at_exit:?} {before:?}");
}

#[test]
fn limits_are_those_of_the_process() {
    let scratch = Scratch::new();
    let Some(program) = fixture("costs", &scratch) else { return };
    let process = Waiting::new(&program, &["closed=500", "limit=512"]);
    let layout = process.layout(&[]);
    assert_eq!(cost(&layout).address_space_max_bytes, Some(512 * MIB));
    assert_eq!(cost(&layout), process.cost());
    let screen = text(&run(&["layout", "-p", &process.pid()]).stdout);
    let head: Vec<&str> = screen.lines().take(5).collect();
    assert!(head[1].contains("address space 50") && head[1].contains(" of 512 MiB"), "{screen}");
    assert!(head[2].starts_with("note address space ") && head[2].contains("ulimit -v"));
    let limited = format!("ulimit -v 1000000; exec {PROGRAM} layout --json - -- true");
    let output = Command::new("sh").args(["-c", &limited]).output().unwrap();
    let inherited = super::layout(&output);
    assert_eq!(cost(&inherited).address_space_max_bytes, Some(1_000_000 * 1024));
}

/// Reading the accounted memory of a process takes a lock that its mmap calls need, for as long as
/// the pages of its largest mapping are counted.
#[test]
fn accounted_memory_is_read_where_that_is_short_or_asked_for() {
    let scratch = Scratch::new();
    let Some(program) = fixture("costs", &scratch) else { return };
    let small = Waiting::new(&program, &["touched=32", "noreserve=1000"]);
    assert_eq!(cost(&small.layout(&[])).accounted_bytes, small.cost().accounted_bytes);
    let large = Waiting::new(&program, &["touched=128", "noreserve=1000"]);
    let expect = large.cost();
    let (unasked, asked) = (large.layout(&[]), large.layout(&["--accounted"]));
    assert_eq!(cost(&asked), expect);
    assert_eq!(resident(&asked), large.smaps("Rss"));
    if cost(&unasked).accounted_bytes.is_some() {
        return skip("this kernel has no PAGEMAP_SCAN, so smaps is read in any case");
    }
    assert_eq!(cost(&unasked), Cost { accounted_bytes: None, ..expect });
    let screen = text(&run(&["layout", "-p", &large.pid()]).stdout);
    assert!(screen.contains("accounted not read") && screen.contains("--accounted"), "{screen}");
}

#[test]
fn an_ordinary_user_gets_the_same_figures() {
    if !is_root() {
        return; // the other tests were that
    }
    let scratch = Scratch::new();
    let Some(fixture) = fixture("costs", &scratch) else { return };
    let program = open_copy(&scratch);
    if as_nobody(Path::new("true")).output().is_err() {
        return skip("no setpriv");
    }
    let process = Waiting::told(as_nobody(&fixture).args(["mixed=4", "sparse=100"]));
    let looked = as_nobody(&program).args(["layout", "--json", "-", "-p", &process.pid()]).output();
    let found = layout(&looked.unwrap());
    assert_eq!(cost(&found), process.cost());
    assert_eq!(resident(&found), process.smaps("Rss"));
}
