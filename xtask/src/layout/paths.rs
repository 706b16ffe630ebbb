//! The modules that a source file declares and the paths that it imports.
//!
//! Works on tokens, so that comments, strings and macros cannot be mistaken for imports. Paths
//! inside attribute strings (`#[serde(with = "crate::x")]`) count as imports. Items under
//! `#[cfg(test)]` are skipped.

use std::collections::BTreeSet;
use std::str::FromStr;

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};

/// A path from the root of the crate, without the leading `crate`.
pub(super) type ModulePath = Vec<String>;

/// What the checks need from one file.
#[derive(Debug, Default)]
pub(super) struct Source {
    /// Modules in other files.
    pub(super) children: Vec<Child>,
    /// Absolute paths of everything imported from the same crate.
    pub(super) imports: BTreeSet<ModulePath>,
}

/// A `mod name;` declaration.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Child {
    /// The inline modules around the declaration.
    pub(super) inline: Vec<String>,
    pub(super) name: String,
    /// The value of `#[path = "…"]`.
    pub(super) file: Option<String>,
}

/// Parse the text of the file whose module is `module`.
pub(super) fn parse(text: &str, module: &[String]) -> Result<Source, String> {
    let tokens = TokenStream::from_str(text).map_err(|error| error.to_string())?;
    let mut parser = Parser {
        file_depth: module.len(),
        module: module.to_vec(),
        source: Source::default(),
    };
    parser.items(tokens);
    Ok(parser.source)
}

struct Parser {
    /// The length of the path of the file's own module.
    file_depth: usize,
    /// The module around the current token; longer than the file's own inside `mod name { … }`.
    module: ModulePath,
    source: Source,
}

/// What the attributes in front of an item say about it.
#[derive(Default)]
struct Attributes {
    is_test_only: bool,
    file: Option<String>,
}

impl Parser {
    fn items(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut rest = &tokens[..];
        let mut attributes = Attributes::default();
        while let Some((first, after)) = rest.split_first() {
            if is_punct(first, '#') {
                // `#[…]` or `#![…]`.
                let inner = after.first().is_some_and(|token| is_punct(token, '!'));
                let after = &after[usize::from(inner)..];
                if let Some(TokenTree::Group(group)) = after.first() {
                    self.attribute(group, &mut attributes);
                    rest = &after[1..];
                } else {
                    rest = after;
                }
                continue;
            }
            let attributes = std::mem::take(&mut attributes);
            if attributes.is_test_only {
                rest = &rest[item_length(rest)..];
                continue;
            }
            rest = &rest[self.item(rest, attributes).max(1)..];
        }
    }

    /// Process what starts at `tokens` and return how many tokens that took.
    fn item(&mut self, tokens: &[TokenTree], attributes: Attributes) -> usize {
        match &tokens[0] {
            TokenTree::Group(group) => {
                self.items(group.stream());
                1
            }
            TokenTree::Ident(word) if word == "mod" => self.module(&tokens[1..], attributes),
            TokenTree::Ident(word) if word == "use" => {
                let end = tokens.iter().position(|token| is_punct(token, ';'));
                let end = end.unwrap_or(tokens.len());
                self.use_tree(&tokens[1..end], &[]);
                end
            }
            TokenTree::Ident(word) if is_anchor(word) => {
                let (path, length) = path(tokens);
                // A word alone is the receiver `self` or part of `pub(super)`.
                if path.len() > 1 {
                    self.import(&path);
                }
                length
            }
            // A path does not start after `::`: in `a::self::b`, `self` is no anchor.
            TokenTree::Punct(_) if is_separator(tokens) => {
                let follows = matches!(tokens.get(2), Some(TokenTree::Ident(_)));
                2 + usize::from(follows)
            }
            _ => 1,
        }
    }

    /// Process what follows `mod`; return the number of tokens including `mod`.
    fn module(&mut self, tokens: &[TokenTree], attributes: Attributes) -> usize {
        match tokens {
            [TokenTree::Ident(name), TokenTree::Group(body), ..]
                if body.delimiter() == Delimiter::Brace =>
            {
                self.module.push(name.to_string());
                self.items(body.stream());
                self.module.pop();
                3
            }
            [TokenTree::Ident(name), end, ..] if is_punct(end, ';') => {
                self.source.children.push(Child {
                    inline: self.module[self.file_depth..].to_vec(),
                    name: name.to_string(),
                    file: attributes.file,
                });
                3
            }
            _ => 1,
        }
    }

    /// Expand `a::{b, c::d}` behind `use` into its paths.
    fn use_tree(&mut self, tokens: &[TokenTree], prefix: &[String]) {
        let (mut found, length) = path(tokens);
        found.splice(0..0, prefix.iter().cloned());
        match tokens.get(length) {
            Some(TokenTree::Group(group)) => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                for tree in inner.split(|token| is_punct(token, ',')) {
                    if !tree.is_empty() {
                        self.use_tree(tree, &found);
                    }
                }
            }
            // The end, `as name` or `*`.
            _ => self.import(&found),
        }
    }

    /// Record a path if it starts with `crate`, `self` or `super`.
    fn import(&mut self, path: &[String]) {
        let mut base = match path.first().map(String::as_str) {
            Some("crate") => Vec::new(),
            Some("self" | "super") => self.module.clone(),
            _ => return,
        };
        for segment in path {
            match segment.as_str() {
                "crate" | "self" => {}
                "super" => {
                    base.pop();
                }
                name => base.push(name.to_owned()),
            }
        }
        self.source.imports.insert(base);
    }

    fn attribute(&mut self, group: &Group, attributes: &mut Attributes) {
        let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
        match &tokens[..] {
            [TokenTree::Ident(name), TokenTree::Group(condition)] if name == "cfg" => {
                attributes.is_test_only |= requires_test(condition);
            }
            [
                TokenTree::Ident(name),
                TokenTree::Punct(_),
                TokenTree::Literal(value),
            ] if name == "path" => {
                attributes.file = Some(value.to_string().trim_matches('"').to_owned());
            }
            // Documentation is text.
            [TokenTree::Ident(name), ..] if name == "doc" => {}
            _ => {
                self.items(group.stream());
                self.paths_in_strings(group);
            }
        }
    }

    fn paths_in_strings(&mut self, group: &Group) {
        for token in group.stream() {
            match token {
                TokenTree::Group(group) => self.paths_in_strings(&group),
                TokenTree::Literal(value) => {
                    let text = value.to_string();
                    let text = text.trim_matches('"');
                    if ["crate::", "self::", "super::"]
                        .iter()
                        .any(|anchor| text.starts_with(anchor))
                    {
                        let path: Vec<String> = text.split("::").map(str::to_owned).collect();
                        self.import(&path);
                    }
                }
                _ => {}
            }
        }
    }
}

/// Whether the condition of a `cfg` holds in tests only: `test` or `all(test, …)`.
fn requires_test(condition: &Group) -> bool {
    let tokens: Vec<TokenTree> = condition.stream().into_iter().collect();
    match &tokens[..] {
        [TokenTree::Ident(name)] => name == "test",
        [TokenTree::Ident(name), TokenTree::Group(all)] if name == "all" => all
            .stream()
            .into_iter()
            .any(|token| matches!(token, TokenTree::Ident(name) if name == "test")),
        _ => false,
    }
}

/// The tokens of an item: up to its `;` or its `{ … }`.
fn item_length(tokens: &[TokenTree]) -> usize {
    let is_end = |token: &TokenTree| {
        is_punct(token, ';')
            || matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
    };
    let end = tokens.iter().position(is_end);
    end.map_or(tokens.len(), |end| end + 1)
}

/// The segments of the path at the start of `tokens`, and how many tokens they take. A `::` in
/// front of a group or `*` belongs to the path.
fn path(tokens: &[TokenTree]) -> (Vec<String>, usize) {
    let mut segments = Vec::new();
    let mut length = 0;
    while let Some(TokenTree::Ident(segment)) = tokens.get(length) {
        segments.push(segment.to_string());
        length += 1;
        if !is_separator(&tokens[length..]) {
            break;
        }
        length += 2;
    }
    (segments, length)
}

fn is_separator(tokens: &[TokenTree]) -> bool {
    matches!(tokens, [first, second, ..] if is_punct(first, ':') && is_punct(second, ':'))
}

fn is_punct(token: &TokenTree, wanted: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == wanted)
}

/// Whether a path that starts with this word names an item of the same crate.
fn is_anchor(word: &Ident) -> bool {
    word == "crate" || word == "self" || word == "super"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imports(text: &str) -> Vec<String> {
        let module = ["a".to_owned(), "b".to_owned()];
        let source = parse(text, &module).unwrap();
        source.imports.iter().map(|path| path.join("/")).collect()
    }

    #[test]
    fn expands_use_trees() {
        assert_eq!(
            imports("use crate::{x, y::{self, z::{A, B}}}; use std::fmt;"),
            ["x", "y", "y/z/A", "y/z/B"]
        );
    }

    #[test]
    fn resolves_super_and_self() {
        assert_eq!(
            imports("use super::c; use super::super::d; use self::e::F; use super::{g, h::I};"),
            ["a/b/e/F", "a/c", "a/g", "a/h/I", "d"]
        );
    }

    #[test]
    fn handles_renames_and_globs() {
        assert_eq!(
            imports("use crate::x::Y as Z; use crate::w::*;"),
            ["w", "x/Y"]
        );
    }

    #[test]
    fn finds_inline_paths() {
        assert_eq!(
            imports("fn f(x: &crate::x::Y) { super::z::g::<u8>(self.h) }"),
            ["a/z/g", "x/Y"]
        );
    }

    #[test]
    fn ignores_comments_strings_and_foreign_paths() {
        assert!(
            imports("// crate::x\n/// crate::x\nconst A: &str = \"crate::y\"; std::z!();")
                .is_empty()
        );
    }

    #[test]
    fn finds_paths_in_attributes() {
        assert_eq!(
            imports("#[a(name = crate::z::N)] struct S { #[b(default = \"crate::x::y\")] c: u8 }"),
            ["x/y", "z/N"]
        );
    }

    #[test]
    fn resolves_super_inside_an_inline_module() {
        assert_eq!(
            imports("mod c { use super::d; use super::super::e; }"),
            ["a/b/d", "a/e"]
        );
    }

    #[test]
    fn skips_items_under_cfg_test() {
        let text = "#[cfg(test)] mod tests { use crate::x; }\n\
                    #[cfg(test)] mod helpers;\n\
                    #[cfg(all(test, unix))] use crate::y;\n\
                    #[cfg(test)] fn f() { crate::z::g() }\n\
                    #[cfg(unix)] use crate::w;";
        let source = parse(text, &[]).unwrap();
        assert_eq!(source.imports, BTreeSet::from([vec!["w".to_owned()]]));
        assert!(source.children.is_empty());
    }

    #[test]
    fn finds_child_modules() {
        let text = "pub(crate) mod x; #[path = \"z/y.rs\"] mod y; mod inline { mod deep; }";
        let source = parse(text, &["a".to_owned()]).unwrap();
        let child = |inline: &[&str], name: &str, file: Option<&str>| Child {
            inline: inline.iter().map(|part| (*part).to_owned()).collect(),
            name: name.to_owned(),
            file: file.map(str::to_owned),
        };
        assert_eq!(
            source.children,
            [
                child(&[], "x", None),
                child(&[], "y", Some("z/y.rs")),
                child(&["inline"], "deep", None)
            ]
        );
    }
}
