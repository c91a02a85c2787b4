use criterion::{Criterion, criterion_group, criterion_main};

include!("../../work.rs");

fn bench(criterion: &mut Criterion) {
    criterion.bench_function("work", |bencher| bencher.iter(work));
}

criterion_group!(benches, bench);
criterion_main!(benches);
