//! Stacks: one site for all processes that call from the same place of a file.

use std::num::NonZeroU64;

use analysis::allocations::ResolvedFrame;
use events::{Batch, Call, Definition, Definitions, Frame, MappingReport, ModuleId, StackId};

use crate::script::{Script, first, free, header};

const CODE: u64 = 0x5000_0000;

fn code(start: u64, inode: u64) -> MappingReport<'static> {
    MappingReport {
        start,
        end: start + 0x4000,
        offset_bytes: 0x1000,
        protection: 5,
        name: "/bin/app",
        inode,
        ..MappingReport::default()
    }
}

/// The stack (a frame of the program below one of no file) of a call of each of two processes,
/// where their code is at `starts` and their files have these inodes.
fn two_processes(starts: [u64; 2], inodes: [u64; 2]) -> Vec<Vec<ResolvedFrame>> {
    let mut script = Script::new();
    script.fork(1, 2);
    for (index, (start, inode)) in starts.into_iter().zip(inodes).enumerate() {
        let pid = u32::try_from(index + 1).expect("small");
        let time_ns = 100 * u64::from(pid);
        script.of(first(pid)).exec(time_ns).map(time_ns + 1, &code(start, inode));
        let stack = script.frames(&[0x10, start + 0x123]);
        let call = events::Allocation {
            address: 0x9000,
            size_bytes: 8,
            stack,
            function: events::AllocationFunction::Malloc,
            ..free(0, None)
        };
        script.call(time_ns + 2, call);
    }
    let account = script.account().0;
    account.sites.iter().map(|site| account.frames(site.stack).collect()).collect()
}

#[test]
fn the_same_place_of_the_same_file_is_one_site() {
    let one = two_processes([CODE, CODE + 0x10_0000], [7, 7]);
    assert_eq!(one.len(), 1, "{one:?}");
    let [inner, outer] = one[0][..] else { panic!("{one:?}") };
    assert_eq!(inner, ResolvedFrame::Elsewhere { address: 0x10 });
    let ResolvedFrame::InFile { module, offset_bytes } = outer else { panic!("{outer:?}") };
    assert!(module != ModuleId::NONE && offset_bytes == 0x1123);
    assert_eq!(two_processes([CODE, CODE], [7, 8]).len(), 2, "the file was replaced");
}

/// The file of this number, in the order of their definitions.
fn module(number: u32) -> ModuleId {
    ModuleId::from_number(number)
}

/// The calls of each site of a script, in the order of their first calls.
fn calls(mut script: Script) -> Vec<(Vec<ResolvedFrame>, u64)> {
    let account = script.account().0;
    let site = |site: &analysis::allocations::Site| {
        (account.frames(site.stack).collect::<Vec<_>>(), site.calls)
    };
    account.sites.iter().map(site).collect()
}

/// The files of the innermost frames, and the calls.
fn files(script: Script) -> Vec<(Option<ModuleId>, u64)> {
    let file = |(frames, calls): (Vec<ResolvedFrame>, u64)| match frames[..] {
        [ResolvedFrame::InFile { module, .. }, ..] => (Some(module), calls),
        _ => (None, calls),
    };
    calls(script).into_iter().map(file).collect()
}

/// A successful syscall on memory.
fn syscall(call: Call, arguments: [u64; 6]) -> events::EventKind {
    events::EventKind::Syscall(events::Syscall {
        call,
        arguments_known: true,
        text: events::Name::NONE,
        arguments,
        result: Some(0),
        span: events::Span { latency_ns: NonZeroU64::new(1), on_cpu_ns: None },
    })
}

#[test]
fn another_library_at_the_address_of_one_that_was_unloaded_has_its_own_sites() {
    let mut script = Script::new();
    script.exec(1).map(2, &code(CODE, 7)).malloc((3, 4), CODE + 5, (0x9000, 8));
    script.map(5, &code(CODE, 8)).malloc((6, 7), CODE + 5, (0x9100, 8));
    // The first one comes back.
    script.map(8, &code(CODE, 7)).malloc((9, 10), CODE + 5, (0x9200, 8));
    script.exec(11).map(12, &code(CODE, 8)).malloc((13, 14), CODE + 5, (0x9300, 8));
    let (first, second) = (Some(module(1)), Some(module(2)));
    assert_eq!(files(script), [(first, 2), (second, 2)]);
}

#[test]
fn code_is_of_no_file_before_its_library_is_loaded_and_after_it_is_unloaded() {
    let mut script = Script::new();
    script.exec(1).malloc((2, 3), CODE + 5, (0x9000, 8));
    script.map(4, &code(CODE, 7)).malloc((5, 6), CODE + 5, (0x9100, 8));
    // A part of it is unmapped, on which no frame is; then the one with the frame.
    script.event(7, syscall(Call::Munmap, [CODE + 0x1000, 0x1000, 0, 0, 0, 0]));
    script.malloc((10, 11), CODE + 5, (0x9200, 8));
    script.event(12, syscall(Call::Munmap, [CODE, 0x1000, 0, 0, 0, 0]));
    script.malloc((15, 16), CODE + 5, (0x9300, 8));
    assert_eq!(files(script), [(None, 2), (Some(module(1)), 2)]);
}

#[test]
fn a_caller_in_another_library_makes_another_stack() {
    let mut script = Script::new();
    let call = |script: &mut Script, time_ns, address| {
        let stack = script.frames(&[0x10, CODE + 5, CODE + 0x10_0005]);
        let function = events::AllocationFunction::Malloc;
        let call = events::Allocation { address, stack, size_bytes: 8, function, ..free(0, None) };
        script.call(time_ns, call);
    };
    script.exec(1).map(2, &code(CODE, 7)).map(3, &code(CODE + 0x10_0000, 8));
    call(&mut script, 4, 0x9000);
    // The same again by mprotect(2), and data of a file: no code changes.
    script.event(5, syscall(Call::Mprotect, [CODE, 0x1000, 7, 0, 0, 0]));
    script.map(8, &code(CODE + 0x20_0000, 9));
    call(&mut script, 9, 0x9100);
    script.map(10, &code(CODE + 0x10_0000, 9));
    call(&mut script, 11, 0x9200);
    let calls = calls(script);
    let outer = |at: usize| match calls[at].0[2] {
        ResolvedFrame::InFile { module, .. } => Some(module),
        ResolvedFrame::Elsewhere { .. } => None,
    };
    assert_eq!(calls.iter().map(|(_, calls)| *calls).collect::<Vec<_>>(), [2, 1], "{calls:?}");
    assert_eq!((outer(0), outer(1)), (Some(module(2)), Some(module(3))));
    assert_eq!(calls[0].0[..2], calls[1].0[..2]);
}

#[test]
fn a_child_has_its_own_libraries() {
    let mut script = Script::new();
    script.exec(1).map(2, &code(CODE, 7)).malloc((3, 4), CODE + 5, (0x9000, 8));
    script.fork(5, 2);
    script.of(first(2)).malloc((6, 7), CODE + 5, (0x9100, 8));
    script.map(8, &code(CODE, 8)).malloc((9, 10), CODE + 5, (0x9200, 8));
    script.of(first(1)).malloc((11, 12), CODE + 5, (0x9300, 8));
    assert_eq!(files(script), [(Some(module(1)), 3), (Some(module(2)), 1)]);
}

#[test]
fn a_stack_without_frames_is_a_site_too_and_bad_definitions_are_counted() {
    let mut script = Script::new();
    script.call(1, events::Allocation { address: 8, ..free(0, None) });
    assert_eq!(script.account().0.sites, [], "free gives nothing out");
    let mut ledger = analysis::allocations::Ledger::new(&header());
    let mut interner = events::Interner::default();
    let outer = interner.frame(Frame { caller: StackId::NONE, address: 1 });
    let inner = interner.frame(Frame { caller: outer, address: 2 });
    let orphan = Definition::Frame(inner, Frame { caller: outer, address: 2 });
    let call = events::Allocation {
        address: 0x9000,
        size_bytes: 8,
        stack: inner,
        function: events::AllocationFunction::New,
        ..free(0, None)
    };
    let kind = events::EventKind::Allocation(call);
    let event = events::Event { time_ns: 5, thread: first(1), kind };
    let batch = Batch { definitions: vec![orphan], events: vec![event] };
    ledger.take(&batch, &mut Definitions::default());
    let account = ledger.finish(0);
    assert_eq!((account.sites.len(), account.refused_definitions), (1, 1));
    assert_eq!(account.frames(account.sites[0].stack).count(), 0);
}
