//! The screen of `bench floors`, from an injected result.

use results::{
    Arm, ExperimentRecord, FloorEstimate, FloorPart, FloorSample, FloorSummary, Floors,
    InvalidFloor, LabResult, Machine, Refused, Sample, SourceFloor, Warning,
};

use crate::at_every_width;

fn estimate(floor: &str, ns: f64, handles_pages: bool) -> FloorEstimate {
    FloorEstimate {
        floor: floor.to_owned(),
        ns,
        low_ns: Some(0.98 * ns),
        high_ns: Some(1.03 * ns),
        confidence: 0.95,
        blocks: 40,
        bytes_per_second: handles_pages.then(|| 4096.0 / ns * 1e9),
    }
}

fn source(arm: &str, parts: &[(&str, f64)], measured_ns: f64) -> SourceFloor {
    let floor_ns: f64 = parts.iter().map(|part| part.1).sum();
    let ratio = measured_ns / floor_ns;
    SourceFloor {
        arm: arm.to_owned(),
        parts: parts
            .iter()
            .map(|&(name, ns_per_page)| FloorPart { name: name.to_owned(), ns_per_page })
            .collect(),
        floor_ns,
        measured_ns,
        ratio,
        low: Some(ratio - 0.02),
        high: Some(ratio + 0.03),
        confidence: 0.95,
        blocks: 40,
    }
}

fn arm(name: &str) -> Arm {
    Arm {
        name: name.to_owned(),
        traps: Some(8192.0),
        samples: vec![Sample::default(); 40],
        ..Arm::default()
    }
}

fn floors() -> Floors {
    Floors {
        samples: vec![FloorSample::default(); 40],
        summary: FloorSummary::default(),
        invalid: Vec::new(),
        failed: None,
        estimates: vec![
            estimate("timer", 15.6, false),
            estimate("syscall", 72.6, false),
            estimate("map_and_unmap", 2380.0, false),
            estimate("read_fault", 455.0, false),
            estimate("write_fault", 1216.0, false),
            estimate("allocate_and_clear", 761.0, false),
            estimate("huge_fault", 443.0, true),
            estimate("clear_cold", 485.0, true),
            estimate("store", 173.0, true),
            estimate("store_past_caches", 166.0, true),
            estimate("populate", 859.0, false),
            estimate("write_after_fault", 28.0, true),
            estimate("interruption", 201.0, false),
            estimate("release", 124.0, false),
            estimate("memcpy", 232.0, true),
            estimate("read", 190.0, true),
            estimate("read_memfd", 597.0, true),
            estimate("by_fault", 1250.0, false),
            estimate("by_populate", 1140.0, false),
            estimate("by_huge_fault", 518.0, false),
        ],
        sources: vec![
            source("mmap", &[("write fault", 1222.0), ("write", 28.0)], 1450.0),
            source(
                "mmap+populate",
                &[("write fault", 1.2), ("populate", 859.0), ("write", 281.0)],
                1210.0,
            ),
            source(
                "mmap+hugepage",
                &[("write fault", 2.0), ("2 MiB fault", 443.0), ("write", 75.0)],
                540.0,
            ),
        ],
    }
}

fn result() -> LabResult {
    LabResult {
        schema: results::SCHEMA.to_owned(),
        version: "0.1.0".to_owned(),
        started: "2026-11-24T07:00:00Z".to_owned(),
        elapsed_ns: 44_700_000_000,
        seed: 7,
        machine: Machine { cpus: 2, page_bytes: 4096, ..Machine::default() },
        experiment: ExperimentRecord {
            name: "floors".to_owned(),
            question: "What can no way of getting memory beat on this machine?".to_owned(),
            metric: "total_ns".to_owned(),
            margin: 0.03,
            size_bytes: 32 << 20,
            operations: 1,
            fill: 1,
            memory: "warm".to_owned(),
            max_time_ns: Some(45_000_000_000),
            ..ExperimentRecord::default()
        },
        arms: ["mmap", "mmap+populate", "mmap+hugepage"].map(arm).to_vec(),
        floors: Some(floors()),
        ..LabResult::default()
    }
}

#[test]
fn floors_and_sources() {
    at_every_width("floors_and_sources", &result());
}

#[test]
fn what_is_missing_is_said() {
    let mut result = result();
    let floors = result.floors.as_mut().unwrap();
    floors
        .estimates
        .retain(|e| !["huge_fault", "by_huge_fault", "clear_cold"].contains(&e.floor.as_str()));
    for estimate in &mut floors.estimates {
        (estimate.low_ns, estimate.high_ns, estimate.blocks) = (None, None, 3);
    }
    floors.sources.pop();
    for source in &mut floors.sources {
        (source.low, source.high) = (None, None);
    }
    let beaten = &mut floors.sources[0];
    (beaten.ratio, beaten.low, beaten.high) = (0.94, Some(0.90), Some(0.97));
    floors.invalid =
        vec![InvalidFloor { floor: "huge_fault".to_owned(), reason: "no huge pages".to_owned() }];
    floors.failed = Some("its child was killed (SIGKILL)".to_owned());
    result.refused = vec![Refused {
        arm: "mmap+hugetlb-2MiB".to_owned(),
        reason: "no pages of 2 MiB are reserved".to_owned(),
        failed: false,
        samples: Vec::new(),
    }];
    result.warnings = vec![Warning {
        id: "few-blocks".to_owned(),
        message: "intervals of a useful width need 12 blocks, and the run was cut short after 3"
            .to_owned(),
        arms: Vec::new(),
    }];
    result.stopped = Some(results::Stopped::Interrupted);
    at_every_width("floors_that_are_missing", &result);
}
