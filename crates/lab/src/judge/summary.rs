//! The summary of an arm, from its samples.

use results::{ArmSummary, Bill, PhaseTimes, Sample};
use sample::source::Source;
use stats::{median, robust_spread};
use sys::limits::page_bytes;

use crate::design::work::Work;
use crate::question::experiment::Metric;

/// With fewer faults per block of memory than this, no time per fault is computed.
const FAULTS_MIN: f64 = 0.5;

/// The summary of the samples of `work`. Pages that fault in during the call are requested memory,
/// except the buffer of a source that copies.
#[must_use]
pub(crate) fn summary(samples: &[Sample], metric: Metric, work: &Work) -> Option<ArmSummary> {
    let mut summary = summarise(samples, metric, work.pattern.touches_alike())?;
    let bill = &mut summary.bill;
    match work.source {
        Source::File(file) if file.copies() => {
            (bill.populated_ns, bill.populated_pages) = (None, None);
        }
        // A fault maps several pages of a file, so a call with any faults mapped all pages.
        Source::File(_) if bill.populated_ns.is_some() => {
            let pages = work.size_bytes.div_ceil(page_bytes()).max(1) as f64;
            (bill.populated_ns, bill.populated_pages) =
                (Some(summary.median.obtain_ns / pages), Some(pages));
        }
        _ => {}
    }
    Some(summary)
}

/// Summarises the samples of one arm; `None` without samples. `same_again`: the second touch
/// repeats the first once, on the same memory.
fn summarise(samples: &[Sample], metric: Metric, same_again: bool) -> Option<ArmSummary> {
    let per_operation = |value: fn(&Sample) -> u64| median(&each_operation(samples, value));
    let metrics = each_operation(samples, |sample| metric.of(sample));
    let times = PhaseTimes {
        obtain_ns: per_operation(|s| s.obtain_ns)?,
        first_touch_ns: per_operation(|s| s.first_touch_ns)?,
        between_ns: per_operation(|s| s.between_ns)?,
        second_touch_ns: per_operation(|s| s.second_touch_ns)?,
        release_ns: per_operation(|s| s.release_ns)?,
        total_ns: per_operation(|s| s.total_ns)?,
        metric_ns: median(&metrics)?,
    };
    let faults_in_call = per_operation(|s| s.obtain_minor_faults)?;
    let faults_on_touch =
        per_operation(|s| s.first_touch_minor_faults + s.first_touch_major_faults)?;
    let huge_known = samples.iter().all(|s| s.huge_bytes.is_some());
    Some(ArmSummary {
        median: times,
        total_spread: robust_spread(&metrics)? / times.metric_ns.max(1.0),
        bill: bill(&times, faults_in_call, faults_on_touch, same_again),
        minor_faults: per_operation(|s| s.minor_faults)?,
        minor_faults_in_call: faults_in_call,
        huge_bytes: if huge_known { per_operation(|s| s.huge_bytes.unwrap_or(0)) } else { None },
    })
}

/// Median of `metric` per page of memory; `None` without samples. A partial page counts as a page.
#[must_use]
pub(crate) fn per_page(
    samples: &[Sample],
    metric: Metric,
    size_bytes: u64,
    page_bytes: u64,
) -> Option<f64> {
    let pages = size_bytes.div_ceil(page_bytes.max(1)).max(1) as f64;
    median(&each_operation(samples, |sample| metric.of(sample))).map(|ns| ns / pages)
}

/// `value` per block of memory, sample by sample.
fn each_operation(samples: &[Sample], value: impl Fn(&Sample) -> u64) -> Vec<f64> {
    samples.iter().map(|sample| value(sample) as f64 / sample.operations.max(1) as f64).collect()
}

/// The bill: what the memory cost, and in which phase.
fn bill(times: &PhaseTimes, faults_in_call: f64, faults_on_touch: f64, same_again: bool) -> Bill {
    let bill_ns = times.obtain_ns + times.first_touch_ns + times.release_ns;
    let share = |part: f64| if bill_ns > 0.0 { part / bill_ns } else { 0.0 };
    let on_touch = faults_on_touch >= FAULTS_MIN && faults_on_touch >= faults_in_call;
    let in_call = faults_in_call >= FAULTS_MIN && faults_in_call > faults_on_touch;
    let without_writing = f64::max(times.first_touch_ns - times.second_touch_ns, 0.0);
    Bill {
        bill_ns,
        in_call: share(times.obtain_ns),
        in_first_touch: share(times.first_touch_ns),
        in_release: share(times.release_ns),
        fault_ns_low: (on_touch && same_again).then(|| without_writing / faults_on_touch),
        fault_ns_high: on_touch.then(|| times.first_touch_ns / faults_on_touch),
        populated_ns: in_call.then(|| times.obtain_ns / faults_in_call),
        populated_pages: in_call.then_some(faults_in_call),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(times: [u64; 4], faults: [u64; 2], operations: u64) -> Sample {
        let [obtain_ns, first_touch_ns, second_touch_ns, release_ns] = times;
        Sample {
            operations,
            obtain_ns,
            first_touch_ns,
            second_touch_ns,
            release_ns,
            total_ns: obtain_ns + first_touch_ns,
            obtain_minor_faults: faults[0],
            first_touch_minor_faults: faults[1],
            minor_faults: faults[0] + faults[1],
            huge_bytes: Some(0),
            ..Sample::default()
        }
    }

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn a_lazy_arm_pays_after_the_call() {
        let summary =
            summarise(&[sample([10, 5_000, 1_000, 990], [0, 20], 2)], Metric::Total, true).unwrap();
        assert!(near(summary.median.total_ns, 2_505.0));
        let bill = summary.bill;
        assert!(near(bill.bill_ns, 3_000.0) && near(bill.in_call, 5.0 / 3_000.0));
        assert_eq!(
            (bill.fault_ns_low, bill.fault_ns_high, bill.populated_ns),
            (Some(200.0), Some(250.0), None)
        );
    }

    #[test]
    fn a_populated_arm_pays_in_the_call() {
        let bill =
            summarise(&[sample([4_000, 900, 1_000, 1_000], [20, 1], 1)], Metric::Total, true)
                .unwrap()
                .bill;
        assert_eq!(
            (bill.fault_ns_low, bill.fault_ns_high, bill.populated_ns),
            (None, None, Some(200.0))
        );
    }

    #[test]
    fn the_parts_of_the_bill_add_up_and_unknown_stays_unknown() {
        let mut samples: Vec<Sample> =
            (0..9).map(|i| sample([i, 50 * i, 40, 7], [0, i], 1)).collect();
        samples[3].huge_bytes = None;
        let summary = summarise(&samples, Metric::Total, true).unwrap();
        let bill = summary.bill;
        assert!((bill.in_call + bill.after_call() - 1.0).abs() < 1e-12);
        assert_eq!(summary.huge_bytes, None);
        assert_eq!(summarise(&[], Metric::Total, true), None);
    }
}
