//! What a program pays before its main, from scripted streams.

use std::num::NonZeroU64;

use analysis::address_space::Attributor;
use analysis::start::{StartAccount, StartEvidence, Starts, program_start};
use events::{
    Allocation, AllocationFunction, Call, Clock, Ending, Event, EventKind, Fault, Frame, Header,
    Interner, Life, MappingReport, Name, Sees, Span, StackId, Syscall, ThpPolicy, Thread,
};
use results::start::{ProgramStart, StartCause, StartUntil};

const PAGE: u64 = 4096;
/// Where the program is: its code, its data, and bss.
const CODE: u64 = 0x5555_0000_0000;
const DATA: u64 = CODE + 0x10_0000;
const BSS: u64 = DATA + 0x10_0000;
/// The dynamic linker, and the C library.
const LINKER: u64 = 0x7f00_0000_0000;
const LIBC: u64 = 0x7f10_0000_0000;
const LIBC_DATA: u64 = LIBC + 0x10_0000;
const SHIM: u64 = 0x7f20_0000_0000;
const STACK: u64 = 0x7ffd_0000_0000;
const KERNEL: u64 = u64::MAX << 47;
/// Offsets in the program: of its beginning, of its constructor, and of its main.
const BEGINNING: u64 = 0x100;
const CONSTRUCTOR: u64 = 0x200;
const MAIN: u64 = 0x300;

fn header(faults: bool) -> Header {
    Header {
        clock: Clock::Monotonic,
        began_ns: 0,
        page_bytes: PAGE,
        huge_pages: ThpPolicy::Never,
        can_swap: false,
        sees: Sees {
            calls: true,
            faults,
            kernel_faults: true,
            absences: false,
            page_sizes: true,
            allocations: true,
            stops: false,
        },
    }
}

/// A stream with an event every microsecond. A fault takes 100 ns.
struct Script {
    attributor: Attributor,
    starts: Starts,
    interner: Interner,
    now_ns: u64,
    thread: Thread,
}

impl Script {
    fn new() -> Script {
        Script::with(Starts::new(&header(true)))
    }

    fn with(starts: Starts) -> Script {
        let attributor = Attributor::new(&header(true));
        let thread = Thread { pid: 1, tid: 1 };
        Script { attributor, starts, interner: Interner::default(), now_ns: 0, thread }
    }

    /// A program that has been executed, with its dynamic linker.
    fn dynamic() -> Script {
        let mut script = Script::new();
        script.execute();
        script
    }

    fn execute(&mut self) {
        self.life(Life::Executed { name: Name::NONE });
        self.program();
        self.map(LINKER, 0x10_0000, 5, "/lib/ld.so", 3);
    }

    fn program(&mut self) {
        self.map(CODE, 0x10_0000, 5, "/bin/app", 2);
        self.map(DATA, 0x10_0000, 3, "/bin/app", 2);
        self.map(BSS, 0x10_0000, 3, "//anon", 0);
        self.map(STACK, 0x10_0000, 3, "[stack]", 0);
    }

    /// The dynamic linker maps the C library.
    fn load(&mut self) -> &mut Self {
        self.map(LIBC, 0x10_0000, 5, "/lib/libc.so.6", 4);
        self.map(LIBC_DATA, 0x10_0000, 3, "/lib/libc.so.6", 4);
        self
    }

    fn event(&mut self, kind: EventKind) -> &mut Self {
        self.now_ns += 1000;
        let event = Event { time_ns: self.now_ns, thread: self.thread, kind };
        let attribution = self.attributor.take(&event);
        self.starts.take(&event, &attribution, &mut self.attributor, self.interner.table());
        self
    }

    fn life(&mut self, life: Life) -> &mut Self {
        self.event(EventKind::Life(life))
    }

    fn map(&mut self, start: u64, bytes: u64, protection: u32, name: &str, inode: u64) {
        let end = start + bytes;
        let offset_bytes = if inode > 0 { start & 0xff_ffff } else { 0 };
        let report = MappingReport {
            start,
            end,
            offset_bytes,
            protection,
            name,
            inode,
            ..MappingReport::default()
        };
        let mapping = report.intern(&mut self.interner);
        self.event(EventKind::Mapping(mapping));
    }

    fn fault(&mut self, address: u64, ip: u64) -> &mut Self {
        let span = Span { latency_ns: NonZeroU64::new(100), on_cpu_ns: None };
        self.event(EventKind::Fault(Fault {
            address,
            ip,
            span,
            page_bytes: NonZeroU64::new(PAGE),
            major: false,
            in_kernel: ip >= KERNEL,
            present: Some(false),
        }))
    }

    /// So many faults of `ip`, from `address` on.
    fn faults(&mut self, count: u64, address: u64, ip: u64) -> &mut Self {
        (0..count).for_each(|page| {
            self.fault(address + page * PAGE, ip);
        });
        self
    }

    fn protect(&mut self, start: u64, protection: u64) -> &mut Self {
        self.event(EventKind::Syscall(Syscall {
            call: Call::Mprotect,
            arguments_known: true,
            text: Name::NONE,
            arguments: [start, 0x1000, protection, 0, 0, 0],
            result: Some(0),
            span: Span::default(),
        }))
    }

    /// A call with these frames, the outermost first.
    fn call(&mut self, frames: &[u64]) -> &mut Self {
        let stack = frames
            .iter()
            .fold(StackId::NONE, |caller, &address| self.interner.frame(Frame { caller, address }));
        self.event(EventKind::Allocation(Allocation {
            function: AllocationFunction::Malloc,
            alignment_log2: 0,
            size_bytes: 8,
            address: 0x1234_0000 + self.now_ns,
            released: 0,
            latency_ns: NonZeroU64::new(10),
            stack,
        }))
    }

    fn account(&self) -> Option<StartAccount> {
        self.starts.clone().finish()
    }

    /// The start with names of the program's functions.
    fn start(&self) -> ProgramStart {
        let account = self.account().expect("a start that is known");
        program_start(&account, self.interner.table(), |_, offsets| {
            let name = |offset: &u64| match offset & 0xffff {
                BEGINNING => vec!["_start".to_owned()],
                CONSTRUCTOR => vec!["Table::Table()".to_owned(), "_GLOBAL__sub_I_t".to_owned()],
                MAIN..0x400 => vec!["main".to_owned()],
                _ => vec!["helper".to_owned()],
            };
            offsets.iter().map(name).collect()
        })
    }

    /// The same without any names.
    fn nameless(&self) -> ProgramStart {
        let account = self.account().expect("a start that is known");
        program_start(&account, self.interner.table(), |_, _| Vec::new())
    }
}

fn of(start: &ProgramStart, cause: StartCause) -> u64 {
    start.by_cause.iter().find(|row| row.cause == cause).map_or(0, |row| row.faults)
}

#[test]
fn faults_until_the_entry_are_told_apart_by_what_they_are_for() {
    let mut script = Script::dynamic();
    script.faults(2, STACK, KERNEL);
    script.faults(3, LINKER, LINKER + 0x40);
    script.load().faults(5, LIBC_DATA, LINKER + 0x40).faults(7, DATA, LINKER + 0x40);
    script.fault(BSS, LINKER + 0x40);
    script.fault(LIBC + PAGE, LIBC + PAGE).faults(11, LIBC_DATA + 8 * PAGE, LIBC + PAGE);
    script.fault(STACK + 8 * PAGE, LINKER + 0x40);
    // Another thread, which a constructor has started.
    let first = script.thread;
    script.thread = Thread { pid: 1, tid: 2 };
    script.life(Life::Started { by: first }).faults(100, BSS + 8 * PAGE, LIBC);
    script.thread = first;
    script.fault(CODE + BEGINNING, CODE + BEGINNING).faults(50, BSS + 64 * PAGE, CODE + MAIN);
    let start = script.nameless();
    assert_eq!((start.until, start.program.as_deref()), (StartUntil::Entry, Some("/bin/app")));
    let causes = [
        (StartCause::Exec, 2),
        (StartCause::ColdPages, 4),
        (StartCause::Relocations, 13),
        (StartCause::Constructors, 11),
        (StartCause::Memory, 1),
        (StartCause::Unknown, 0),
    ];
    for (cause, faults) in causes {
        assert_eq!(of(&start, cause), faults, "{cause:?}: {start:#?}");
    }
    assert_eq!((start.faults, start.fault_ns, start.bytes), (31, 3100, 31 * PAGE));
    let files: Vec<_> = start.by_file.iter().map(|row| (row.path.as_deref(), row.faults)).collect();
    let libc = (Some("/lib/libc.so.6"), 17);
    let expect = [libc, (Some("/bin/app"), 8), (Some("/lib/ld.so"), 4), (None, 2)];
    assert_eq!(files, expect, "data without a file belongs to the file that it follows");
    assert_eq!((start.unsure_faults, start.images.images), (None, 1));
}

#[test]
fn names_tell_constructors_from_main() {
    let mut script = Script::dynamic();
    script.load().fault(DATA, LINKER).fault(CODE + BEGINNING, CODE + BEGINNING);
    let outer = [CODE + BEGINNING, LIBC + 0x10];
    let constructor = [&outer[..], &[CODE + CONSTRUCTOR, CODE + 0x700]].concat();
    let main = [&outer[..], &[LIBC + 0x20, CODE + MAIN + 8, CODE + 0x700]].concat();
    script.faults(10, BSS, LIBC).call(&constructor).faults(20, BSS + 16 * PAGE, LIBC);
    let elapsed_ns = script.call(&constructor).now_ns;
    // Before main or in it, nobody knows.
    script.faults(3, BSS + 64 * PAGE, LIBC);
    script.call(&main).faults(30, BSS + 128 * PAGE, LIBC).call(&main);
    let start = script.start();
    assert_eq!((start.until, start.faults), (StartUntil::Main, 32));
    assert_eq!((start.unsure_faults, start.unsure_ns), (Some(3), Some(300)));
    assert_eq!(start.elapsed_ns + 1000, elapsed_ns + 10, "to the end of its last call");
    assert_eq!(script.nameless().until, StartUntil::Entry);
    assert_eq!(script.nameless().faults, 1);
    // Nothing of main is seen.
    let mut script = Script::dynamic();
    script.load().fault(CODE + BEGINNING, CODE + BEGINNING).faults(9, BSS, CODE + CONSTRUCTOR);
    script.faults(9, BSS + 16 * PAGE, CODE + 0x700);
    let start = script.start();
    assert_eq!((start.until, start.faults), (StartUntil::Constructor, 10));
}

/// A constructor in C has a name that says nothing; but it is not called from where main is.
#[test]
fn a_constructor_is_not_called_from_where_main_is() {
    let outer = [CODE + BEGINNING, LIBC + 0x10];
    let other = [CODE + BEGINNING, LIBC + 0x18, CODE + 0x900];
    let main = [&outer[..], &[CODE + MAIN]].concat();
    let from_main = [&outer[..], &[CODE + 0x900]].concat();
    for (first, faults) in [(&other[..], 10), (&from_main, 1)] {
        let mut script = Script::dynamic();
        script.load().fault(CODE + BEGINNING, CODE + BEGINNING).faults(9, BSS, LIBC);
        script.call(first).faults(5, BSS + 16 * PAGE, LIBC).call(&main);
        let start = script.start();
        assert_eq!((start.until, start.faults), (StartUntil::Main, faults), "{start:#?}");
        assert_eq!(start.unsure_faults, Some(15 - faults));
    }
}

#[test]
fn a_call_of_the_program_is_past_its_entry() {
    let mut script = Script::dynamic();
    script.load().faults(4, LIBC_DATA, LINKER);
    // A constructor of a library, then the program, whose first page was brought along.
    script.call(&[LINKER + 8, LIBC + 8]).fault(LIBC_DATA + 64 * PAGE, LIBC);
    script.call(&[CODE + BEGINNING, LIBC + 0x10, CODE + MAIN]).faults(9, BSS, LIBC);
    let start = script.nameless();
    assert_eq!((start.until, start.faults), (StartUntil::Entry, 5));
}

#[test]
fn without_an_entry_the_end_of_relocations_is_known() {
    let mut script = Script::dynamic();
    script.load().faults(4, LIBC_DATA, LINKER).protect(LIBC_DATA, 1).fault(DATA, LINKER);
    script.protect(DATA, 3).protect(DATA, 1).fault(LIBC_DATA + 64 * PAGE, LIBC);
    let start = script.nameless();
    assert_eq!((start.until, start.faults), (StartUntil::Relro, 5));
    let mut script = Script::dynamic();
    script.load().faults(4, LIBC_DATA, LINKER);
    assert_eq!(script.account(), None);
}

#[test]
fn a_program_without_a_dynamic_linker_relocates_itself() {
    let mut script = Script::with(Starts::to_entry(&header(true)));
    script.life(Life::Executed { name: Name::NONE }).program();
    script.fault(STACK, KERNEL).fault(CODE + BEGINNING, CODE + BEGINNING);
    script.faults(6, DATA, CODE + 0x700).protect(DATA, 1).faults(5, DATA + 64 * PAGE, CODE);
    let start = script.nameless();
    assert_eq!((start.until, start.faults), (StartUntil::Relro, 8));
    assert_eq!(of(&start, StartCause::Relocations), 6);
}

#[test]
fn the_recorder_is_not_part_of_the_program() {
    let mut script = Script::dynamic();
    let library = "/root/.cache/firsttouch/shim-0123456789abcdef.so";
    script.map(SHIM, 0x10_0000, 5, library, 9);
    script.map(SHIM + 0x10_0000, 0x10_0000, 3, library, 9);
    script.load().faults(3, SHIM + 0x10_0000, LINKER).fault(SHIM, SHIM).fault(BSS, SHIM);
    script.fault(DATA, LINKER).fault(CODE + BEGINNING, CODE + BEGINNING);
    let start = script.nameless();
    assert_eq!((start.faults, start.recorder_faults, start.recorder_ns), (1, 5, 500));
}

#[test]
fn the_last_program_of_the_command_counts_and_all_are_added_up() {
    let mut script = Script::dynamic();
    script.faults(3, DATA, LINKER).fault(CODE, CODE);
    script.execute();
    script.faults(4, DATA, LINKER).fault(CODE, CODE);
    // A child, and one that ends before its entry.
    let first = script.thread;
    for (pid, enters) in [(2, true), (3, false)] {
        script.thread = Thread { pid, tid: pid };
        script.life(Life::Started { by: first }).execute();
        script.faults(10, DATA, LINKER);
        if enters {
            script.fault(CODE, CODE);
        }
        script.life(Life::Ended { ending: Ending::Exited(0) });
    }
    script.thread = first;
    let start = script.nameless();
    assert_eq!(start.faults, 4);
    let images = start.images;
    assert_eq!((images.images, images.unknown, images.faults), (3, 1, 17));
    script.execute();
    assert_eq!(script.account(), None, "of its last program nothing is known");
}

#[test]
fn what_was_not_seen_from_its_beginning_has_no_start() {
    let enter = |script: &mut Script| {
        script.execute();
        script.fault(DATA, LINKER).fault(CODE, CODE);
        script.account()
    };
    assert!(enter(&mut Script::new()).is_some());
    let mut attached = Script::new();
    attached.life(Life::Attached);
    assert_eq!(enter(&mut attached), None);
    let mut paused = Script::new();
    paused.starts.interrupt();
    assert_eq!(enter(&mut paused), None);
    assert_eq!(enter(&mut Script::with(Starts::new(&header(false)))), None);
}

/// A program is followed for a limited time, and the places where it is seen are few.
#[test]
fn what_is_kept_is_bounded() {
    let mut script = Script::dynamic();
    script.fault(CODE + BEGINNING, CODE + BEGINNING);
    for at in 0..20_000 {
        script.fault(BSS + at % 200 * PAGE, CODE + 0x1000 + at);
    }
    let runs = script.account().expect("it was entered").runs;
    assert!((500..2000).contains(&runs.len()), "{}", runs.len());
    let mut script = Script::dynamic();
    script.load().fault(CODE + BEGINNING, CODE + BEGINNING);
    let outer = [CODE + BEGINNING, LIBC + 0x10, LIBC + 0x20];
    for at in 0..5000 {
        script.call(&[&outer[..], &[CODE + MAIN + at % 64]].concat()).fault(BSS, LIBC);
    }
    let runs = script.account().expect("it was entered").runs;
    assert_eq!(runs.len(), 2, "all calls of main are at one place: {runs:#?}");
    assert!(matches!(&runs[1].evidence[..], [StartEvidence::Stack(frames)] if frames.len() == 4));
    assert!(runs[1].inside.all().faults < 3000, "it was not followed for ever");
}
