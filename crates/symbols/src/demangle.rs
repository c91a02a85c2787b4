//! Names as their language writes them.
//!
//! Only names that a compiler has mangled are read as such. A parser that takes any name finds
//! types of C++ in functions of C: `a` is `signed char` there, and `f` is `float`.

/// What empty lists of template arguments leave behind, and what it should be.
const EMPTY_PACKS: [(&str, &str); 3] = [(", , ", ", "), (", >", ">"), (", )", ")")];

/// `symbol` as Rust or C++ write it; itself if it is a name of C, or none that can be read.
pub(crate) fn demangled(symbol: &str) -> String {
    let is_mangled = symbol.starts_with("_Z") || symbol.starts_with("_R");
    let of_rust = is_mangled.then(|| rustc_demangle::try_demangle(symbol).ok()).flatten();
    if let Some(name) = of_rust {
        // Without the hash of its crate.
        return format!("{name:#}");
    }
    let of_cpp = symbol.starts_with("_Z").then(|| cpp_demangle::Symbol::new(symbol).ok());
    let name = of_cpp.flatten().and_then(|name| name.demangle().ok());
    name.map_or_else(|| symbol.to_owned(), without_empty_packs)
}

fn without_empty_packs(mut name: String) -> String {
    for (left, whole) in EMPTY_PACKS {
        while name.contains(left) {
            name = name.replace(left, whole);
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_c_keep_their_names() {
        // Each of them is a type of C++, mangled.
        for name in ["a", "b", "f", "z", "St", "Sa", "Pc", "i", "main", "Rc", "_init", "_start", ""]
        {
            assert_eq!(demangled(name), name);
        }
    }

    #[test]
    fn mangled_names_are_read() {
        for (symbol, name) in [
            ("_Z4makei", "make(int)"),
            ("_ZN4core3fmt9Formatter3pad17h0123456789abcdefE", "core::fmt::Formatter::pad"),
            ("_RNvC7mycrate3foo", "mycrate::foo"),
            ("_Znwm", "operator new(unsigned long)"),
            // g++ 12: f<int, Ts...>(int, Ts...), and P<Ts...>::g<int>(int, Ts...).
            ("_Z1fIiJEEvT_DpT0_", "void f<int>(int)"),
            ("_Z1fIiJiEEvT_DpT0_", "void f<int, int>(int, int)"),
            ("_ZN1PIJEE1gIiEEvT_", "void P<>::g<int>(int)"),
            ("_Znonsense", "_Znonsense"),
            ("_Read", "_Read"),
        ] {
            assert_eq!(demangled(symbol), name);
        }
    }
}
