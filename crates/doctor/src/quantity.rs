//! Quantities as text.

/// Bytes with a binary unit: `2 MiB`, `21.5 GiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (bytes as f64, 0);
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let decimals = usize::from(value < 100.0 && value.fract() != 0.0);
    format!("{value:.decimals$} {}", UNITS[unit])
}

/// A share as a percentage. `0 %` means exactly zero: small shares become `<0.01 %`.
pub(crate) fn percent(share: f64) -> String {
    match 100.0 * share {
        p if p > 0.0 && p < 0.01 => "<0.01 %".to_owned(),
        p if p > 0.0 && p < 1.0 => format!("{p:.2} %"),
        p => format!("{p:.0} %"),
    }
}

/// `1 node`, `2 nodes`.
pub(crate) fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// A list of processors in the kernel's format: `0-2,5`.
pub(crate) fn cpu_list(cpus: &[u32]) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for &cpu in cpus {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == cpu => *last = cpu,
            _ => ranges.push((cpu, cpu)),
        }
    }
    let range = |(first, last): &(u32, u32)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    ranges.iter().map(range).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_as_text() {
        for (value, expect) in
            [(12, "12 B"), (2 << 20, "2 MiB"), (23_085_449_216, "21.5 GiB"), (1000, "1000 B")]
        {
            assert_eq!(bytes(value), expect);
        }
        for (share, expect) in
            [(0.0, "0 %"), (0.000_01, "<0.01 %"), (0.004, "0.40 %"), (0.25, "25 %")]
        {
            assert_eq!(percent(share), expect);
        }
        assert_eq!(cpu_list(&[0, 1, 2, 5]), "0-2,5");
        assert_eq!(
            (count(1, "node"), count(2, "node")),
            ("1 node".to_owned(), "2 nodes".to_owned())
        );
    }
}
