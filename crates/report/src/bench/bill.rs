//! The bill of an arm: what its call, first touch and release cost, and the faults behind that.

use results::{Arm, Bill, LabResult, Sample};

use super::lines;
use crate::number::{TimeUnit, bytes, count, digits, duration, duration_range, percent};
use crate::table::table;
use crate::text::{DIM, clean, styled};
use crate::view::View;

/// A row for each arm, and what its columns mean.
pub(super) fn table_of_bills(result: &LabResult, view: View) -> String {
    let arms: Vec<&Arm> =
        result.arms.iter().filter(|arm| !arm.placebo && arm.summary.is_some()).collect();
    if arms.is_empty() {
        return String::new();
    }
    let summaries = || arms.iter().filter_map(|arm| arm.summary.as_ref());
    let largest = summaries().map(|summary| summary.bill.bill_ns).fold(0.0, f64::max);
    let unit = TimeUnit::for_largest(largest);
    let with_huge = summaries().any(|summary| summary.huge_bytes.is_some_and(|bytes| bytes > 0.0));
    // If pages are given back or copied between the touches, most faults come after the first one.
    let later = arms.iter().any(|arm| faults_later(arm));
    let (faults, each) =
        if later { ("faults in all", "each of 1st touch") } else { ("faults", "each") };
    let bill = format!("bill, {}", unit.name());
    let mut header = vec!["bill", &bill, "in call", "1st touch", "release", faults, each];
    header.extend(with_huge.then_some("huge pages"));
    let mut rows = vec![header.iter().map(|name| styled(DIM, name)).collect()];
    rows.extend(arms.iter().filter_map(|arm| {
        let summary = arm.summary.as_ref()?;
        let bill = &summary.bill;
        let mut row = vec![clean(&arm.name), digits(bill.bill_ns / unit.ns(), 3)];
        row.extend([bill.in_call, bill.in_first_touch, bill.in_release].map(percent));
        row.extend([faults_taken(arm), unit_cost(arm)]);
        let huge = summary.huge_bytes.filter(|bytes| *bytes > 0.0);
        row.extend(with_huge.then(|| huge.map_or_else(|| "-".to_owned(), bytes)));
        Some(row)
    }));
    table(rows, view.table_columns(), &[4, 1]) + &lines(&[what_a_bill_is(&arms, later)], view)
}

/// Whether many faults came after the first touch.
fn faults_later(arm: &Arm) -> bool {
    let seen = |of: fn(&Sample) -> u64| arm.samples.iter().map(of).sum::<u64>();
    let first = seen(|s| s.obtain_minor_faults + s.first_touch_minor_faults);
    seen(|s| s.minor_faults) > first + first / 10 + arm.samples.len() as u64
}

/// What the bill and the cost of a fault are made of.
fn what_a_bill_is(arms: &[&Arm], later: bool) -> String {
    let bill = "The bill is the call, the first touch and the release";
    let rest = if later { ", without the work between the touches and after them." } else { "." };
    let costs = |of: fn(&Bill) -> Option<f64>| {
        let mut bills = arms.iter().filter_map(|arm| Some(&arm.summary.as_ref()?.bill));
        bills.any(|bill| of(bill).is_some())
    };
    let most = match (costs(|bill| bill.fault_ns_high), costs(|bill| bill.fault_ns_low)) {
        (false, _) => "",
        (true, false) => " A fault costs at most its share of the first touch.",
        (true, true) => {
            " A fault costs at most its share of the first touch, and at least that less the \
             second touch, which writes the same without faults."
        }
    };
    format!("{bill}{rest}{most}")
}

/// The cost of one fault, or of one page that a call populated: `1.1-1.4 us a fault`.
pub(super) fn unit_cost(arm: &Arm) -> String {
    let Some(bill) = arm.summary.as_ref().map(|summary| &summary.bill) else {
        return String::new();
    };
    match (fault_cost(bill), bill.populated_ns) {
        (Some(cost), _) => format!("{cost} a fault"),
        (None, Some(ns)) => format!("{} a page", duration(ns)),
        (None, None) => String::new(),
    }
}

/// The cost of one fault: `1.1-1.4 us`.
pub(super) fn fault_cost(bill: &Bill) -> Option<String> {
    let high = bill.fault_ns_high?;
    Some(match bill.fault_ns_low {
        Some(low) => duration_range(low, high),
        None => format!("up to {}", duration(high)),
    })
}

/// How many page faults an arm took: perf's count, or else, in brackets, the kernel's count of the
/// process's minor faults.
pub(super) fn faults_taken(arm: &Arm) -> String {
    match (arm.traps, &arm.summary) {
        (Some(traps), _) => count(traps),
        (None, Some(summary)) => format!("({})", count(summary.minor_faults)),
        (None, None) => "?".to_owned(),
    }
}
