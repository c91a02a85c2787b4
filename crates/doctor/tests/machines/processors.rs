//! Processors, placement, the host and other processes.

use std::time::Duration;

use results::doctor::State::{Ok as Fine, Skip, Warn};
use sys::facts::{Boost, Facts};

use crate::ideal::case;

#[test]
fn processors() {
    let governor =
        |machine, change, state, words: &[&str]| case(machine, "governor", change, state, words);
    let powersave = |f: &mut Facts| f.processors.governors = Some(vec!["powersave".to_owned()]);
    governor(
        "powersave",
        powersave,
        Warn,
        &["powersave", "sudo cpupower frequency-set -g performance"],
    );
    governor("none", |f| f.processors.governors = None, Skip, &["does not set"]);
    governor(
        "guest",
        |f| (f.processors.governors, f.host.virtualized) = (None, Some(true)),
        Skip,
        &["controlled by the host"],
    );
    let turbo = |f: &mut Facts| {
        f.processors.boost = Some(Boost { on: true, off_command: "echo 1 | sudo tee no_turbo" });
    };
    case("turbo", "boost", turbo, Warn, &["drift", "no_turbo"]);
    case("no switch", "boost", |f| f.processors.boost = None, Skip, &["no switch"]);

    let smt = |machine, change, state, words: &[&str]| case(machine, "smt", change, state, words);
    smt(
        "quiet",
        |f| f.processors.smt_active = Some(true),
        Fine,
        &["share a core", "one process at a time"],
    );
    smt(
        "busy",
        |f| {
            f.processors.smt_active = Some(true);
            f.activity.others_cpu = Some(Duration::from_millis(150));
        },
        Warn,
        &["smt/control"],
    );
    smt("guest", |f| f.host.virtualized = Some(true), Fine, &["off in this guest"]);
    smt("hidden", |f| f.processors.smt_active = None, Skip, &["unknown"]);

    let numa = |machine, change, state, words: &[&str]| case(machine, "numa", change, state, words);
    numa(
        "balanced",
        |f| (f.processors.nodes, f.processors.numa_balancing) = (Some(2), Some(1)),
        Warn,
        &["2 nodes", "=0"],
    );
    numa("still", |f| f.processors.nodes = Some(4), Fine, &["4 nodes", "--cpu N"]);

    let clock =
        |machine, change, state, words: &[&str]| case(machine, "clock", change, state, words);
    clock(
        "hpet",
        |f| {
            (f.processors.clocksource, f.processors.clock_read_ns) =
                (Some("hpet".to_owned()), Some(1100.0));
        },
        Warn,
        &["hpet: a reading takes 1100 ns", "obtain", "clocksource=tsc"],
    );
    clock(
        "unnamed",
        |f| f.processors.clocksource = None,
        Fine,
        &["unknown source: a reading takes 20 ns"],
    );
}

#[test]
fn placement() {
    let aslr = |machine, change, state, words: &[&str]| case(machine, "aslr", change, state, words);
    aslr("off", |f| f.own.randomize = Some(0), Warn, &["same layout", "randomize_va_space=2"]);
    aslr("half", |f| f.own.randomize = Some(1), Warn, &["heap", "randomize_va_space=2"]);
    aslr(
        "setarch",
        |f| f.own.personality = Some(0x0004_0000),
        Warn,
        &["ADDR_NO_RANDOMIZE", "setarch -R"],
    );
    aslr("other bits", |f| f.own.personality = Some(0x0080_0000), Fine, &["2:"]);

    let affinity =
        |machine, change, state, words: &[&str]| case(machine, "affinity", change, state, words);
    affinity(
        "some",
        |f| f.own.allowed_cpus = vec![0, 2, 3],
        Fine,
        &["3 of 4 processors (0,2-3)", "only these"],
    );
    affinity(
        "one",
        |f| f.own.allowed_cpus = vec![2],
        Warn,
        &["1 of 4 processors (2)", "taskset -c 0-3 firsttouch bench"],
    );
    affinity(
        "the only one",
        |f| (f.own.allowed_cpus, f.processors.online) = (vec![0], Some(vec![0])),
        Warn,
        &["1 of 1 processor (0)"],
    );
    affinity("hidden", |f| f.processors.online = None, Skip, &["0-3"]);

    let isolation =
        |machine, change, state, words: &[&str]| case(machine, "isolation", change, state, words);
    isolation(
        "set apart",
        |f| (f.processors.isolated, f.own.allowed_cpus) = (Some(vec![2, 3]), vec![0, 1]),
        Fine,
        &["2-3 (isolcpus)", "may not use them", "taskset -c 2 firsttouch bench"],
    );
    isolation(
        "in use",
        |f| {
            (f.processors.isolated, f.own.allowed_cpus) = (Some(vec![2, 3]), vec![3]);
            f.processors.nohz_full = Some(vec![3]);
        },
        Fine,
        &["may use them", "no tick on 3"],
    );
}

#[test]
fn host_and_other_processes() {
    let guest = |f: &mut Facts| {
        (f.host.virtualized, f.host.hypervisor) = (Some(true), Some("KVM".to_owned()));
    };
    case(
        "guest",
        "virtualization",
        guest,
        Warn,
        &["a guest of KVM", "no counter", "none in the guest"],
    );
    case("arm", "virtualization", |f| f.host.virtualized = None, Skip, &["unknown"]);
    let reporting = |f: &mut Facts| f.host.free_page_reporting = Some(true);
    case(
        "balloon",
        "memory-cold",
        reporting,
        Warn,
        &["on the host", "firsttouch bench --memory cold"],
    );
    case(
        "hidden",
        "memory-cold",
        |f| f.host.free_page_reporting = None,
        Skip,
        &["cannot be listed"],
    );

    let steal =
        |machine, change, state, words: &[&str]| case(machine, "steal", change, state, words);
    steal(
        "since boot",
        |f| f.activity.stolen_share_since_boot = Some(0.03),
        Warn,
        &["3 % of busy time since boot"],
    );
    steal(
        "now",
        |f| f.activity.stolen = Some(Duration::from_millis(40)),
        Warn,
        &["40 of 200 ms now"],
    );
    // Two ticks are below the threshold of three, although they are 10 % of the window.
    steal(
        "a tick or two",
        |f| f.activity.stolen = Some(Duration::from_millis(20)),
        Fine,
        &["20 of 200 ms"],
    );

    let busy = |machine, change, state, words: &[&str]| {
        case(machine, "busy-machine", change, state, words);
    };
    busy(
        "busy",
        |f| f.activity.others_cpu = Some(Duration::from_millis(300)),
        Warn,
        &["1.5 of 4 processors", "top"],
    );
    busy(
        "a little",
        |f| f.activity.others_cpu = Some(Duration::from_millis(40)),
        Fine,
        &["0.2 of 4", "load 0.10"],
    );
}
