//! Where the time of an arm went: the bill and its parts, the faults, the huge pages.

use results::{Arm, LabResult, Sample};

use crate::bench::lines;
use crate::number::{TimeUnit, bytes, digits, percent};
use crate::sentence;
use crate::table::table;
use crate::text::{DIM, clean, styled};

/// A row for each arm, and what there is to say of it.
pub(crate) fn why(result: &LabResult, columns: usize, width: Option<usize>) -> String {
    let arms: Vec<&Arm> =
        result.arms.iter().filter(|arm| !arm.placebo && arm.summary.is_some()).collect();
    if arms.is_empty() {
        return String::new();
    }
    let bills =
        arms.iter().filter_map(|arm| arm.summary.as_ref()).map(|summary| summary.bill.bill_ns);
    let unit = TimeUnit::for_largest(bills.fold(0.0, f64::max));
    let with_huge = arms
        .iter()
        .any(|arm| arm.summary.as_ref().is_some_and(|s| s.huge_bytes.is_some_and(|b| b > 0.0)));
    let mut header = vec!["why".to_owned(), format!("bill, {}", unit.name())];
    // Where pages are given back or copied in between, most faults are not those of the first
    // touch.
    let later = arms.iter().any(|arm| faults_later(arm));
    let (traps, each) =
        if later { ("traps in all", "each of 1st touch") } else { ("traps", "each") };
    header.extend(["in call", "1st touch", "release", traps, each].map(str::to_owned));
    if with_huge {
        header.push("huge pages".to_owned());
    }
    let mut rows = vec![header.iter().map(|name| styled(DIM, name)).collect()];
    rows.extend(arms.iter().filter_map(|arm| {
        let summary = arm.summary.as_ref()?;
        let bill = &summary.bill;
        let mut row = vec![clean(&arm.name), digits(bill.bill_ns / unit.ns(), 3)];
        row.extend([bill.in_call, bill.in_first_touch, bill.in_release].map(percent));
        row.extend([sentence::faults(arm), sentence::unit_cost(arm)]);
        if with_huge {
            row.push(summary.huge_bytes.filter(|b| *b > 0.0).map_or_else(|| "-".to_owned(), bytes));
        }
        Some(row)
    }));
    let mut text = table(rows, columns, &[4, 1]);
    let mut sentences = sentence::reasons(result);
    sentences.push(what_a_bill_is(&arms, later));
    text.push_str(&lines("", &sentences, width));
    text
}

/// Whether many faults came neither with the call nor with the first touch.
fn faults_later(arm: &Arm) -> bool {
    let seen = |of: fn(&Sample) -> u64| arm.samples.iter().map(of).sum::<u64>();
    let first = seen(|s| s.obtain_minor_faults + s.first_touch_minor_faults);
    seen(|s| s.minor_faults) > first + first / 10 + arm.samples.len() as u64
}

/// What the bill and the times of faults are made of.
fn what_a_bill_is(arms: &[&Arm], later: bool) -> String {
    let bill = "The bill is call, first touch and release";
    let rest = if later { ", without what is done between the touches and after." } else { "." };
    let costs = |of: fn(&results::Bill) -> Option<f64>| {
        arms.iter()
            .filter_map(|arm| arm.summary.as_ref())
            .any(|summary| of(&summary.bill).is_some())
    };
    let most = match (costs(|bill| bill.fault_ns_high), costs(|bill| bill.fault_ns_low)) {
        (false, _) => "",
        (true, false) => " A fault took no more than its share of the first touch.",
        (true, true) => {
            " A fault took no more than its share of the first touch, and no less than what the second touch, the same \
             writing without faults, leaves of it."
        }
    };
    format!("{bill}{rest}{most}")
}
