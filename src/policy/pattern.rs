//! Patterns as policies write them: `*`, `?`, and variables such as `${aws:username}`.
//!
//! Source: IAM User Guide, "IAM policy elements: Variables and tags".

use super::principal::{Context, Value};
use super::truth::Truth;

/// Whether `${…}` is a variable, which depends on the policy's `Version`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Variables {
    /// `2012-10-17`.
    Known,
    /// Older: the text is taken as it stands.
    Literal,
}

/// What a text is compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wildcards {
    /// `*` and `?` stand for others.
    Match,
    /// They stand for themselves.
    Literal,
}

/// A pattern without variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Token>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Char(char),
    /// `?`
    One,
    /// `*`
    Any,
}

impl Pattern {
    /// A text in which `*` and `?` stand for others.
    pub fn glob(text: &str) -> Self {
        Self(text.chars().map(|c| token(c, Wildcards::Match)).collect())
    }

    /// Fills in variables. `None`: one of them cannot be told for this principal.
    pub fn fill(
        text: &str,
        wildcards: Wildcards,
        variables: Variables,
        context: &Context,
    ) -> Option<Self> {
        let mut tokens = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = split_variable(rest, variables) {
            tokens.extend(before.chars().map(|c| token(c, wildcards)));
            let (name, after) = after.split_once('}')?;
            match name {
                "*" | "?" | "$" => tokens.extend(name.chars().map(Token::Char)),
                // A key that is absent makes the statement void, and a default may stand in: both
                // are rare enough to be told as unknown.
                key => match context.get(&key.to_ascii_lowercase()) {
                    Value::Is(value) => tokens.extend(value.chars().map(Token::Char)),
                    _ => return None,
                },
            }
            rest = after;
        }
        tokens.extend(rest.chars().map(|c| token(c, wildcards)));
        Some(Self(tokens))
    }

    /// Whether it matches a whole text.
    pub fn matches(&self, text: &str) -> bool {
        self.after(text).contains(&self.0.len())
    }

    /// The text itself, where nothing in it stands for others.
    pub fn literal(&self) -> String {
        let chars = self.0.iter().map(|token| match token {
            Token::Char(c) => *c,
            Token::One => '?',
            Token::Any => '*',
        });
        chars.collect()
    }

    /// The same without regard to case.
    pub fn matches_in_any_case(&self, text: &str) -> bool {
        let tokens = self.0.iter().flat_map(|token| match token {
            Token::Char(c) => c.to_lowercase().map(Token::Char).collect(),
            other => vec![*other],
        });
        Self(tokens.collect()).matches(&text.to_lowercase())
    }

    /// Whether it matches a text whose end may be anything at all.
    pub fn matches_all_from(&self, start: &str) -> Truth {
        if self.after(start).is_empty() {
            return Truth::No;
        }
        // Two unlike ends that no policy spells out: what takes both takes them by a wildcard.
        let ends = ["\u{f8ff}", "\u{f8fe}\u{f8fd}\u{f8fc}\u{f8fe}\u{f8fd}"];
        match ends.iter().all(|end| self.matches(&format!("{start}{end}"))) {
            true => Truth::Yes,
            false => Truth::CannotTell,
        }
    }

    /// The places in the pattern that a text can lead to.
    fn after(&self, text: &str) -> Vec<usize> {
        let mut places = vec![false; self.0.len() + 1];
        places[0] = true;
        self.skip(&mut places);
        for c in text.chars() {
            let mut next = vec![false; places.len()];
            for (place, token) in self.0.iter().enumerate().filter(|(place, _)| places[*place]) {
                match token {
                    Token::Any => next[place] = true,
                    Token::One => next[place + 1] = true,
                    Token::Char(wanted) if *wanted == c => next[place + 1] = true,
                    Token::Char(_) => {}
                }
            }
            self.skip(&mut next);
            places = next;
        }
        (0..places.len()).filter(|place| places[*place]).collect()
    }

    /// `*` may stand for nothing.
    fn skip(&self, places: &mut [bool]) {
        for (place, token) in self.0.iter().enumerate() {
            if places[place] && *token == Token::Any {
                places[place + 1] = true;
            }
        }
    }
}

fn token(c: char, wildcards: Wildcards) -> Token {
    match (c, wildcards) {
        ('*', Wildcards::Match) => Token::Any,
        ('?', Wildcards::Match) => Token::One,
        _ => Token::Char(c),
    }
}

fn split_variable(text: &str, variables: Variables) -> Option<(&str, &str)> {
    match variables {
        Variables::Known => text.split_once("${"),
        Variables::Literal => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_whole_texts() {
        let of = |glob: &str, text: &str| Pattern::glob(glob).matches(text);
        assert!(of("a*c", "abbc") && of("a?c", "abc") && of("*", "") && of("a*", "a"));
        assert!(!of("a?c", "ac") && !of("a", "ab") && !of("", "a") && !of("A", "a"));
        assert!(Pattern::glob("AIDA*x").matches_in_any_case("aidaÄX"));
    }

    #[test]
    fn an_open_end_is_matched_by_a_wildcard_alone() {
        let of = |glob: &str| Pattern::glob(glob).matches_all_from("b/");
        for all in ["*", "b/*", "b*", "b/?*"] {
            assert_eq!(of(all), Truth::Yes, "{all}");
        }
        for some in ["b/x", "b/*.jpg", "b/x*", "b/?", "b/", "*x"] {
            assert_eq!(of(some), Truth::CannotTell, "{some}");
        }
        for none in ["c/*", "b", ""] {
            assert_eq!(of(none), Truth::No, "{none}");
        }
    }

    #[test]
    fn variables_are_filled_in_and_their_text_is_no_pattern() {
        let mut context = Context::default();
        context.set("aws:username", Value::Is("a*".into()));
        let of = |text: &str, variables| Pattern::fill(text, Wildcards::Match, variables, &context);
        let home = of("home/${aws:UserName}/*", Variables::Known).expect("known");
        assert!(home.matches("home/a*/x") && !home.matches("home/abc/x"));
        let escaped = of("a${*}b${$}{c", Variables::Known).expect("known");
        assert!(escaped.matches("a*b${c") && !escaped.matches("axb${c"));
        assert_eq!(of("${aws:nobody}", Variables::Known), None);
        assert_eq!(of("${open", Variables::Known), None);
        let literal = of("${aws:username}", Variables::Literal).expect("text");
        assert!(literal.matches("${aws:username}"));
    }
}
