use tango_bench::{IntoBenchmarks, benchmark_fn, tango_benchmarks, tango_main};

include!("../../work.rs");

fn benchmarks() -> impl IntoBenchmarks {
    [benchmark_fn("work", |bencher| bencher.iter(work))]
}

tango_benchmarks!(benchmarks());
tango_main!();
