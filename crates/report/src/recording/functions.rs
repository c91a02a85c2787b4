//! Names of functions as they fit into a row.

use textwrap::core::display_width;

/// What C++ calls a string, without spaces.
const LONG_STRINGS: [&str; 2] = [
    "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >",
    "std::basic_string<char, std::char_traits<char>, std::allocator<char> >",
];
/// In names of C++, what stands in brackets and is no list of arguments.
const ANONYMOUS: &str = "(anonymous namespace)";

/// What the variants of a function of the C library are called that it has for kinds of processors.
const VARIANTS: [&str; 9] =
    ["_sse", "_ssse", "_avx", "_evex", "_erms", "_unaligned", "_asimd", "_sve", "_mops"];

/// `function`, without the kind of processor that this variant of it is for
/// (`__memset_avx2_unaligned` is memset).
pub(super) fn of_every_processor(function: &str) -> &str {
    let of_memory = |name: &&str| {
        ["mem", "str", "stp", "wcs", "wmem"].iter().any(|begin| name.starts_with(begin))
    };
    let Some(name) = function.strip_prefix("__").filter(of_memory) else { return function };
    let ends = VARIANTS.iter().filter_map(|variant| name.find(variant));
    ends.min().map_or(function, |end| &name[..end])
}

/// `function` with strings of C++ by their usual name.
pub(super) fn with_short_strings(function: &str) -> String {
    LONG_STRINGS.iter().fold(function.to_owned(), |name, long| name.replace(long, "std::string"))
}

/// `function` in at most `columns`: whole, or with its arguments and those of its templates as
/// `...`, or without the type that it returns, or without these lists, or the end of that.
pub(super) fn fitted(function: &str, columns: usize) -> String {
    if display_width(function) <= columns {
        return function.to_owned();
    }
    let bare = without_arguments(function);
    if display_width(&bare) <= columns {
        return bare;
    }
    let bare = without_type(&bare);
    if display_width(bare) <= columns {
        return bare.to_owned();
    }
    shortened(&bare.replace("<...>", "").replace("(...)", ""), columns)
}

/// What begins or ends an argument or a part of a name.
const BORDERS: [char; 8] = ['<', '>', '(', ')', ',', ':', ' ', '&'];
/// A part of a name with fewer characters tells little.
const PART_CHARACTERS: usize = 6;

/// Of each of `functions` the part in which it differs from the others, in at most `columns`;
/// nothing if they do not differ, or not in so few.
pub(super) fn differences(functions: &[String], columns: usize) -> Vec<String> {
    let all: Vec<Vec<char>> = functions.iter().map(|function| function.chars().collect()).collect();
    let shortest = all.iter().map(Vec::len).min().unwrap_or(0);
    let common = |first: &dyn Fn(&[char], usize) -> Option<char>| {
        let at = |index| all.iter().map(move |one| first(one, index));
        let is_same = |&index: &usize| {
            let mut here = at(index);
            let one = here.next().flatten();
            one.is_some() && here.all(|other| other == one)
        };
        (0..shortest).take_while(is_same).count()
    };
    let begin = common(&|one, index| one.get(index).copied());
    let end = common(&|one, index| one.len().checked_sub(index + 1).map(|at| one[at]));
    let part = |one: &Vec<char>| {
        let start = one[..begin].iter().rposition(|c| BORDERS.contains(c)).map_or(0, |at| at + 1);
        let rest = (one.len() - end).max(begin);
        let more = one[rest..].iter().position(|c| BORDERS.contains(c));
        one[start..more.map_or(one.len(), |more| rest + more)].iter().collect::<String>()
    };
    let parts: Vec<String> = all.iter().map(part).collect();
    for room in PART_CHARACTERS..=columns {
        let cut: Vec<String> = parts.iter().map(|part| beginning(part, room)).collect();
        if (1..cut.len()).all(|index| !cut[..index].contains(&cut[index])) {
            return cut;
        }
    }
    vec![String::new(); functions.len()]
}

/// `text` without so much of its end that it has at most `columns`.
fn beginning(text: &str, columns: usize) -> String {
    if display_width(text) <= columns {
        return text.to_owned();
    }
    let mut left = columns.saturating_sub(3);
    let fits = |c: &char| {
        let width = display_width(c.encode_utf8(&mut [0; 4]));
        let fits = width <= left;
        left = left.saturating_sub(width);
        fits
    };
    text.chars().take_while(fits).collect::<String>() + "..."
}

/// `function` with `<...>` and `(...)` in place of the lists of its arguments.
fn without_arguments(function: &str) -> String {
    let (mut bare, mut depth, mut rest) = (String::new(), 0_usize, function);
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        if depth == 0 && rest.starts_with(ANONYMOUS) {
            bare.push_str(ANONYMOUS);
            rest = &rest[ANONYMOUS.len()..];
            continue;
        }
        // `operator<<`, `operator->` and `operator()` end no list.
        if depth == 0 && bare.ends_with("operator") && !c.is_alphanumeric() {
            let is_symbol = |c: char| "<>=-+*/%^&|~!,[]".contains(c);
            let symbol = if after.starts_with(')') {
                2
            } else {
                rest.find(|c| !is_symbol(c)).unwrap_or(rest.len())
            };
            let (symbol, others) = rest.split_at(symbol.max(c.len_utf8()));
            bare.push_str(symbol);
            rest = others;
            continue;
        }
        match c {
            '<' | '(' => {
                let is_empty = after.starts_with(['>', ')']);
                if depth == 0 {
                    bare.push(c);
                    bare.push_str(if is_empty { "" } else { "..." });
                }
                depth += 1;
            }
            // Of `->`, as Rust writes it.
            '>' if bare.ends_with('-') && depth == 0 => bare.push(c),
            '>' | ')' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    bare.push(c);
                }
            }
            _ if depth == 0 => bare.push(c),
            _ => {}
        }
        rest = after;
    }
    bare
}

/// A function of C++ without the type that it returns.
fn without_type(bare: &str) -> &str {
    let arguments = bare.find("(...)").or_else(|| bare.find("()")).unwrap_or(bare.len());
    let spaces = bare[..arguments].match_indices(' ');
    let is_inside =
        |at: usize| bare[..at].ends_with("operator") || bare[..at].ends_with("(anonymous");
    let start = spaces.map(|(at, _)| at).rfind(|&at| !is_inside(at));
    // `<T as Trait>::f` of Rust has no type.
    start.filter(|_| !bare.starts_with('<')).map_or(bare, |at| &bare[at + 1..])
}

/// `text` without so much of its beginning that it has at most `columns`.
pub(super) fn shortened(text: &str, columns: usize) -> String {
    if display_width(text) <= columns {
        return text.to_owned();
    }
    let mut end = Vec::new();
    let mut left = columns.saturating_sub(3);
    for c in text.chars().rev() {
        let width = display_width(c.encode_utf8(&mut [0; 4]));
        if width > left {
            break;
        }
        left -= width;
        end.push(c);
    }
    "...".to_owned() + &end.into_iter().rev().collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILLER: &str = "void filler<std::string>(std::map<int, std::string, std::less<int> >&)";

    #[test]
    fn variants_for_processors_have_the_name_that_programs_call() {
        for (function, expected) in [
            ("__memset_avx512_unaligned_erms", "memset"),
            ("__memmove_evex_unaligned_erms", "memmove"),
            ("__strlen_sse2", "strlen"),
            ("__memcpy_sse2_unaligned", "memcpy"),
            ("__memset_chk", "__memset_chk"),
            ("__my_avx", "__my_avx"),
            ("memory_avx", "memory_avx"),
        ] {
            assert_eq!(of_every_processor(function), expected);
        }
    }

    #[test]
    fn arguments_go_before_the_name_of_a_function() {
        for (function, columns, expected) in [
            (FILLER, 80, FILLER),
            (FILLER, 30, "void filler<...>(...)"),
            (FILLER, 18, "filler<...>(...)"),
            (FILLER, 10, "filler"),
            (FILLER, 5, "...er"),
            ("operator new(unsigned long)", 20, "operator new(...)"),
            ("int& operator new(unsigned long)", 17, "operator new(...)"),
            ("a::operator<<(b::c, int)", 20, "a::operator<<(...)"),
            ("a::operator()(b, int) const", 26, "a::operator()(...) const"),
            ("a::operator->(bc)", 16, "a::operator->"),
            ("(anonymous namespace)::f(int, int)", 33, "(anonymous namespace)::f(...)"),
            ("int (anonymous namespace)::f(int)", 29, "(anonymous namespace)::f(...)"),
            ("<a::B<C> as d::E>::f::<G>", 20, "<...>::f::<...>"),
            ("a::B<c::D<e>>::f", 10, "a::B::f"),
            ("f()", 2, "..."),
            ("grow_one_more_time", 12, "...more_time"),
        ] {
            assert_eq!(fitted(function, columns), expected, "{function} in {columns}");
        }
    }

    #[test]
    fn what_differs_is_kept() {
        let parts = |functions: &[&str], columns| {
            let functions: Vec<String> = functions.iter().map(|&name| name.to_owned()).collect();
            differences(&functions, columns)
        };
        for (functions, expected) in [
            (["f<int>(char)", "f<long>(char)"], ["int", "long"]),
            (["f<int, a::B>()", "f<int, a::C>()"], ["B", "C"]),
            (["f<std::vector<int> >", "f<std::vector<a> >"], ["int", "a"]),
            (["f<abcdefgh>", "f<abcdxyz>"], ["abcd...", "abcdxyz"]),
            (["f(int)", "f(int, int)"], ["int", "int..."]),
            (["same", "same"], ["", ""]),
            (["f<a_rather_long_name_1>", "f<a_rather_long_name_2>"], ["", ""]),
        ] {
            assert_eq!(parts(&functions, 12), expected, "{functions:?}");
        }
        assert_eq!(parts(&["f<a>", "f<b>", "g"], 12), ["f<a>", "f<b>", "g"]);
        assert_eq!(parts(&["f<\u{e9}>", "f<\u{5927}>"], 12), ["\u{e9}", "\u{5927}"]);
    }

    #[test]
    fn unbalanced_names_are_no_trouble() {
        for function in
            [">>>)", "f<<<", "operator", "operator<", "()", "(", "operator\u{e9}<", "f(é"]
        {
            for columns in 0..8 {
                let shown = fitted(function, columns);
                assert!(display_width(&shown) <= columns.max(3), "{function}: {shown}");
            }
        }
    }

    #[test]
    fn strings_have_their_usual_name() {
        let long = format!("f({} const&)", LONG_STRINGS[0]);
        assert_eq!(with_short_strings(&long), "f(std::string const&)");
    }
}
