//! Stacks: one site for all processes that call from the same place of a file.

use analysis::allocations::ResolvedFrame;
use events::{Batch, Definition, Definitions, Frame, MappingReport, ModuleId, StackId};

use crate::script::{Script, first, header};

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
            ..crate::script::free(0, None)
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

#[test]
fn a_stack_is_resolved_when_it_is_first_used() {
    let mut script = Script::new();
    script.exec(1).map(2, &code(CODE, 7)).malloc((3, 4), CODE + 5, (0x9000, 8));
    // A library is unloaded, and another gets its address.
    script.map(5, &code(CODE, 8)).malloc((6, 7), CODE + 5, (0x9100, 8));
    script.exec(8).map(9, &code(CODE, 8)).malloc((10, 11), CODE + 5, (0x9200, 8));
    let account = script.account().0;
    let calls: Vec<u64> = account.sites.iter().map(|site| site.calls).collect();
    assert_eq!(calls, [2, 1], "another image resolves it anew");
}

#[test]
fn a_stack_without_frames_is_a_site_too_and_bad_definitions_are_counted() {
    let mut script = Script::new();
    script.call(1, events::Allocation { address: 8, ..crate::script::free(0, None) });
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
        ..crate::script::free(0, None)
    };
    let kind = events::EventKind::Allocation(call);
    let event = events::Event { time_ns: 5, thread: first(1), kind };
    let batch = Batch { definitions: vec![orphan], events: vec![event] };
    ledger.take(&batch, &mut Definitions::default());
    let account = ledger.finish(0);
    assert_eq!((account.sites.len(), account.refused_definitions), (1, 1));
    assert_eq!(account.frames(account.sites[0].stack).count(), 0);
}
