//! What it takes to tell an event: printed, not judged.

use std::time::Instant;

use analysis::trace::{FaultBursts, FaultLines, Tally};
use results::trace::write_line;

use crate::teller::{ANONYMOUS, PAGE, PRIVATE, Teller, WRITE};

#[test]
fn a_million_faults() {
    const FAULTS: u64 = 1_000_000;
    let (mut teller, at) = (Teller::new(), 0x7f00_0000_0000);
    for n in 0..200 {
        teller.mmap(at - (2 * n + 2) * PAGE, 1, WRITE, PRIVATE | ANONYMOUS);
    }
    teller.mmap(at, FAULTS / 2, WRITE, PRIVATE | ANONYMOUS);
    teller.lines.clear();
    teller.lines.reserve(usize::try_from(FAULTS).unwrap());
    let per_fault = |start: Instant| start.elapsed().as_nanos() / u128::from(FAULTS);
    let start = Instant::now();
    for n in 0..FAULTS {
        teller.fault(at + n % (FAULTS / 2) * PAGE);
    }
    println!("told in {} ns a fault", per_fault(start));
    let start = Instant::now();
    let mut tally = Tally::default();
    for line in &teller.lines {
        tally.take(line);
    }
    println!("added up in {} ns a fault", per_fault(start));
    let (start, mut out, mut bytes) = (Instant::now(), String::new(), 0);
    for line in &teller.lines {
        out.clear();
        write_line(line, &mut out);
        bytes += out.len();
    }
    println!("written as {bytes} bytes of JSON in {} ns a fault", per_fault(start));
    let (mut folder, mut shown) = (FaultBursts::new(FaultLines::Summary, PAGE), 0);
    let start = Instant::now();
    for line in teller.lines {
        folder.take(line, &mut |_| shown += 1);
    }
    folder.pause(&mut |_| shown += 1);
    println!("folded into {shown} lines in {} ns a fault", per_fault(start));
    assert!((2..100).contains(&shown));
    assert_eq!(
        tally.table(teller.builder.summary()).rows.iter().map(|row| row.calls).sum::<u64>(),
        FAULTS
    );
}
