//! What is wrong with a request, and where, as LINE words it.

use std::fmt;

use serde::Serialize;

/// Where in the request body a value stands, written like `messages[0].text`.
#[derive(Debug, Clone, Copy)]
pub enum Path<'a> {
    /// The body itself.
    Root,
    /// A property of what stands there.
    Name(&'a Path<'a>, &'a str),
    /// An entry of the list that stands there.
    Index(&'a Path<'a>, usize),
}

/// One thing that is wrong with a request, as LINE words it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Detail {
    /// What is wrong.
    pub message: String,
    /// Where.
    pub property: String,
}

/// All that is wrong with a request.
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
