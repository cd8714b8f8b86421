//! The maximum sizes of files and functions.

use crate::tidy::rust::{code, tokens};
use crate::tidy::tree::{File, files, rust_files};
use crate::tidy::{Finding, hold};

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 40;
const TEST_LINES_MAX: usize = 60;

/// Extensions of files that are written and read by hand.
const HAND_WRITTEN: [&str; 4] = ["rs", "py", "sql", "sh"];

#[test]
fn a_file_has_at_most_400_lines() {
    hold("at most 400 lines", &files(), |file| {
        let lines = file.text.lines().count();
        let is_long =
            lines > FILE_LINES_MAX && HAND_WRITTEN.iter().any(|extension| file.has_extension(extension));
        is_long.then(|| Finding::new(lines, "the last line")).into_iter().collect()
    });
}

#[test]
fn a_function_has_at_most_40_lines_and_a_test_60() {
    hold("at most 40 lines, 60 in tests", &rust_files(), |file| {
        let code = code(&file.text);
        let first_test = first_line_of_tests(file);
        let is_long = |function: &Function<'_>| {
            let limit = if function.line < first_test { FUNCTION_LINES_MAX } else { TEST_LINES_MAX };
            function.lines > limit
        };
        let functions = functions(&code).into_iter().filter(is_long);
        functions
            .map(|function| {
                Finding::new(function.line, format!("{}: {} lines", function.name, function.lines))
            })
            .collect()
    });
}

#[derive(Debug, PartialEq, Eq)]
struct Function<'a> {
    line: usize,
    name: &'a str,
    lines: usize,
}

/// The first line of a file's tests.
fn first_line_of_tests(file: &File) -> usize {
    if file.is_in(&["tests/"]) || file.path.contains("/tests/") || file.path.ends_with("/tests.rs") {
        return 0;
    }
    let marked = (1..).zip(file.text.lines()).find(|(_, line)| line.trim() == "#[cfg(test)]");
    marked.map_or(usize::MAX, |(line, _)| line)
}

/// Every function with a body, from the line with `fn` to the closing brace.
fn functions(code: &str) -> Vec<Function<'_>> {
    let tokens = tokens(code);
    let pairs = tokens.windows(2).enumerate();
    let named = pairs.filter(|(_, pair)| pair[0].1 == "fn" && pair[1].1 != "(");
    named
        .filter_map(|(at, pair)| {
            let ((line, _), (_, name)) = (pair[0], pair[1]);
            let last = last_line(&tokens[at..])?;
            Some(Function { line, name, lines: last - line + 1 })
        })
        .collect()
}

/// The line of the brace that closes the first body; `None` when a semicolon comes first.
fn last_line(tokens: &[(usize, &str)]) -> Option<usize> {
    let (mut depth, mut braces) = (0, 0);
    for (line, token) in tokens {
        match *token {
            "(" | "[" => depth += 1,
            ")" | "]" => depth -= 1,
            ";" if depth == 0 && braces == 0 => return None,
            "{" => braces += 1,
            "}" if braces == 1 => return Some(*line),
            "}" => braces -= 1,
            _ => {}
        }
    }
    None
}

#[test]
fn a_function_ends_with_its_own_brace() {
    let text = "fn a(b: [u8; 2]) -> C\nwhere D: E {\n  let f = || {};\n  fn g() {}\n}\n\
                trait H { fn i(&self); }\ntype J = fn(u8);\nconst K: &str = \"}\";";
    let code = code(text);

    let found: Vec<_> = functions(&code).iter().map(|found| (found.line, found.name, found.lines)).collect();

    assert_eq!(found, [(1, "a", 5), (4, "g", 1)]);
}

#[test]
fn tests_begin_at_the_test_module() {
    let file = |path: &str, text: &str| File { path: path.to_owned(), text: text.to_owned() };

    assert_eq!(first_line_of_tests(&file("src/a.rs", "fn b() {}\n\n#[cfg(test)]\nmod tests {}")), 3);
    assert_eq!(first_line_of_tests(&file("src/a.rs", "fn b() {}")), usize::MAX);
    assert_eq!(first_line_of_tests(&file("src/a/tests.rs", "fn b() {}")), 0);
    assert_eq!(first_line_of_tests(&file("tests/it/a.rs", "fn b() {}")), 0);
}
