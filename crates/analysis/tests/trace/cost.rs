//! The cost of an event: printed, not asserted.

use std::time::Instant;

use analysis::trace::{FaultBursts, FaultLines, Tally};
use results::trace::write_line;

use crate::script::{ANONYMOUS, PAGE, PRIVATE, Script, WRITE};

#[test]
fn a_million_faults() {
    const FAULTS: u64 = 1_000_000;
    let (mut script, at) = (Script::new(), 0x7f00_0000_0000);
    for n in 0..200 {
        script.mmap(at - (2 * n + 2) * PAGE, 1, WRITE, PRIVATE | ANONYMOUS);
    }
    script.mmap(at, FAULTS / 2, WRITE, PRIVATE | ANONYMOUS);
    script.lines.clear();
    script.lines.reserve(usize::try_from(FAULTS).unwrap());
    let per_fault = |start: Instant| start.elapsed().as_nanos() / u128::from(FAULTS);
    let start = Instant::now();
    for n in 0..FAULTS {
        script.fault(at + n % (FAULTS / 2) * PAGE);
    }
    println!("line built in {} ns a fault", per_fault(start));
    let start = Instant::now();
    let mut tally = Tally::default();
    for line in &script.lines {
        tally.take(line);
    }
    println!("added up in {} ns a fault", per_fault(start));
    let (start, mut out, mut bytes) = (Instant::now(), String::new(), 0);
    for line in &script.lines {
        out.clear();
        write_line(line, &mut out);
        bytes += out.len();
    }
    println!("written as {bytes} bytes of JSON in {} ns a fault", per_fault(start));
    let (mut folder, mut shown) = (FaultBursts::new(FaultLines::Summary, PAGE), 0);
    let start = Instant::now();
    for line in script.lines {
        folder.take(line, &mut |_| shown += 1);
    }
    folder.pause(&mut |_| shown += 1);
    println!("folded into {shown} lines in {} ns a fault", per_fault(start));
    assert!((2..100).contains(&shown));
    assert_eq!(
        tally
            .table(Vec::new(), script.builder.summary(0))
            .rows
            .iter()
            .map(|row| row.calls)
            .sum::<u64>(),
        FAULTS
    );
}
