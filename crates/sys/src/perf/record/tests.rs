//! Records in the kernel's layout, built by hand.

use super::*;

fn record(kind: u32, misc: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = kind.to_ne_bytes().to_vec();
    bytes.extend(u16::try_from(misc).unwrap().to_ne_bytes());
    bytes.extend(u16::try_from(body.len() + 8).unwrap().to_ne_bytes());
    bytes.extend(body);
    bytes
}

fn words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

fn pair(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

fn format() -> Format {
    let mut format = Format::default();
    format.add(12, Samples::FaultEnds { major: true, sized: true });
    format.add(14, Samples::FaultEnds { major: false, sized: true });
    format.add(11, Samples::FaultBegins { sized: true });
    format.add(13, Samples::CallBegins);
    format
}

/// The start of a call by code with this ABI, with these registers.
fn call(abi: u64, registers: &[u64; mode::COUNT]) -> Vec<u8> {
    let mut call = words(&[13, pair(40, 41), 1600]);
    call.extend(68_u32.to_ne_bytes());
    call.extend(words(&[0, 9, 1, 2, 3, 4, 5, 6]));
    call.extend(0_u32.to_ne_bytes());
    record(9, 1, &[call, words(&[abi]), words(registers)].concat())
}

fn stream() -> Vec<u8> {
    let mut stream =
        record(9, 1 /* kernel */, &words(&[11, 0xffff, pair(40, 41), 1000, 0x7000, 4096]));
    stream.extend(record(9, 2, &words(&[99, 1]))); // not one of our events
    stream.extend(record(9, 2, &words(&[12, pair(40, 41), 1500, 0x7000, 0, 1, 4096])));
    // The same faults watched by other programs as well; these are the ids of their events.
    stream.extend(record(9, 2, &words(&[98, 0xfffe, pair(40, 41), 1510, 0x8000, 0])));
    stream.extend(record(9, 2, &words(&[97, pair(40, 41), 1520, 2 << 20])));
    stream.extend(call(1, &[0; mode::COUNT]));
    let trailer = words(&[pair(40, 41), 2000, 11]);
    stream.extend(record(
        7,
        0,
        &[words(&[pair(50, 40), pair(51, 41), 1999]), trailer.clone()].concat(),
    ));
    stream.extend(record(
        3,
        0x2000,
        &[&words(&[pair(50, 51)])[..], b"cat\0\0\0\0\0", &trailer].concat(),
    ));
    stream.extend(record(14, 0x6000, &trailer));
    stream.extend(record(2, 0, &[words(&[11, 7]), trailer].concat()));
    stream
}

#[test]
fn records_are_parsed() {
    let mut found = Vec::new();
    let stream = stream();
    let anomalies =
        format().read(&stream, |record| found.push((record.time_ns, record.task.tid, record.kind)));
    assert_eq!(anomalies, Anomalies { unparsed: 1, misattributed: 2 });
    let by = RecordTask { pid: 40, tid: 41 };
    let begins = |address, ip, first: bool| RecordKind::FaultBegins {
        address,
        ip,
        in_kernel: first,
        present: Some(first),
    };
    let expected = [
        (1000, 41, begins(0x7000, 0xffff, true)),
        (1500, 41, RecordKind::FaultEnds { major: true, page_bytes: NonZeroU64::new(4096) }),
        (1510, 41, begins(0x8000, 0xfffe, false)),
        (1520, 41, RecordKind::FaultEnds { major: false, page_bytes: NonZeroU64::new(2 << 20) }),
        (
            1600,
            41,
            RecordKind::CallBegins { number: 9, arguments: [1, 2, 3, 4, 5, 6], compat32: true },
        ),
        (2000, 51, RecordKind::Fork { by }),
        (2000, 51, RecordKind::Comm { by_exec: true, name: b"cat" }),
        (2000, 41, RecordKind::SwitchOut { preempted: true }),
        (2000, 41, RecordKind::Lost { records: 7 }),
    ];
    assert_eq!(found, expected);
}

#[test]
#[cfg(target_arch = "x86_64")]
fn the_mode_of_a_call_is_seen_by_its_registers() {
    // CX, SI, DI, IP; the arguments are 1, 2, 3, ...
    for (abi, registers, expect) in [
        (2, [0x4000, 2, 1, 0x4000], false), // syscall
        (2, [0x4000, 9, 9, 0x4000], false),
        (2, [7, 2, 1, 0x4000], false), // syscall with FRED
        (2, [2, 9, 9, 0x4000], true),  // int 0x80
        (2, [2, 2, 9, 0x4000], true),
        (1, [0x4000, 2, 1, 0x4000], true), // 32-bit code
    ] {
        let mut found = Vec::new();
        let bytes = call(abi, &registers);
        format().read(&bytes, |record| found.push(record.kind));
        assert!(
            matches!(found[..], [RecordKind::CallBegins { compat32, .. }] if compat32 == expect),
            "{abi} {registers:x?}: {found:?}"
        );
    }
}

#[test]
fn truncated_and_changed_bytes_never_panic() {
    let stream = stream();
    for end in 0..stream.len() {
        format().read(&stream[..end], |_| {});
    }
    for at in 0..stream.len() {
        for value in [0, 1, 7, 9, 255] {
            let mut changed = stream.clone();
            changed[at] = value;
            format().read(&changed, |_| {});
        }
    }
}
