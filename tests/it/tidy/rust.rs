//! A minimal Rust lexer for the rules: code, literals, comments and the named paths.

/// The kind of a piece of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Code,
    Literal,
    Comment,
}

/// The text in pieces, which concatenate to the text.
pub fn parts(text: &str) -> Vec<(Part, &str)> {
    let mut parts = Vec::new();
    let (mut start, mut at) = (0, 0);
    let mut previous = ' ';
    while let Some(character) = text[at..].chars().next() {
        let special = if is_word(previous) { None } else { special(&text[at..]) };
        let Some((part, length)) = special else {
            at += character.len_utf8();
            previous = character;
            continue;
        };
        parts.push((Part::Code, &text[start..at]));
        parts.push((part, &text[at..at + length]));
        at += length;
        start = at;
        previous = ' ';
    }
    parts.push((Part::Code, &text[start..]));
    parts
}

/// Only the code: literals and comments are blanked, and line numbers are preserved.
pub fn code(text: &str) -> String {
    let blank = |character: char| if character == '\n' { '\n' } else { ' ' };
    let piece = |(part, piece): (Part, &str)| match part {
        Part::Code => piece.to_owned(),
        Part::Literal | Part::Comment => piece.chars().map(blank).collect(),
    };
    parts(text).into_iter().map(piece).collect()
}

/// Each literal with its line and the code right before it.
pub fn literals(text: &str) -> Vec<(usize, &str, &str)> {
    let mut literals = Vec::new();
    let (mut line, mut before) = (1, "");
    for (part, piece) in parts(text) {
        match part {
            Part::Code => before = piece,
            Part::Literal => literals.push((line, before, piece)),
            Part::Comment => {}
        }
        line += piece.matches('\n').count();
    }
    literals
}

/// The tokens of the code with their lines; `::` is one token.
pub fn tokens(code: &str) -> Vec<(usize, &str)> {
    let mut tokens = Vec::new();
    for (line, text) in (1..).zip(code.lines()) {
        let mut rest = text.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = if is_word(first) {
                rest.find(|character| !is_word(character)).unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            tokens.push((line, &rest[..length]));
            rest = rest[length..].trim_start();
        }
    }
    tokens
}

/// Every path in the code, with its line; those in braces are expanded.
pub fn paths(code: &str) -> Vec<(usize, String)> {
    let mut reader = Reader { tokens: tokens(code), at: 0, found: Vec::new() };
    while let Some(token) = reader.peek(0) {
        if token.starts_with(is_word) { reader.path("") } else { reader.at += 1 }
    }
    reader.found
}

struct Reader<'a> {
    tokens: Vec<(usize, &'a str)>,
    at: usize,
    found: Vec<(usize, String)>,
}

impl<'a> Reader<'a> {
    fn peek(&self, ahead: usize) -> Option<&'a str> {
        self.tokens.get(self.at + ahead).map(|(_, token)| *token)
    }

    /// Reads a word, a star or a group in braces, and everything that follows it after `::`.
    fn path(&mut self, prefix: &str) {
        let (line, token) = self.tokens[self.at];
        self.at += 1;
        if token == "{" {
            return self.group(prefix);
        }
        let path = format!("{prefix}{token}");
        let goes_on = self.peek(0) == Some("::") && self.peek(1).is_some_and(begins_path);
        if goes_on {
            self.at += 1;
            self.path(&format!("{path}::"));
        } else {
            self.found.push((line, path));
        }
    }

    fn group(&mut self, prefix: &str) {
        while let Some(token) = self.peek(0) {
            match token {
                "}" => break,
                "as" => self.at += 2,
                token if begins_path(token) => self.path(prefix),
                _ => self.at += 1,
            }
        }
        self.at += 1;
    }
}

fn begins_path(token: &str) -> bool {
    token == "{" || token == "*" || token.starts_with(is_word)
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The literal or comment at the start of this text, and its length in bytes.
fn special(text: &str) -> Option<(Part, usize)> {
    if text.starts_with("//") {
        return Some((Part::Comment, text.find('\n').unwrap_or(text.len())));
    }
    if text.starts_with("/*") {
        return Some((Part::Comment, text.find("*/").map_or(text.len(), |end| end + 2)));
    }
    let length = raw_string(text).or_else(|| quoted(text, '"')).or_else(|| character(text))?;
    Some((Part::Literal, length))
}

fn raw_string(text: &str) -> Option<usize> {
    let hashed = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let inner = hashed.trim_start_matches('#').strip_prefix('"')?;
    let marks = &hashed[..hashed.len() - inner.len() - 1];
    let end = format!("\"{marks}");
    let start = text.len() - inner.len();
    Some(start + inner.find(&end).map_or(inner.len(), |found| found + end.len()))
}

fn quoted(text: &str, quote: char) -> Option<usize> {
    let inner = text.strip_prefix(quote)?;
    let mut is_escaped = false;
    for (at, character) in inner.char_indices() {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            found if found == quote => return Some(at + 2),
            _ => {}
        }
    }
    Some(text.len())
}

/// A character literal, as opposed to a lifetime, which has no closing quote.
fn character(text: &str) -> Option<usize> {
    let mut characters = text.strip_prefix('\'')?.chars();
    let is_character = characters.next()? == '\\' || characters.next()? == '\'';
    is_character.then(|| quoted(text, '\''))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_code(text: &str, expected: &str) {
        assert_eq!(code(text).split_whitespace().collect::<Vec<_>>().join(" "), expected);
        assert_eq!(parts(text).into_iter().map(|(_, piece)| piece).collect::<String>(), text);
    }

    #[test]
    fn literals_and_comments_are_not_code() {
        check_code("a /* b */ c // d\ne", "a c e");
        check_code(r#"a("b \" // c", 'd', '\'', '"') + e"#, "a( , , , ) + e");
        check_code("fn a<'b>(c: &'b str) {}", "fn a<'b>(c: &'b str) {}");
        check_code("r##\"a\"# \"b\"## + br\"\\\" + r#type", "+ + r#type");
        check_code("for x in \"unfinished", "for x in");
    }

    #[test]
    fn a_literal_knows_its_line_and_what_stands_before_it() {
        let found = literals("// \"no\"\nlet a = format!(\n  \"b\");");

        assert_eq!(found, [(3, "\nlet a = format!(\n  ", "\"b\"")]);
    }

    #[test]
    fn paths_in_braces_are_found_one_by_one() {
        let text = "use crate::{a::{b, c as d}, e::*};\nlet f = crate::g::H::<u8>::new(std::mem::take(x));";

        let found = paths(&code(text));

        for expected in ["crate::a::b", "crate::a::c", "crate::e::*"] {
            assert!(found.contains(&(1, expected.to_owned())), "{expected} in {found:?}");
        }
        for expected in ["crate::g::H", "std::mem::take"] {
            assert!(found.contains(&(2, expected.to_owned())), "{expected} in {found:?}");
        }
        assert!(!found.iter().any(|(_, path)| path.ends_with('d')), "{found:?}");
    }
}
