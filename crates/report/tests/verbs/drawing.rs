//! The drawing of an address space (`--svg`), from injected ones.

use results::layout::{LayoutRun, RegionKind};

use crate::layout::{MIB, both, layout, one, region};

#[test]
fn the_drawing_is_whole_and_inert() {
    let mut hostile = both();
    hostile.program.path = "/a/<script>alert(1)<&\"\u{1b}\u{ffff}".to_owned();
    let svg = report::layout_svg(&hostile);
    for expect in [
        "role=\"img\"",
        "<title id=\"title-4121\">",
        "<desc id=\"desc-4121\">",
        "prefers-color-scheme:dark",
    ] {
        assert!(svg.contains(expect), "{expect}");
    }
    assert!(
        !svg.contains("<script")
            && !svg.contains("http://a")
            && !svg.contains(['\u{1b}', '\u{ffff}'])
    );
    assert!(svg.contains("&lt;script&gt;alert(1)&lt;&amp;&quot;\\u{1b}\u{fffd}</title>"));
    assert!(
        svg.contains("no gap between bss and heap")
            && svg
                .contains("412 MiB gap between bss and heap (varies in 17 bits or more, 64 runs)")
    );
    assert_eq!(svg, report::layout_svg(&hostile), "the same input, the same bytes");
    // Every tag that is opened is closed.
    for tag in ["svg", "title", "desc", "style", "text"] {
        let (open, closed) =
            (svg.matches(&format!("<{tag}")).count(), svg.matches(&format!("</{tag}>")).count());
        assert_eq!(open, closed, "{tag}");
    }
}

/// A text of the drawing: its ends and its base, in pixels, by the widths of letters of common
/// fonts.
struct Words {
    start: f64,
    end: f64,
    base: f64,
    text: String,
}

fn words_of(svg: &str) -> Vec<Words> {
    let number = |tag: &str, name: &str| -> f64 {
        let value = tag.split(&format!(" {name}=\"")).nth(1).unwrap().split('"').next().unwrap();
        value.parse().unwrap()
    };
    let each = svg.split("<text ").skip(1).map(|rest| {
        let (tag, rest) = rest.split_once('>').unwrap();
        let text = rest
            .split("</text>")
            .next()
            .unwrap()
            .replace("&lt;", "<")
            .replace("&amp;", "&")
            .replace("&quot;", "\"");
        let letter = match tag {
            _ if tag.contains("title") => 11.5,
            _ if tag.contains("mono") => 6.7,
            _ if tag.contains("quiet") => 6.2,
            _ => 6.8,
        };
        let tag = format!(" {tag}");
        let (x, length) = (number(&tag, "x"), letter * text.chars().count() as f64);
        let start = if tag.contains("text-anchor") { x - length } else { x };
        Words { start, end: start + length, base: number(&tag, "y"), text }
    });
    each.collect()
}

#[test]
fn words_of_the_drawing_fit_and_do_not_overlap() {
    let mut long = both();
    for region in long.runs.iter_mut().flat_map(|run| &mut run.regions) {
        region.path = region.path.as_ref().map(|path| format!("{path}{}", "W".repeat(60)));
    }
    long.program.path = format!("/a/{}", "W".repeat(200));
    long.program.position_independent = Some(false);
    long.version = "10.20.30".to_owned();
    for drawn in [one(), both(), long] {
        let svg = report::layout_svg(&drawn);
        let width: f64 =
            svg.split(" width=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
        let words = words_of(&svg);
        assert!(words.len() > 60, "{}", words.len());
        for one in &words {
            assert!(one.start >= 0.0 && one.end <= width, "{} of {width}: {}", one.end, one.text);
            let beside =
                |other: &&Words| (other.base - one.base).abs() < 8.0 && !std::ptr::eq(*other, one);
            for other in words.iter().filter(beside) {
                assert!(
                    one.end <= other.start || other.end <= one.start,
                    "{:?} over {:?}",
                    one.text,
                    other.text
                );
            }
        }
    }
}

#[test]
fn the_drawing_is_to_scale() {
    let svg = report::layout_svg(&one());
    // The upright frames of heap and bss, which are the largest of their areas: the others have two
    // pixels.
    let heights = svg
        .lines()
        .filter(|line| line.contains("class=\"frame\"") && line.contains("width=\"72.00\""));
    let height = |line: &str| -> f64 {
        line.split("height=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
    };
    let heights: Vec<f64> = heights.map(height).collect();
    let [.., heap, bss] = heights[..] else { panic!("{heights:?}") };
    assert!((heap - 44.0).abs() < 0.1, "{heights:?}");
    assert!((bss - (100.0 - 4.0 * 2.0)).abs() < 0.1, "{heights:?}");
    // Of the mmap area: 100 MiB, a thread's stack of 8 MiB, and an arena of 64 MiB.
    let per_mib: Vec<f64> =
        heights[1..4].iter().zip([100.0, 8.0, 64.0]).map(|(height, mib)| height / mib).collect();
    assert!(per_mib.iter().all(|one| (one / per_mib[0] - 1.0).abs() < 0.01), "{heights:?}");
}

#[test]
fn the_legend_tells_what_is_drawn_and_no_more() {
    let svg = report::layout_svg(&one());
    for words in [
        "the program",
        "heap",
        "libraries and files",
        "anonymous, arenas",
        "resident",
        "not resident",
        "no access",
    ] {
        assert!(svg.contains(&format!(">{words}</text>")), "{words}");
    }
    let few = layout(vec![LayoutRun {
        regions: vec![region(0x7000_0000_0000, MIB, "rw-p", RegionKind::Heap, None, 0)],
        ..LayoutRun::default()
    }]);
    let svg = report::layout_svg(&few);
    assert!(
        svg.contains(">heap</text>")
            && !svg.contains(">no access</text>")
            && !svg.contains(">the program</text>")
    );
}
