//! The design of a survey of floors: every source, without comparisons.

use sample::source::Source;

use crate::design::arrangement::{self, Arrangement};
use crate::design::error::BenchError;
use crate::design::machine_limits::MachineLimits;
use crate::design::{Contrast, Point, Role};
use crate::question::arm::ArmSpec;
use crate::question::defaults::Defaults;
use crate::question::memory::MemoryState;
use crate::question::request::BenchRequest;

/// The byte that both touches write.
pub(crate) const FILL: u8 = 1;

/// Every source that is available here, as an arm without a baseline.
///
/// # Errors
/// Options that do not fit the survey.
pub(crate) fn arrangement(
    request: &BenchRequest,
    limits: &MachineLimits,
) -> Result<Arrangement, BenchError> {
    let name = &request.experiment.name;
    let wishes = [
        (!request.arms.is_empty(), "measures every available source: leave out --arm"),
        (request.threads.is_some(), "measures one thread: leave out --threads"),
        (
            request.margin.is_some(),
            "compares nothing, so a margin has no effect: leave out --margin",
        ),
        (request.memory == MemoryState::Cold, "measures warm memory: leave out --memory cold"),
        (request.passes.is_some(), "has fixed numbers of touches: leave out --passes"),
        (request.sizes_bytes().len() > 1, "is measured at one size: give one --size"),
        (
            request.sizes_bytes()[0] < limits.page_bytes,
            "measures whole pages: give a --size of a page or more",
        ),
    ];
    if let Some((_, wish)) = wishes.iter().find(|(unfit, _)| *unfit) {
        return Err(BenchError::Unfit(format!("{name} {wish}")));
    }
    let point = Point::new(request.sizes_bytes()[0], 1);
    let others: Vec<ArmSpec> =
        Source::all().filter(|source| has_floor(*source)).map(ArmSpec::of).collect();
    let mut arrangement = arrangement::arms(
        limits,
        &ArmSpec::of(Source::Mmap),
        &others,
        Defaults::of_fill(FILL),
        &[point],
    );
    // Refusals of single page sizes are left out: they are not relevant to a survey of floors.
    arrangement
        .refused
        .retain(|refused| !matches!(Source::named(&refused.arm), Some(Source::MmapMidPages(_))));
    arrangement.arms.retain(|arm| arm.role != Role::Placebo);
    arrangement.arms.iter_mut().for_each(|arm| arm.role = Role::Compared);
    arrangement.contrasts.clear();
    arrangement.placebo = Contrast::default();
    Ok(arrangement)
}

/// Whether a floor is known for `source`: one page is cleared for each page that is written. Pages
/// of files exist already, and small objects share pages.
fn has_floor(source: Source) -> bool {
    source != Source::Mmap && !source.counts_pairs() && !matches!(source, Source::File(_))
}
