//! Random blocks against a model that searches a vector.

use proptest::prelude::*;

use super::*;

fn block(size_bytes: u64) -> LiveBlock {
    LiveBlock { size_bytes, born_ns: 0, site: SiteId::UNCHOSEN, owner: 1, tid: 1 }
}

fn ends(&(at, block): &(u64, LiveBlock)) -> u64 {
    end_of(at, block.size_bytes)
}

/// Where blocks lie and how large they are: small and large ones, on and across pages, also at odd
/// addresses.
fn place() -> impl Strategy<Value = (u64, u64)> {
    let address = prop_oneof![8 => (0_u64..1500).prop_map(|at| at * 16), 1 => 0_u64..24_000];
    let size = prop_oneof![8 => 0_u64..200, 1 => 3900_u64..4200, 1 => 4000_u64..16_000];
    (address.prop_map(|at| 0x10_0000 + at), size)
}

proptest! {
    #[test]
    fn it_finds_what_a_search_finds(steps in prop::collection::vec((place(), 0_u8..4), 1..300)) {
        let (mut map, mut all) = (BlockMap::default(), Vec::<(u64, LiveBlock)>::new());
        for ((address, size), act) in steps {
            let end = end_of(address, size);
            let overlaps = |own: &(u64, LiveBlock)| own.0 < end && ends(own) > address;
            match act {
                0 if map.insert_alone(address, block(size)) => {
                    prop_assert!(!all.iter().any(overlaps));
                    all.push((address, block(size)));
                }
                0 | 1 => {
                    while let Some(old) = map.overlapping(address, size) {
                        let index = all.iter().position(|own| own.0 == old).expect("it is there");
                        prop_assert!(overlaps(&all[index]));
                        prop_assert_eq!(map.remove(old), Some(all.swap_remove(index).1));
                    }
                    prop_assert!(!all.iter().any(overlaps));
                    map.insert(address, block(size));
                    all.push((address, block(size)));
                }
                2 => {
                    let index = address % all.len().max(1) as u64;
                    let index = usize::try_from(index).expect("below a length");
                    let at = all.get(index).map_or(address, |own| own.0);
                    let index = all.iter().position(|own| own.0 == at);
                    prop_assert_eq!(map.has(at), index.is_some());
                    let expected = index.map(|index| all.swap_remove(index).1);
                    prop_assert_eq!(map.remove(at), expected);
                }
                _ => {
                    let page_end = address - address % 4096 + 4096;
                    let contains =
                        |own: &&(u64, LiveBlock)| own.0 <= address && ends(own) > address;
                    let above = |own: &&(u64, LiveBlock)| own.0 > address && own.0 < page_end;
                    let nearest = all.iter().filter(above).min_by_key(|own| own.0);
                    let expected = all.iter().find(contains).or(nearest).copied();
                    prop_assert_eq!(map.paying(address, page_end), expected);
                    let mut parts: Vec<_> = all.iter().filter(|own| overlaps(own))
                        .map(|own| (own.0, own.1, ends(own).min(end) - own.0.max(address)))
                        .collect();
                    parts.sort_by_key(|part| part.0);
                    prop_assert_eq!(map.between(address, end), parts);
                }
            }
        }
        let mut found: Vec<_> = map.iter().collect();
        found.sort_by_key(|own| own.0);
        all.sort_by_key(|own| own.0);
        prop_assert_eq!(found, all);
    }
}

#[test]
fn pages_without_blocks_do_not_pile_up() {
    let mut map = BlockMap::default();
    for page in 1..100_000_u64 {
        map.insert(page * PAGE_BYTES, block(64));
        if page > 10 {
            map.remove((page - 10) * PAGE_BYTES);
        }
    }
    assert!(map.pages.len() <= EMPTY_PAGES_MIN + 1, "{}", map.pages.len());
    assert_eq!((map.iter().count(), map.order.len()), (10, map.pages.len()));
}
