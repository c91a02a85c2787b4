//! Sources that keep their promises are merged into one complete order, whenever they deliver.

use events::merge::Merge;
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    /// A source delivers an item with a time this much after its last promise.
    Deliver(usize, u64),
    /// A source raises its promise by this much.
    Promise(usize, u64),
    Emit,
}

const SOURCES: usize = 4;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => (0..SOURCES, 0..50u64).prop_map(|(source, after)| Step::Deliver(source, after)),
        3 => (0..SOURCES, 0..30u64).prop_map(|(source, more)| Step::Promise(source, more)),
        2 => Just(Step::Emit),
    ];
    prop::collection::vec(step, 0..300)
}

/// Emits as in `steps`, and everything at the end. Items are (time, source, number of the
/// delivery).
fn run(steps: &[Step], keeps_promises: bool) -> (Vec<(u64, usize, usize)>, u64) {
    let (mut merge, mut promised, mut emitted) = (Merge::new(SOURCES), [0; SOURCES], Vec::new());
    for (number, step) in steps.iter().enumerate() {
        match *step {
            Step::Deliver(source, after) => {
                let time_ns = if keeps_promises { promised[source] + after } else { after };
                merge.push(source, time_ns, (time_ns, source, number));
            }
            Step::Promise(source, more) => {
                promised[source] += more;
                merge.promise(source, promised[source]);
            }
            Step::Emit => merge.emit(|item| emitted.push(item)),
        }
    }
    merge.close();
    merge.emit(|item| emitted.push(item));
    assert_eq!(merge.waiting(), 0);
    (emitted, merge.late())
}

fn delivered(steps: &[Step]) -> usize {
    steps.iter().filter(|step| matches!(step, Step::Deliver(..))).count()
}

proptest! {
    #[test]
    fn kept_promises_give_one_order(steps in steps()) {
        let (emitted, late) = run(&steps, true);
        prop_assert_eq!(emitted.len(), delivered(&steps));
        prop_assert_eq!(late, 0);
        // By time, then by source, then as delivered, no matter when and how often items are
        // emitted.
        prop_assert!(emitted.is_sorted(), "{:?}", emitted);
    }

    #[test]
    fn late_items_are_emitted_and_counted(steps in steps()) {
        let (emitted, late) = run(&steps, false);
        prop_assert_eq!(emitted.len(), delivered(&steps));
        let (mut latest_ns, mut out_of_order) = (0, 0);
        for &(time_ns, ..) in &emitted {
            out_of_order += u64::from(time_ns < latest_ns);
            latest_ns = latest_ns.max(time_ns);
        }
        prop_assert_eq!(late, out_of_order);
    }
}
