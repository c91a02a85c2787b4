//! The screens of claims, comparisons, diffs, doctor, layout, recordings and trace, from injected
//! results.

mod claims;
mod compare;
mod diff;
mod doctor;
mod drawing;
mod layout;
mod own_mappings;
mod prose;
mod recording;
mod recording_diff;
mod recording_over_time;
mod site;
mod slow_calls;
mod start;
mod trace;
mod tune;

use report::View;

/// Every way in which a screen is seen, with a name for its snapshot.
fn views() -> Vec<(&'static str, View)> {
    let widths = [("80", Some(80)), ("120", Some(120)), ("pipe", None)];
    let name = |verbose, width| match (verbose, width) {
        (false, "80") => "brief_80",
        (false, "120") => "brief_120",
        (false, _) => "brief_pipe",
        (true, "80") => "verbose_80",
        (true, "120") => "verbose_120",
        (true, _) => "verbose_pipe",
    };
    let both = [false, true];
    let views = both.iter().flat_map(|&verbose| {
        widths.map(|(word, width)| (name(verbose, word), View { width, verbose }))
    });
    views.collect()
}

/// A screen as it looks where styles are stripped; no line is wider than the terminal.
fn plain(screen: &str, view: View) -> String {
    let screen = anstream::adapter::strip_str(screen).to_string();
    let widest = screen.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    let fits = view.width.is_none_or(|width| width < 40 || widest <= width);
    assert!(fits, "{widest} columns on a terminal of {:?}:\n{screen}", view.width);
    screen
}

/// A snapshot of `screen` in every view.
fn snapshots(name: &str, screen: impl Fn(View) -> String) {
    for (word, view) in views() {
        let mut settings = insta::Settings::clone_current();
        settings.set_omit_expression(true);
        settings.bind(|| {
            insta::assert_snapshot!(format!("{name}_{word}"), plain(&screen(view), view));
        });
    }
}
