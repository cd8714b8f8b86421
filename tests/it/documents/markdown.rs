//! The commands in a document: shell blocks, and `kaiwa …` within a sentence.

use std::cell::RefCell;
use std::path::Path;

/// The line above a block that cannot be run here. Readers do not see it.
const EXCUSE: &str = "<!-- not run by a test: ";

/// A document, and those of its commands that no test has requested yet.
pub struct Document {
    name: &'static str,
    pub text: String,
    left: RefCell<Vec<Block>>,
}

/// A block between fences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    pub line: usize,
    /// The heading above it.
    pub section: String,
    pub language: String,
    pub text: String,
    /// Whether the document says why it is not run.
    pub is_excused: bool,
}

impl Document {
    /// The document with this path.
    pub fn read(name: &'static str) -> Self {
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
        let left = blocks(&text).into_iter().filter(|block| block.language == "sh" && !block.is_excused);
        Self { name, left: RefCell::new(left.collect()), text }
    }

    /// The commands of a section, one text per block.
    #[track_caller]
    pub fn section(&self, heading: &str) -> Vec<String> {
        let mut left = self.left.borrow_mut();
        let (found, others) = left.drain(..).partition(|block| block.section == heading);
        *left = others;
        let found: Vec<Block> = found;
        assert!(!found.is_empty(), "{}: no commands in the section {heading:?}", self.name);
        found.into_iter().map(|block| block.text).collect()
    }

    /// The block of this language in a section.
    #[track_caller]
    pub fn block(&self, heading: &str, language: &str) -> String {
        let found = blocks(&self.text).into_iter();
        let mut found = found.filter(|block| block.section == heading && block.language == language);
        found.next().expect("the section has such a block").text
    }

    /// The longest command within a sentence that begins with this text.
    #[track_caller]
    pub fn sentence(&self, beginning: &str) -> String {
        let found = spans(&self.text).into_iter().filter(|span| span.starts_with(beginning));
        let found = found.max_by_key(String::len);
        found.unwrap_or_else(|| panic!("{}: no command begins with {beginning:?}", self.name))
    }

    /// Fails if a block was not run.
    #[track_caller]
    pub fn finish(self) {
        let left: Vec<_> = self.left.into_inner().into_iter().map(|block| block.line).collect();
        assert_eq!(left, [0; 0], "{}: the lines of blocks that no test has run", self.name);
    }
}

/// Every block, in order.
pub fn blocks(text: &str) -> Vec<Block> {
    let (mut blocks, mut open): (Vec<Block>, Option<Block>) = (Vec::new(), None);
    let (mut section, mut before) = (String::new(), "");
    for (number, line) in (1..).zip(text.lines()) {
        let fence = line.trim_start().strip_prefix("```");
        match (&mut open, fence) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => block.text.extend([line.strip_prefix("   ").unwrap_or(line), "\n"]),
            (None, Some(language)) => {
                let is_excused = before.starts_with(EXCUSE) && before.ends_with(" -->");
                let (section, language) = (section.clone(), language.trim().to_owned());
                open = Some(Block { line: number, section, language, text: String::new(), is_excused });
            }
            (None, None) => {}
        }
        if let (None, Some(heading)) = (&open, line.strip_prefix("## ")) {
            heading.clone_into(&mut section);
        }
        before = line;
    }
    blocks
}

/// The code spans outside of blocks, each on one line.
pub fn spans(text: &str) -> Vec<String> {
    let mut is_block = false;
    let outside = text.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        is_block ^= is_fence;
        !is_block && !is_fence
    });
    let joined = outside.map(|line| if line.is_empty() { "\n``\n" } else { line.trim() });
    let joined = joined.collect::<Vec<_>>().join(" ");
    // A paragraph begins with an even number of backticks before it.
    let paragraphs = joined.split("\n``\n");
    let odd = paragraphs.flat_map(|paragraph| paragraph.split('`').skip(1).step_by(2));
    odd.map(|span| span.replace(r"\|", "|").trim().to_owned()).collect()
}

/// The targets of links within the project, with their lines.
pub fn links(text: &str) -> Vec<(usize, String)> {
    let prose = (1..).zip(text.lines()).zip(is_code(text)).filter(|(_, is_code)| !is_code);
    let links = prose.flat_map(|((line, text), _)| {
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        targets.map(move |(target, _)| (line, target.to_owned()))
    });
    links.filter(|(_, target)| !target.contains("://")).collect()
}

/// The anchors of a document's headings, as GitHub derives them.
pub fn anchors(text: &str) -> Vec<String> {
    let prose = text.lines().zip(is_code(text)).filter(|(_, is_code)| !is_code);
    let headings = prose.filter_map(|(line, _)| {
        line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#'))
    });
    let is_kept = |letter: &char| letter.is_alphanumeric() || "-_ ".contains(*letter);
    headings
        .map(|heading| heading.to_lowercase().chars().filter(is_kept).collect::<String>().replace(' ', "-"))
        .collect()
}

/// The lines of prose with more characters than this; tables and code cannot be wrapped.
pub fn wide_lines(text: &str, width_max: usize) -> Vec<usize> {
    let lines = (1..).zip(text.lines()).zip(is_code(text)).filter(|(_, is_code)| !is_code);
    let prose = lines.filter(|((_, line), _)| !line.trim_start().starts_with(['|', '<']));
    prose.filter(|((_, line), _)| line.chars().count() > width_max).map(|((number, _), _)| number).collect()
}

/// For each line whether it is a fence or between fences.
fn is_code(text: &str) -> Vec<bool> {
    let mut is_block = false;
    let lines = text.lines().map(|line| {
        let is_fence = line.trim_start().starts_with("```");
        is_block ^= is_fence;
        is_block || is_fence
    });
    lines.collect()
}

#[test]
fn blocks_and_spans_are_distinguished() {
    let text = "## One\nSay `kaiwa\nhelp` and `b\\|c`.\n\n1. x\n\n   ```sh\n   a `b`\n   ```\n\n## Two\n\
                <!-- not run by a test: why -->\n```sh\n# no heading\n## nor this\n```\n";

    let found = blocks(text);

    let seen: Vec<_> = found.iter().map(|one| (one.line, one.section.as_str(), one.text.as_str())).collect();
    assert_eq!(seen, [(7, "One", "a `b`\n"), (13, "Two", "# no heading\n## nor this\n")]);
    assert_eq!(found.iter().map(|block| block.is_excused).collect::<Vec<_>>(), [false, true]);
    assert_eq!(spans(text), ["kaiwa help", "b|c"]);
}

#[test]
fn links_headings_and_wide_lines_are_found_outside_of_code() {
    let text = "# LINE's `webhook`\n[a](b.md#c), [d](#e), [f](https://g)\n```sh\n# no heading, no [link](h)\n```\n| a wide row of a table |\n";

    assert_eq!(anchors(text), ["lines-webhook"]);
    assert_eq!(links(text), [(2, "b.md#c".to_owned()), (2, "#e".to_owned())]);
    assert_eq!(wide_lines(text, 20), [2]);
}
