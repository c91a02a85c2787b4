//! The forest plot of a result as SVG, to be put into a page: each ratio with its interval on a
//! logarithmic axis. No scripts, nothing loaded, light and dark as the reader prefers.

mod axis;
mod forest;

use std::fmt::Write;

use results::LabResult;
use results::compare::ProgramResult;

use self::axis::Axis;
use self::forest::{Panel, Row, of_metrics, panels};
use crate::bench::verdict::ratio;
use crate::number::percent;
use crate::text::{clean, escaped};

const WIDTH: f64 = 680.0;
const MARGIN: f64 = 20.0;
const RATIO_END: f64 = 598.0;
const VERDICT: f64 = 610.0;
const ROW: f64 = 22.0;
/// Letters on a line of the title, and on one of the small lines below it.
const TITLE_COLUMNS: usize = 60;
const SMALL_COLUMNS: usize = 104;

/// The document; `None` where the result compares nothing: a survey of floors, or a run that ended
/// before its first complete block.
pub(super) fn of_lab(result: &LabResult) -> Option<String> {
    svg(&Plot {
        question: &result.experiment.question,
        margin: result.experiment.margin,
        id: result.seed,
        provenance: super::provenance(result),
        panels: panels(result),
        legend: ["ratio of times", "smaller is faster"],
    })
}

/// As [`of_lab`], with a panel for each deciding metric.
pub(super) fn of_program(result: &ProgramResult) -> Option<String> {
    svg(&Plot {
        question: &result.experiment.question,
        margin: result.experiment.margin,
        id: result.seed,
        provenance: super::program::provenance(result),
        panels: of_metrics(result),
        legend: ["ratio to the baseline", "smaller is less"],
    })
}

/// What is drawn.
struct Plot<'a> {
    question: &'a str,
    margin: f64,
    /// Several pictures may be in one page.
    id: u64,
    provenance: Vec<String>,
    panels: Vec<Panel>,
    /// What a dot is, and what its side says.
    legend: [&'static str; 2],
}

fn svg(plot: &Plot) -> Option<String> {
    let panels = &plot.panels;
    let rows: Vec<&Row> = panels.iter().flat_map(|panel| &panel.rows).collect();
    let axis = Axis::over(&rows, plot.margin)?;
    let mut page = Page { text: String::new(), y: 34.0 };
    for line in wrapped(plot.question, TITLE_COLUMNS) {
        page.words("title", MARGIN, "", &line);
        page.y += 21.0;
    }
    page.y -= 3.0;
    for line in plot.provenance.iter().flat_map(|line| wrapped(line, SMALL_COLUMNS)) {
        page.words("quiet", MARGIN, "", &line);
        page.y += 15.0;
    }
    page.y += 12.0;
    page.heads(panels);
    let top = page.y;
    let mut body = Page { text: String::new(), y: top };
    for panel in panels {
        body.panel(panel, &axis);
    }
    let bottom = body.y;
    page.text += &axis.background(top, bottom, plot.margin);
    page.text += &body.text;
    page.y = bottom + 34.0;
    let foot = format!(
        "Dot: {}. Bar: its interval. Shaded: within {} of 1, too little to matter. Logarithmic \
         axis; {}.",
        plot.legend[0],
        percent(plot.margin),
        plot.legend[1]
    );
    for line in wrapped(&foot, SMALL_COLUMNS) {
        page.words("quiet", MARGIN, "", &line);
        page.y += 15.0;
    }
    Some(document(plot, &page))
}

/// The drawing in its frame, with words for readers who do not see it.
fn document(plot: &Plot, page: &Page) -> String {
    let height = page.y + 4.0;
    let id = plot.id;
    let described: Vec<String> = plot.panels.iter().map(described).collect();
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"firsttouch-ratios\" \
         viewBox=\"0 0 {WIDTH:.0} {height:.0}\" width=\"{WIDTH:.0}\" height=\"{height:.0}\" \
         style=\"max-width:100%;height:auto\" role=\"img\" \
         aria-labelledby=\"ratios-title-{id} ratios-desc-{id}\">\n\
         <title id=\"ratios-title-{id}\">{}</title>\n<desc id=\"ratios-desc-{id}\">{} {}.</desc>\n\
         {STYLE}<rect class=\"page\" width=\"{WIDTH:.0}\" height=\"{height:.0}\"/>\n{}</svg>\n",
        escaped(plot.question),
        escaped(&described.join(" ")),
        escaped(&plot.provenance.join("; ")),
        page.text
    )
}

/// Every selector begins with the class of the root: styles of an SVG within a page are the page's.
/// The colours are Okabe and Ito's, lighter on dark.
const STYLE: &str = "<style>
.firsttouch-ratios text{font:12px system-ui,sans-serif;fill:#1f2328}
.firsttouch-ratios .title{font-weight:600;font-size:16px}
.firsttouch-ratios .quiet{fill:#59636e;font-size:11px}
.firsttouch-ratios .head{font-weight:600}
.firsttouch-ratios .page{fill:#fff}
.firsttouch-ratios .band{fill:#8c959f;fill-opacity:.22}
.firsttouch-ratios .grid{stroke:#d0d7de;stroke-width:1}
.firsttouch-ratios .one{stroke:#59636e;stroke-width:1}
.firsttouch-ratios .bar{stroke-width:2;fill:none}
.firsttouch-ratios .faster{stroke:#0072b2;fill:#0072b2}
.firsttouch-ratios .slower{stroke:#d55e00;fill:#d55e00}
.firsttouch-ratios .same{stroke:#007a5a;fill:#007a5a}
.firsttouch-ratios .unclear{stroke:#6e7781;fill:#6e7781}
.firsttouch-ratios .placebo{stroke:#6e7781;fill:#fff}
@media (prefers-color-scheme:dark){.firsttouch-ratios text{fill:#e6edf3}
.firsttouch-ratios .quiet{fill:#a9b4c0}.firsttouch-ratios .page{fill:#0d1117}
.firsttouch-ratios .grid{stroke:#30363d}.firsttouch-ratios .one{stroke:#a9b4c0}
.firsttouch-ratios .faster{stroke:#56b4e9;fill:#56b4e9}
.firsttouch-ratios .slower{stroke:#f0883e;fill:#f0883e}
.firsttouch-ratios .same{stroke:#2bb58c;fill:#2bb58c}
.firsttouch-ratios .unclear{stroke:#a9b4c0;fill:#a9b4c0}
.firsttouch-ratios .placebo{stroke:#a9b4c0;fill:#0d1117}}
</style>
";

/// What is drawn so far, and where the next line of it is.
struct Page {
    text: String,
    y: f64,
}

impl Page {
    fn words(&mut self, class: &str, x: f64, anchor: &str, words: &str) {
        let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
        let y = self.y;
        let _ = writeln!(
            self.text,
            "<text{class} x=\"{x:.1}\" y=\"{y:.1}\"{anchor}>{}</text>",
            escaped(words)
        );
    }

    fn words_before(&mut self, class: &str, end: f64, words: &str) {
        self.words(class, end, " text-anchor=\"end\"", words);
    }

    /// What the columns are.
    fn heads(&mut self, panels: &[Panel]) {
        let rows = || panels.iter().flat_map(|panel| &panel.rows);
        let confidence = rows().find_map(|row| row.low.and(row.confidence));
        let interval = confidence.map_or("ratio".to_owned(), |confidence| {
            format!("ratio [{} CI]", crate::bench::verdict::confidence(confidence))
        });
        self.words_before("quiet", RATIO_END, &interval);
        self.words("quiet", VERDICT, "", "verdict");
        self.y += 8.0;
    }

    fn panel(&mut self, panel: &Panel, axis: &Axis) {
        if !panel.head.is_empty() {
            self.y += 24.0;
            self.words("head", MARGIN, "", &shortened(&panel.head, 88));
            self.y += 6.0;
        }
        for row in &panel.rows {
            self.y += ROW;
            self.words("", MARGIN, "", &shortened(&row.name, 28));
            self.words_before("", RATIO_END, &ratio(row.ratio, row.low, row.high));
            self.words("", VERDICT, "", &row.word);
            let drawn = axis.interval(row, self.y - 4.0);
            self.text += &drawn;
        }
        self.y += 8.0;
    }
}

/// What a panel shows, in a sentence for each row.
fn described(panel: &Panel) -> String {
    let row =
        |row: &Row| format!("{}: {}, {}.", row.name, ratio(row.ratio, row.low, row.high), row.word);
    let rows: Vec<String> = panel.rows.iter().map(row).collect();
    let head = if panel.head.is_empty() { String::new() } else { format!("{}: ", panel.head) };
    format!("{head}{}", rows.join(" "))
}

/// The lines of `text`, each of `columns` letters at most where its words allow that.
fn wrapped(text: &str, columns: usize) -> Vec<String> {
    textwrap::wrap(&clean(text), columns).into_iter().map(std::borrow::Cow::into_owned).collect()
}

/// The first `letters` of a name that is longer.
fn shortened(name: &str, letters: usize) -> String {
    if name.chars().count() <= letters {
        return name.to_owned();
    }
    name.chars().take(letters - 2).collect::<String>() + ".."
}
