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
