//! `firsttouch doctor`.

use std::process::ExitCode;
use std::time::Duration;

use results::doctor::{Check, Diagnosis, SCHEMA};
use sys::facts::Facts;

use crate::options::{DoctorOptions, ScreenOptions, Usage};
use crate::sink::{self, Sink};

/// The processor time of other processes is taken over this time: twenty of the kernel's ticks,
/// and short enough to wait for.
const WINDOW: Duration = Duration::from_millis(200);

pub(crate) fn run(options: &DoctorOptions, screen: ScreenOptions) -> anyhow::Result<ExitCode> {
    let sink = options.json.as_deref().map(Sink::open).transpose()?;
    let diagnosis = Diagnosis {
        schema: SCHEMA.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        checks: wanted(doctor::examine(&Facts::gather(WINDOW)), &options.ids)?,
    };
    let verbose = screen.verbose || !options.ids.is_empty();
    let text = || report::doctor_screen(&diagnosis, report::View { verbose, ..screen.view() });
    sink::deliver(sink, |writer| results::write(&diagnosis, writer), text, screen.color)?;
    Ok(ExitCode::SUCCESS)
}

/// The checks of `checks` that `ids` names, in their order; all of them if `ids` is empty.
fn wanted(mut checks: Vec<Check>, ids: &[String]) -> Result<Vec<Check>, Usage> {
    let known: Vec<&str> = checks.iter().map(|check| check.id.as_str()).collect();
    if let Some(unknown) = ids.iter().find(|id| !known.contains(&id.as_str())) {
        let hint = lab::question::arm::nearest(unknown, known.iter().copied())
            .map_or(".".to_owned(), |near| format!("; did you mean {near}?"));
        return Err(Usage(format!(
            "there is no check {unknown:?}{hint} Known: {}",
            known.join(", ")
        )));
    }
    checks.retain(|check| ids.is_empty() || ids.contains(&check.id));
    Ok(checks)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lab::design::capacity::{MemoryLimits, check, needed_bytes};
    use lab::run::disturbance::outside_cause;
    use results::Block;
    use results::doctor::State;
    use sys::cgroup::MemoryLimit;
    use sys::facts::Facts;

    fn state(facts: &Facts, id: &str) -> State {
        doctor::examine(facts).into_iter().find(|check| check.id == id).expect("a check").state
    }

    /// The doctor may not import the rules of bench, and has the same ones.
    #[test]
    fn whatever_drops_a_block_is_a_warning() {
        let mut facts = Facts::default();
        facts.activity.stolen_share_since_boot = Some(0.0);
        for (window_ms, used_ms) in (50..1000)
            .step_by(50)
            .flat_map(|window| (0..400).step_by(5).map(move |ms| (window, ms)))
        {
            let ns = |ms: u64| ms * 1_000_000;
            let used = Some(Duration::from_millis(used_ms));
            let quiet = Some(Duration::ZERO);
            let block = Block { elapsed_ns: ns(window_ms), ..Block::default() };
            let cases = [
                (
                    "busy-machine",
                    used,
                    quiet,
                    Block { others_cpu_ns: Some(ns(used_ms)), ..block.clone() },
                ),
                ("steal", quiet, used, Block { steal_ns: Some(ns(used_ms)), ..block }),
            ];
            for (id, others, stolen, block) in cases {
                facts.activity.window = Duration::from_millis(window_ms);
                (facts.activity.others_cpu, facts.activity.stolen) = (others, stolen);
                let warned = state(&facts, id) == State::Warn;
                assert_eq!(
                    warned,
                    outside_cause(&block).is_some(),
                    "{id}: {used_ms} of {window_ms} ms"
                );
            }
        }
    }

    #[test]
    fn a_limit_that_bench_refuses_is_a_warning() {
        let needed = needed_bytes(100 << 20, 1, 4096);
        for left_bytes in [needed - 1, needed] {
            let group = Some(MemoryLimit {
                file: "/g/memory.max".into(),
                limit_bytes: 1 << 30,
                left_bytes,
            });
            let mut facts = Facts::default();
            (facts.groups.visible, facts.groups.memory) = (true, group.clone());
            let refused =
                check(needed, &MemoryLimits { cgroup: group, ..MemoryLimits::default() }).is_err();
            assert_eq!(state(&facts, "cgroup") == State::Warn, refused, "{left_bytes} bytes left");
        }
        for limit_bytes in [needed, needed + (24 << 20) - 1, needed + (24 << 20)] {
            let mut facts = Facts::default();
            facts.own.data_bytes = Some(limit_bytes);
            let refused = check(
                needed,
                &MemoryLimits { data_bytes: Some(limit_bytes), ..MemoryLimits::default() },
            )
            .is_err();
            assert_eq!(
                state(&facts, "limits") == State::Warn,
                refused,
                "a limit of {limit_bytes} bytes"
            );
        }
    }
}
