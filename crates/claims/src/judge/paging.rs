//! Demand paging of mappings and of malloc blocks, and zero-filled pages.

use results::claims::{Claim, ClaimVerdict};

use super::holds;
use crate::catalogue::claim;
use crate::facts::{Identity, Lazy, Paging, Zeroes};
use crate::wording::{about, bytes, count, list};

/// Pages of a block that the allocator itself may have written: its header, a link of a free list.
const OWN_PAGES: u64 = 1;

/// A mapping, and a malloc block of the same size.
#[must_use]
pub fn demand_paging(mapping: &Paging, block: &Paging, who: &Identity) -> Claim {
    let nothing_before = mapping.before.in_core == 0 && block.before.in_core <= OWN_PAGES;
    let all_after =
        mapping.after_all.in_core >= mapping.pages && block.after_all.in_core >= block.pages;
    let verdict = match (nothing_before, all_after) {
        (true, true) => ClaimVerdict::Holds,
        // Pages swapped out meanwhile show nothing about demand paging.
        (true, false) => ClaimVerdict::Inconclusive,
        (false, _) => ClaimVerdict::DoesNotHold,
    };
    let evidence = format!(
        "{} of {} pages resident before touch, {} after",
        count(mapping.before.in_core),
        count(mapping.pages),
        count(mapping.after_all.in_core)
    );
    let explanation = format!(
        "The same with malloc ({}): {} of {} before, {} after. {}",
        who.allocator(),
        count(block.before.in_core),
        count(block.pages),
        count(block.after_all.in_core),
        first_touches(mapping)
    );
    claim("demand-paging", verdict, evidence, explanation)
        .figure("pages", mapping.pages)
        .figure("resident_before", mapping.before.in_core)
        .figure("mapped_before", mapping.before.mapped)
        .figure("touched_first", mapping.some)
        .figure("resident_after_first", mapping.after_some.in_core)
        .figure("resident_after", mapping.after_all.in_core)
        .figure("rss_growth_bytes", mapping.rss_growth_bytes)
        .figure("huge_bytes", mapping.huge_bytes)
        .figure("malloc_pages", block.pages)
        .figure("malloc_resident_before", block.before.in_core)
        .figure("malloc_resident_after", block.after_all.in_core)
}

fn first_touches(mapping: &Paging) -> String {
    let (some, came) = (count(mapping.some), count(mapping.after_some.in_core));
    match mapping.huge_bytes {
        Some(huge) if huge > 0 && mapping.after_some.in_core > mapping.some => {
            format!(
                "Touching {some} pages brought in {came}: {} of it came in huge pages.",
                about(huge)
            )
        }
        _ if mapping.after_some.in_core > mapping.some => {
            format!("Touching {some} pages brought in {came}: this kernel brings them in groups.")
        }
        _ => format!("Touching {some} pages brought in {came}."),
    }
}

/// Fresh memory, after another process wrote `dirtied_bytes` and ended.
#[must_use]
pub fn zero_fill(zeroes: &Zeroes, dirtied_bytes: u64) -> Claim {
    let nonzero = zeroes.read_nonzero + zeroes.beside_nonzero;
    let evidence = format!(
        "{} of {} bytes read are not zero",
        count(nonzero),
        count(zeroes.read_bytes + zeroes.beside_bytes)
    );
    let explanation = format!(
        "Another process wrote {} just before and ended. Half of the bytes were read before any \
        write, from the kernel's zero page; the other {} were read after one byte of each page was \
        written.",
        bytes(dirtied_bytes),
        count(zeroes.beside_bytes)
    );
    claim("zero-fill", holds(nonzero == 0), evidence, explanation)
        .figure("read_bytes", zeroes.read_bytes)
        .figure("read_nonzero_bytes", zeroes.read_nonzero)
        .figure("beside_bytes", zeroes.beside_bytes)
        .figure("beside_nonzero_bytes", zeroes.beside_nonzero)
        .figure("dirtied_bytes", dirtied_bytes)
}

/// Blocks of several sizes.
#[must_use]
pub fn malloc_is_lazy(blocks: &[Lazy], who: &Identity) -> Claim {
    let eager: Vec<&Lazy> =
        blocks.iter().filter(|block| block.paging.before.in_core > OWN_PAGES).collect();
    let verdict =
        match blocks.iter().all(|block| block.paging.after_all.in_core >= block.paging.pages) {
            _ if !eager.is_empty() => ClaimVerdict::DoesNotHold,
            true => ClaimVerdict::Holds,
            false => ClaimVerdict::Inconclusive,
        };
    let sizes: Vec<String> = blocks.iter().map(|block| bytes(block.bytes as u64)).collect();
    let part = |block: &&Lazy| {
        let (there, all) = (block.paging.before.in_core, block.paging.pages);
        format!("{} of {} pages at {}", count(there), count(all), bytes(block.bytes as u64))
    };
    let evidence = if eager.is_empty() {
        let most = blocks.iter().map(|block| block.paging.before.in_core).max().unwrap_or(0);
        let pages: u64 = blocks.iter().map(|block| block.paging.pages).sum();
        let after: u64 = blocks.iter().map(|block| block.paging.after_all.in_core).sum();
        if most == 0 {
            format!("0 of {} pages resident before writing, {} after", count(pages), count(after))
        } else {
            format!(
                "at most {most} page per block before writing, {} of {} after",
                count(after),
                count(pages)
            )
        }
    } else {
        format!("resident before writing: {}", list(&eager.iter().map(part).collect::<Vec<_>>()))
    };
    blocks.iter().fold(
        claim(
            "malloc-is-lazy",
            verdict,
            evidence,
            format!("Blocks of {}: {}", list(&sizes), lazy_explanation(blocks, &eager, who)),
        ),
        |claim, block| {
            let key = |what: &str| format!("{what}_at_{}", block.bytes);
            claim
                .figure(&key("pages"), block.paging.pages)
                .figure(&key("resident_before"), block.paging.before.in_core)
                .figure(&key("resident_after"), block.paging.after_all.in_core)
                .figure(&key("resident_when_reused"), block.again)
                .figure(&key("in_break"), block.in_break)
        },
    )
}

fn lazy_explanation(blocks: &[Lazy], eager: &[&Lazy], who: &Identity) -> String {
    let name = who.allocator();
    let huge =
        eager.iter().any(|block| block.paging.huge_before_bytes.is_some_and(|bytes| bytes > 0));
    let first = match eager.is_empty() {
        true => format!("{name} returns memory that has no pages yet"),
        false if huge => format!("{name} had already touched the huge pages of these blocks"),
        false => {
            format!("{name} had written to these pages itself, for its lists or in an earlier use")
        }
    };
    let reused: Vec<String> = blocks
        .iter()
        .filter(|block| block.again > OWN_PAGES)
        .map(|block| bytes(block.bytes as u64))
        .collect();
    if reused.is_empty() {
        return format!("{first}; a block freed and allocated again had no pages either.");
    }
    format!(
        "{first}; freed and allocated again, blocks of {} still had their pages.",
        list(&reused)
    )
}
