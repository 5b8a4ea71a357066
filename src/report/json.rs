//! Tells an apply to a program: one JSON document a line on stdout.
//!
//! Every line has `type` and `format`; the other fields are those of [`crate::event::Fact`] with
//! `seq` and `at`, of [`Tick`] for `"progress"`, and `words` for `"note"`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::event::{Event, Reporter, Tick};
use crate::model::ActionId;

use super::{Now, Screen};

/// The format of the events: major.minor, where minor only adds.
pub(super) const FORMAT: &str = "1.0";

/// Milliseconds between two progress lines of one action; its end is told by a fact.
const PAUSE_MS: i64 = 1000;

/// One event a line on stdout.
pub struct Json {
    screen: Screen,
    now: Now,
    last_told: BTreeMap<ActionId, Timestamp>,
}

impl Json {
    /// Tells on the screen's stdout.
    pub fn new(screen: Screen, now: Now) -> Self {
        Self { screen, now, last_told: BTreeMap::new() }
    }

    /// `head` stands before the other fields, for those who read along.
    fn line(&self, kind: &str, head: Vec<(&str, Value)>, fields: Map<String, Value>) {
        let mut line = vec![("type", kind.into()), ("format", FORMAT.into())];
        line.extend(head);
        line.extend(fields.iter().map(|(name, value)| (name.as_str(), value.clone())));
        self.screen.json_line(&InOrder(line));
    }
}

impl Reporter for Json {
    fn event(&mut self, event: &Event) {
        // A fact is one variant with named fields: `{"done": {"action": …}}`.
        let (kind, of_fact) = fields_of(&event.fact).into_iter().next().unwrap_or_default();
        let of_fact = match of_fact {
            Value::Object(of_fact) => of_fact,
            _ => Map::new(),
        };
        let head = vec![("seq", event.seq.into()), ("at", event.at.to_string().into())];
        self.line(&kind, head, of_fact);
    }

    fn tick(&mut self, tick: &Tick) {
        let now = (self.now)();
        let last = self.last_told.get(&tick.action);
        if last.is_some_and(|last| now.as_millisecond() - last.as_millisecond() < PAUSE_MS) {
            return;
        }
        self.last_told.insert(tick.action.clone(), now);
        self.line("progress", vec![("at", now.to_string().into())], fields_of(tick));
    }

    fn note(&mut self, words: &str) {
        self.line("note", vec![("words", words.into())], Map::new());
    }
}

/// Fields in the order in which they were put.
struct InOrder<'a>(Vec<(&'a str, Value)>);

impl Serialize for InOrder<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// The fields of plain data; it always is an object.
fn fields_of(data: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(data) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::super::screen::captured;
    use super::*;

    #[test]
    fn a_program_gets_one_document_a_line_with_type_and_format() {
        let (screen, out, err) = captured::plain();
        let mut json = Json::new(screen, samples::clock());
        for event in samples::events() {
            json.event(&event);
        }
        for tick in samples::ticks() {
            json.tick(&tick);
        }
        json.note("to go on: s3plan apply");
        for line in out.text().lines() {
            let line: Value = serde_json::from_str(line).expect("JSON");
            assert!(line["type"].as_str().is_some_and(|kind| !kind.is_empty()), "{line}");
            assert_eq!(line["format"], FORMAT);
        }
        assert_eq!(err.text(), "");
        insta::assert_snapshot!(out.text());
    }
}
