//! Problems of a request with their locations, in LINE's wording.

use std::fmt;

use serde::Serialize;

/// The location of a value in the request body, written like `messages[0].text`.
#[derive(Debug, Clone, Copy)]
pub enum Path<'a> {
    /// The body itself.
    Root,
    /// A property of the value at this path.
    Name(&'a Path<'a>, &'a str),
    /// An entry of the array at this path.
    Index(&'a Path<'a>, usize),
}

/// One problem of a request, in LINE's wording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Detail {
    /// What is wrong.
    pub message: String,
    /// The location of the property.
    pub property: String,
}

/// All problems of a request.
pub type Problems = Vec<Detail>;

/// Adds a problem.
pub fn report(problems: &mut Problems, path: &Path<'_>, message: impl Into<String>) {
    problems.push(Detail { message: message.into(), property: path.to_string() });
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Root => Ok(()),
            Path::Name(Path::Root, name) => formatter.write_str(name),
            Path::Name(parent, name) => write!(formatter, "{parent}.{name}"),
            Path::Index(parent, index) => write!(formatter, "{parent}[{index}]"),
        }
    }
}
