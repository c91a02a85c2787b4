//! What is checked before anything runs.

use sys::cgroup::peak::{NoPeakGroups, PeakGroups};

use crate::error::CompareError;
use crate::figure::FigurePattern;
use crate::metric::ProgramMetric;
use crate::request::CompareRequest;
use crate::run::once::check_input;

/// What a request needs besides its programs.
#[derive(Debug)]
pub(crate) struct Checked {
    /// Finds the figure, if there is one.
    pub(crate) figure: Option<FigurePattern>,
    /// Where runs are counted, if the peak of all their memory decides.
    pub(crate) groups: Option<PeakGroups>,
}

/// Checks `request`.
///
/// # Errors
/// It contradicts itself, names a file that is not there, or wants what this machine does not have.
pub(crate) fn check(request: &CompareRequest) -> Result<Checked, CompareError> {
    let way = &request.way;
    if request.arms.len() < 2 && !request.tune {
        return Err(unfit(
            "there is one arm: give at least two, such as --allocator system,jemalloc",
        ));
    }
    check_input(way).map_err(|error| {
        let path = way.stdin.as_deref().unwrap_or("".as_ref()).display();
        CompareError::Unfit(format!("cannot read {path} for --stdin: {error}"))
    })?;
    if way.nice < 0 && !sys::process::may_add_to_nice(way.nice) {
        return Err(CompareError::Unfit(format!(
            "--nice {}: this user may not lower the nice value (it takes root, CAP_SYS_NICE, or \
             ulimit -e): give a positive one, or leave it out",
            way.nice
        )));
    }
    let decides = |metric: ProgramMetric| request.metrics.contains(&metric);
    if decides(ProgramMetric::SettledRss) && way.settle.is_none() {
        return Err(unfit("--metric settled-rss is read after --settle TIME: give that too"));
    }
    if decides(ProgramMetric::Figure) && way.figure.is_none() {
        return Err(unfit(
            "--metric figure is found by --figure REGEX in the output: give that too, such as \
             --figure 'Requests/sec: *([0-9.]+)'",
        ));
    }
    let figure = way.figure.as_deref().map(FigurePattern::new).transpose();
    let groups = decides(ProgramMetric::TreePeak).then(PeakGroups::find).transpose();
    Ok(Checked {
        figure: figure.map_err(CompareError::Unfit)?,
        groups: groups.map_err(|why| CompareError::Failed(no_groups(&why)))?,
    })
}

fn unfit(wish: &str) -> CompareError {
    CompareError::Unfit(wish.to_owned())
}

fn no_groups(why: &NoPeakGroups) -> String {
    let instead = match why {
        NoPeakGroups::NotEnabled(_) | NoPeakGroups::NotDelegated(_) => {
            "start it in a group of its own with systemd-run --user --scope -p Delegate=yes \
             firsttouch compare ..., or use --metric rss, the peak of the largest process"
        }
        NoPeakGroups::NoController | NoPeakGroups::OldKernel => {
            "--metric rss has the peak of the largest process"
        }
    };
    format!("--metric tree-peak cannot be measured: {why}; {instead}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_help_depends_on_the_reason() {
        let delegated = no_groups(&NoPeakGroups::NotDelegated("/g".into()));
        assert!(delegated.contains("/g is not delegated") && delegated.contains("Delegate=yes"));
        let missing = no_groups(&NoPeakGroups::NoController);
        assert!(missing.contains("memory controller") && !missing.contains("systemd-run"));
    }
}
