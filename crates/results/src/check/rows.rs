//! Arms, their samples and their figures.

use super::each;
use super::value::{
    BYTES_MAX, Outcome, TIME_NS_MAX, Within, amount, at_most, known, name, share, signed, wrong,
};
use crate::{Arm, ArmSummary, Distribution, FloorSummary, LabResult, Sample};

pub(super) fn arm(arm: &Arm, result: &LabResult) -> Outcome {
    name("name", &arm.name)?;
    known("traps", arm.traps, amount)?;
    if let Some(work) = &arm.work {
        name("work.source", &work.source)?;
    }
    if let Some(seen) = &arm.observed {
        known("observed.pages_per_fault", seen.pages_per_fault, amount)?;
        known("observed.pages_per_wait", seen.pages_per_wait, amount)?;
        at_most("observed.break_growth_bytes", seen.break_growth_bytes, BYTES_MAX)?;
        at_most("observed.mapped_growth_bytes", seen.mapped_growth_bytes, BYTES_MAX)?;
    }
    arm.summary.as_ref().map_or(Ok(()), summary).within("summary")?;
    each("points", &arm.points, |point| {
        at_most("size_bytes", point.size_bytes, BYTES_MAX)?;
        at_most("operations", point.operations, BYTES_MAX)?;
        known("traps", point.traps, amount)?;
        known("total_ns_per_page", point.total_ns_per_page, amount)?;
        known("metric_ns_per_page", point.metric_ns_per_page, amount)?;
        point.summary.as_ref().map_or(Ok(()), summary).within("summary")
    })?;
    if let Some(timed) = &arm.latencies {
        distribution(&timed.touches).within("latencies.touches")?;
        distribution(&timed.clock).within("latencies.clock")?;
    }
    let mut seen = std::collections::HashSet::new();
    each("samples", &arm.samples, |one| {
        if !seen.insert((one.block, one.size_bytes, one.threads, one.passes)) {
            return wrong("block", format!("{} has two samples of this arm", one.block));
        }
        sample(one, result)
    })
}

/// A sample of a block of the design.
pub(super) fn sample(sample: &Sample, result: &LabResult) -> Outcome {
    let blocks = result.blocks.len() as u64;
    if blocks > 0 && sample.block >= blocks {
        return wrong("block", format!("{}, and the run has {blocks}", sample.block));
    }
    measured(sample)
}

/// A sample of any block.
pub(super) fn measured(sample: &Sample) -> Outcome {
    for (key, time) in [
        ("obtain_ns", sample.obtain_ns),
        ("first_touch_ns", sample.first_touch_ns),
        ("between_ns", sample.between_ns),
        ("second_touch_ns", sample.second_touch_ns),
        ("release_ns", sample.release_ns),
        ("run_delay_ns", sample.run_delay_ns.unwrap_or(0)),
    ] {
        at_most(key, time, TIME_NS_MAX)?;
    }
    for (key, number) in [
        ("operations", Some(sample.operations)),
        ("size_bytes", sample.size_bytes),
        ("minor_faults", Some(sample.minor_faults)),
        ("major_faults", Some(sample.major_faults)),
        ("rss_bytes", sample.rss_bytes),
        ("huge_bytes", sample.huge_bytes),
    ] {
        at_most(key, number.unwrap_or(0), BYTES_MAX)?;
    }
    let sum_ns = sample.obtain_ns + sample.first_touch_ns;
    if sample.total_ns != sum_ns {
        let problem =
            format!("{}, and obtain_ns and first_touch_ns add up to {sum_ns}", sample.total_ns);
        return wrong("total_ns", problem);
    }
    if sample.operations == 0 { wrong("operations", "0: nothing was measured") } else { Ok(()) }
}

fn summary(summary: &ArmSummary) -> Outcome {
    let times = &summary.median;
    for (key, time) in [
        ("obtain_ns", times.obtain_ns),
        ("first_touch_ns", times.first_touch_ns),
        ("between_ns", times.between_ns),
        ("second_touch_ns", times.second_touch_ns),
        ("release_ns", times.release_ns),
        ("total_ns", times.total_ns),
        ("metric_ns", times.metric_ns),
    ] {
        amount(key, time).within("median")?;
    }
    amount("total_spread", summary.total_spread)?;
    amount("minor_faults", summary.minor_faults)?;
    amount("minor_faults_in_call", summary.minor_faults_in_call)?;
    known("huge_bytes", summary.huge_bytes, amount)?;
    let bill = &summary.bill;
    let paid = || {
        amount("bill_ns", bill.bill_ns)?;
        share("in_call", bill.in_call)?;
        share("in_first_touch", bill.in_first_touch)?;
        share("in_release", bill.in_release)?;
        known("fault_ns_low", bill.fault_ns_low, signed)?;
        known("fault_ns_high", bill.fault_ns_high, amount)?;
        known("populated_ns", bill.populated_ns, amount)?;
        known("populated_pages", bill.populated_pages, amount)
    };
    paid().within("bill")
}

fn distribution(times: &Distribution) -> Outcome {
    let rising = [times.p50_ns, times.p90_ns, times.p99_ns, times.p999_ns, times.max_ns];
    // Percentiles are upper bounds of their step, so the last ones may exceed the exact maximum.
    if !rising[..4].is_sorted() {
        return wrong("p50_ns", "percentiles that do not rise");
    }
    for (key, time) in ["p50_ns", "p90_ns", "p99_ns", "p999_ns", "max_ns"].iter().zip(rising) {
        at_most(key, time, TIME_NS_MAX)?;
    }
    at_most("count", times.count, BYTES_MAX)?;
    each("rows", &times.rows, |row| {
        share("share", row.share)?;
        share("time_share", row.time_share)?;
        at_most("high_ns", row.bucket.high_ns, TIME_NS_MAX)
    })
}

pub(super) fn floor_summary(medians: &FloorSummary) -> Outcome {
    for (key, median) in [
        ("timer_ns", medians.timer_ns),
        ("syscall_ns", medians.syscall_ns),
        ("read_fault_ns", medians.read_fault_ns),
        ("write_fault_ns", medians.write_fault_ns),
        ("write_after_fault_ns", medians.write_after_fault_ns),
        ("release_ns", medians.release_ns),
        ("populate_ns", medians.populate_ns),
        ("huge_fault_ns", medians.huge_fault_ns),
    ] {
        known(key, median, amount).within("summary")?;
    }
    Ok(())
}
