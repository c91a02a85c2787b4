use super::*;

fn record(signal: i32, sender: i32, time_ns: u64) -> Record {
    Record { time_ns, value: 0, signal, code: libc::SI_USER, sender, unused: 0 }
}

fn due(records: &[Record], seen: &[Record]) -> Vec<i32> {
    not_got(records, seen).into_iter().map(Sent::signal).collect()
}

#[test]
fn a_signal_to_the_group_is_not_passed_on_and_one_to_this_process_is() {
    let (term, usr1, queued) = (libc::SIGTERM, libc::SIGUSR1, libc::SIGRTMIN());
    let (own, of_group) = (record(term, 7, 1_000), record(term, 7, 900));
    assert_eq!(due(&[own], &[]), [term]);
    assert_eq!(due(&[own], &[of_group]), []);
    // timeout(1) sends to its child, and then to the group.
    assert_eq!(due(&[own, own], &[of_group]), []);
    assert_eq!(due(&[own], &[record(term, 8, 900)]), [term], "of another sender");
    assert_eq!(due(&[own], &[record(usr1, 7, 900)]), [term], "another signal");
    assert_eq!(due(&[record(term, 7, 9_000_000_000)], &[of_group]), [term], "of earlier");
    let by_kernel = Record { code: libc::SI_KERNEL, ..of_group };
    assert_eq!(due(&[own], &[by_kernel]), [term]);
    let several = [usr1, queued, usr1, queued].map(|signal| record(signal, 7, 0));
    assert_eq!(due(&several, &[]), [usr1, queued, queued], "as the kernel keeps them");
}

#[test]
fn the_value_of_a_queued_signal_is_kept() {
    let queued = Record { code: libc::SI_QUEUE, value: 41, ..record(libc::SIGRTMIN(), 7, 0) };
    assert_eq!(queued.sent(), Sent { signal: libc::SIGRTMIN(), value: Some(41) });
    assert_eq!(Record { code: libc::SI_USER, ..queued }.sent().value, None);
}
