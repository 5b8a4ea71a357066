//! A plan on the screen: its words, coloured; and as JSON.

use anstyle::Style;
use serde_json::{Map, Value};

use crate::plan::{FORMAT, Plan};

use super::Screen;
use super::fact::{BOLD, CYAN, GREEN, RED, YELLOW, styled};
use super::text::shown;

/// Prints a plan's words to stdout, as they stand in its file, with colours where they are wanted.
pub fn plan(screen: &Screen, plan: &Plan) {
    let mut text = String::with_capacity(plan.words.len());
    for line in plan.words.lines() {
        let line = shown(line);
        match style_of(&line) {
            Some(style) => text.push_str(&styled(style, &line)),
            None => text.push_str(&line),
        }
        text.push('\n');
    }
    screen.out(&text);
}

/// What a line of a plan is about is told by its first sign.
fn style_of(line: &str) -> Option<Style> {
    if line.contains("─── no way back") || line.starts_with("Plan:") {
        return Some(BOLD);
    }
    let sign = line.strip_prefix("  ")?.split(' ').next()?;
    match sign {
        "+" => Some(GREEN),
        "-" => Some(RED),
        "~" | "!" => Some(YELLOW),
        "?" => Some(CYAN),
        _ => None,
    }
}

/// Prints a plan to stdout as one JSON document: the file's fields, its `format` and `digest`.
pub fn plan_json(screen: &Screen, plan: &Plan) {
    let mut document = Map::new();
    document.insert("format".into(), format!("{}.{}", FORMAT.0, FORMAT.1).into());
    document.insert("digest".into(), plan.digest.as_str().into());
    if let Ok(Value::Object(body)) = serde_json::to_value(&plan.body) {
        document.extend(body);
    }
    screen.json(&document);
}

#[cfg(test)]
mod tests {
    use anstream::ColorChoice;

    use super::super::samples;
    use super::super::screen::captured;
    use super::*;

    #[test]
    fn each_sign_has_its_colour_and_a_pipe_has_none() {
        let sample = samples::plan();
        let (screen, out, _) = captured::screen(ColorChoice::AlwaysAnsi);
        plan(&screen, &sample);
        insta::assert_snapshot!(out.text().replace('\u{1b}', "ESC"));
        let (screen, out, _) = captured::plain();
        plan(&screen, &sample);
        assert_eq!(out.text(), sample.words);
    }

    #[test]
    fn the_json_names_its_format_and_digest() {
        let (screen, out, _) = captured::plain();
        plan_json(&screen, &samples::plan());
        let document: Value = serde_json::from_str(&out.text()).expect("JSON");
        assert_eq!(document["format"], format!("{}.{}", FORMAT.0, FORMAT.1));
        assert_eq!(document["digest"], samples::plan().digest);
        assert_eq!(document["account"], "123456789012");
    }
}
