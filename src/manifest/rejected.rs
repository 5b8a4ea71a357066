//! All errors of one manifest, and how they are shown: as excerpts of the file with a mark.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::error::ManifestError;
use super::words::{is_unsafe, shown};

/// The most errors that are shown; the rest are counted.
pub(super) const SHOWN: usize = 50;

/// The longest excerpt that is shown, in bytes; of longer lines only the place is named.
const LONGEST: usize = 4096;

/// A manifest that cannot be planned, with everything that is wrong with it.
#[derive(Clone, Debug)]
pub struct Rejected {
    /// The file as the user named it.
    name: String,
    text: String,
    /// Never empty, in the file's order.
    errors: Vec<ManifestError>,
}

impl Rejected {
    /// Takes what was found in a text, and puts it in the text's order.
    pub(super) fn new(name: &str, text: &str, mut errors: Vec<ManifestError>) -> Self {
        errors.sort_by_key(ManifestError::position);
        // What is wrong with the defaults is found again at every bucket that takes them.
        errors.dedup();
        Self { name: name.to_owned(), text: text.to_owned(), errors }
    }

    /// Every error, in the file's order; at least one.
    pub fn errors(&self) -> &[ManifestError] {
        &self.errors
    }

    /// Whether any error has this code, such as `manifest/unknown-bucket`.
    pub fn has(&self, code: &str) -> bool {
        self.errors.iter().any(|error| error.code() == code)
    }

    /// All errors as excerpts of the file, with `file:line:column`; with ANSI colours if asked.
    ///
    /// Beyond the first fifty they are counted. What the file or the account could bring in of
    /// control characters is escaped. No newline at the end.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let file = shown(&self.name);
        let mut parts: Vec<String> =
            self.errors.iter().take(SHOWN).map(|error| self.one(&renderer, &file, error)).collect();
        if let Some(more) = self.errors.len().checked_sub(SHOWN).filter(|&more| more > 0) {
            parts.push(format!("and {more} more errors"));
        }
        parts.join("\n\n")
    }

    fn one(&self, renderer: &Renderer, file: &str, error: &ManifestError) -> String {
        let title = Level::ERROR.primary_title(error.to_string()).id(error.code());
        let labels = error.labels();
        let mut group = Group::with_title(title);
        if labels.is_empty() {
            group = group.element(Origin::path(file));
        }
        let mut excerpts: Vec<Excerpt> = Vec::new();
        for (n, (span, label)) in labels.into_iter().enumerate() {
            let kind = if n == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
            let mut excerpt = Excerpt::around(&self.text, &span);
            match excerpts.iter_mut().find(|other| other.start == excerpt.start) {
                Some(same) => same.add(&span, label, kind),
                None => {
                    excerpt.add(&span, label, kind);
                    excerpts.push(excerpt);
                }
            }
        }
        for excerpt in excerpts {
            if excerpt.source.len() > LONGEST {
                let (line, column) = locate(&self.text, excerpt.at);
                group = group.element(Origin::path(file).line(line).char_column(column));
                continue;
            }
            let annotations = excerpt.marks.into_iter().map(|(span, label, kind)| {
                kind.span(span).label((!label.is_empty()).then_some(label))
            });
            group = group.element(
                Snippet::source(excerpt.source)
                    .path(file)
                    .line_start(excerpt.line)
                    .annotations(annotations),
            );
        }
        if let Some(help) = error.help() {
            group = group.element(Level::HELP.message(help));
        }
        renderer.render(&[group])
    }
}

/// The whole file would be scanned for every error; the lines around one are enough.
struct Excerpt {
    /// Where it begins in the text.
    start: usize,
    /// Where the first mark is in the text.
    at: usize,
    /// The line it begins with, from 1.
    line: usize,
    source: String,
    marks: Vec<(Range<usize>, &'static str, AnnotationKind)>,
}

impl Excerpt {
    /// The lines that a span touches, three at most.
    fn around(text: &str, span: &Range<usize>) -> Self {
        let from = floor(text, span.start);
        let start = text[..from].rfind('\n').map_or(0, |at| at + 1);
        let last = floor(text, span.end.max(from));
        let lines = text[start..].split_inclusive('\n');
        let mut end = start;
        for line in lines.take(3) {
            end += line.len();
            if end >= last {
                break;
            }
        }
        Self {
            start,
            at: from,
            line: locate(text, start).0,
            source: text[start..end].chars().map(harmless).collect(),
            marks: Vec::new(),
        }
    }

    fn add(&mut self, span: &Range<usize>, label: &'static str, kind: AnnotationKind) {
        let inside = |at: usize| floor(&self.source, at.saturating_sub(self.start));
        let begin = inside(span.start);
        self.marks.push((begin..inside(span.end).max(begin), label, kind));
    }
}

/// The line and column of a place in the text, both from 1, the column in characters.
pub(super) fn locate(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..floor(text, at)];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// The nearest character's start at or before a place.
fn floor(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at)
}

/// The renderer shows C0 controls as pictures; others are replaced by something as long in UTF-8,
/// so that every mark stays where it is.
fn harmless(c: char) -> char {
    match c.len_utf8() {
        2 if is_unsafe(c) => '¿',
        3 if is_unsafe(c) => '\u{fffd}',
        4 if is_unsafe(c) => '\u{1fbc0}',
        _ => c,
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Rejected {}
