use serde_json::Value;

use super::*;

/// The keys of a value, at any depth.
fn keys(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            into.extend(object.keys().cloned());
            object.values().for_each(|value| keys(value, into));
        }
        Value::Array(values) => values.iter().for_each(|value| keys(value, into)),
        _ => {}
    }
}

fn full() -> RecordingDiff {
    let part = PartChange {
        part: CostPart::FirstTouch,
        old_count: 1,
        new_count: 2,
        cost: CostChange::of(10, 20),
        by_counts_ns: 10,
        by_price_ns: 0,
    };
    let caller = CallerChange {
        maps: false,
        function: "f".to_owned(),
        at: None,
        moved_from: None,
        matched_by: Some(MatchedBy::Line),
        old: None,
        new: None,
        cost: CostChange::of(10, 20),
        by_counts_ns: 10,
        by_price_ns: 0,
        machine_ns: 0,
        noise_ns: None,
        parts: vec![part],
        verdict: ChangeVerdict::Different,
        because: Some(ChangeCause::Counts),
    };
    let price = PriceChange {
        of: PriceKind::Fault,
        ratio: 1.0,
        observations: 3,
        scatter: None,
        limit: None,
    };
    let rest = RestChange {
        kind: RestMemory::Stack,
        old_faults: 1,
        new_faults: 1,
        cost: CostChange::of(1, 1),
    };
    let difference = Difference { what: "kernel".to_owned(), old: None, new: None };
    RecordingDiff {
        schema: SCHEMA.to_owned(),
        differences: vec![difference],
        prices: vec![price],
        callers: vec![caller],
        rest: vec![rest],
        start: Some(StartChange::default()),
        ..RecordingDiff::default()
    }
}

#[test]
fn every_key_is_documented() {
    let document = include_str!("../../../../docs/diff.md");
    let json = serde_json::to_value(full()).expect("it is plain data");
    let mut all = Vec::new();
    keys(&json, &mut all);
    assert!(all.len() > 50, "{all:?}");
    for key in all {
        let named = [format!("`{key}`"), format!("`{key}[]`")];
        assert!(named.iter().any(|key| document.contains(key)), "{key}");
    }
    let read: RecordingDiff = serde_json::from_value(json).expect("it reads what it wrote");
    assert_eq!(read, full());
}

#[test]
fn every_word_is_documented() {
    let document = include_str!("../../../../docs/diff.md");
    let words = [
        serde_json::to_value([ChangeVerdict::Different, ChangeVerdict::Same]),
        serde_json::to_value([ChangeVerdict::Noise, ChangeVerdict::Unclear]),
        serde_json::to_value([ChangeCause::Counts, ChangeCause::Price]),
        serde_json::to_value([ChangeCause::New, ChangeCause::Gone]),
        serde_json::to_value([MatchedBy::Line, MatchedBy::File]),
        serde_json::to_value([MatchedBy::Function, MatchedBy::Stacks]),
        serde_json::to_value([ComparedCost::True, ComparedCost::InCalls]),
        serde_json::to_value([CostPart::Calls, CostPart::Syscalls, CostPart::FaultsInside]),
        serde_json::to_value([CostPart::FirstTouch, CostPart::Frees, CostPart::Returned]),
        serde_json::to_value([PriceKind::Fault, PriceKind::Call, PriceKind::Syscall]),
        serde_json::to_value([PriceKind::Free, PriceKind::Return]),
    ];
    for word in words.into_iter().flat_map(|words| words.unwrap().as_array().unwrap().clone()) {
        let word = format!("`{}`", word.as_str().unwrap());
        assert!(document.contains(&word), "{word}");
    }
}

#[test]
fn sums_of_huge_costs_saturate() {
    let huge = CostChange::of(i64::MIN, i64::MAX);
    assert_eq!(huge.change_ns, i64::MAX);
    let sum = CostChange::sum([huge, huge, CostChange::of(1, 2)]);
    assert_eq!((sum.new_ns, sum.change_ns, sum.larger_ns()), (i64::MAX, i64::MAX, i64::MAX));
}
