//! The order in which pages are touched.

use crate::access_pattern::PageOrder;

/// The strided order visits every n-th page with this n, then the pages after those, and so on.
pub(crate) const STRIDE_PAGES: usize = 16;

/// The indices of `pages` pages in the order in which they are touched; `None`: by address.
/// `draw(n)` returns a number below n.
#[must_use]
pub(crate) fn page_order(
    order: PageOrder,
    pages: usize,
    mut draw: impl FnMut(u64) -> u64,
) -> Option<Vec<u32>> {
    let all = 0..u32::try_from(pages).unwrap_or(u32::MAX);
    match order {
        PageOrder::Sequential => None,
        PageOrder::Strided => Some(
            (0..STRIDE_PAGES)
                .flat_map(|first| all.clone().skip(first).step_by(STRIDE_PAGES))
                .collect::<Vec<u32>>(),
        ),
        PageOrder::Random => {
            let mut order: Vec<u32> = all.collect();
            // Fisher-Yates shuffle, from the back.
            for last in (1..order.len()).rev() {
                let other = usize::try_from(draw(last as u64 + 1)).unwrap_or(last);
                order.swap(last, other);
            }
            Some(order)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_visits_every_page_once() {
        for pages in [0, 1, 15, 16, 17, 1000] {
            for order in [PageOrder::Random, PageOrder::Strided] {
                let mut visited = page_order(order, pages, |n| n * 7 / 10).unwrap();
                visited.sort_unstable();
                let expected: Vec<u32> = (0..u32::try_from(pages).unwrap()).collect();
                assert_eq!(visited, expected, "{order:?}, {pages} pages");
            }
        }
        assert_eq!(page_order(PageOrder::Strided, 40, |_| 0).unwrap()[..4], [0, 16, 32, 1]);
        assert_eq!(page_order(PageOrder::Sequential, 40, |_| 0), None);
    }
}
