//! What will go wrong, as data: which calls, which of them by count or chance, and what happens.
//!
//! In TOML a rule is a `[[fault]]`; in JSON, for the control endpoint, the same fields.
//!
//! ```
//! use s3plan_sandbox::{Effect, Rule};
//!
//! let third_delete = Rule::on("DeleteObject*").nth(3).then(Effect::answer(503, "SlowDown"));
//! let cut = Rule::on("GetObject").key("logs/*").then(Effect::CutBody { after: 10 });
//! # let _ = (third_delete, cut);
//! ```

use std::sync::Mutex;

use serde::Deserialize;

use crate::call::Target;
use crate::content::mix;
use crate::step::Step;

/// One rule: when, and what then.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The operations, as a glob over names: `GetObject`, `List*`, `*`. One entry of DeleteObjects
    /// is met as `DeleteEntry`; there only an answer counts.
    #[serde(default = "anything")]
    pub on: String,
    /// The buckets, as a glob; `None` for all, and for calls without one.
    #[serde(default)]
    pub bucket: Option<String>,
    /// The keys, as a glob in which `*` crosses `/`; `None` for all, and for calls without one.
    #[serde(default)]
    pub key: Option<String>,
    /// The user; `None` for all.
    #[serde(default)]
    pub user: Option<String>,
    /// The first of the matching calls that it hits, counted from 1.
    #[serde(default = "first")]
    pub from: u64,
    /// The last that it hits; `None` for no end.
    #[serde(default)]
    pub to: Option<u64>,
    /// How likely it hits each of those, 0 to 1.
    #[serde(default = "certain")]
    pub probability: f64,
    /// Where chance starts, so that it falls the same way in every run.
    #[serde(default)]
    pub seed: u64,
    /// What happens, in this order.
    #[serde(rename = "then")]
    pub effects: Vec<Effect>,
}

/// What happens to a call.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Effect {
    /// This answer, and the work is not done.
    Answer {
        /// HTTP status.
        status: u16,
        /// Error code.
        code: String,
        /// Sentence for people.
        #[serde(default)]
        message: String,
    },
    /// Waits this many milliseconds of real time first.
    DelayMs(u64),
    /// Closes the connection before anything is answered, and the work is not done.
    Drop,
    /// Never answers, and the work is not done.
    Silence,
    /// Does the work, and never answers.
    SilenceAfter,
    /// Does the work, then closes the connection without an answer.
    LoseAnswer,
    /// Sends so many bytes of the body, then closes the connection.
    CutBody {
        /// Bytes.
        after: u64,
    },
    /// Sends only so many bytes of the body, with a Content-Length that agrees.
    ShortBody {
        /// Bytes.
        length: u64,
    },
    /// Turns the lowest bit of one byte of the body as it is sent.
    FlipBit {
        /// Where, counted from the body's start.
        offset: u64,
    },
    /// Sends so many bytes of the body, then nothing more, with the connection open.
    Stall {
        /// Bytes.
        after: u64,
    },
    /// Shows another ETag.
    WrongEtag(String),
    /// Sets or overwrites a header of the answer.
    Header {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
    /// Takes a header out of the answer.
    NoHeader(String),
    /// Replaces text in the answer's body, for listings and other documents.
    Replace {
        /// What to look for.
        find: String,
        /// What to put there.
        with: String,
    },
    /// Sets the text of every element of that name in the answer's document, or takes the element
    /// out. `{query:NAME}` in the text stands for a parameter of the request.
    Element {
        /// The element's name.
        name: String,
        /// Its text; `None` takes it out.
        #[serde(default)]
        text: Option<String>,
    },
    /// Does the work as if the request had this header, or as if it had it not: another `range`.
    Ask {
        /// Its name.
        name: String,
        /// Its value; `None` for none.
        #[serde(default)]
        value: Option<String>,
    },
    /// Sends the body at so many bytes a second of real time.
    Trickle {
        /// Bytes a second.
        rate: u64,
    },
    /// Moves the world before the work is done.
    Script(Vec<Step>),
    /// Moves the world after the work is done and before the answer leaves.
    ScriptAfter(Vec<Step>),
}

impl Rule {
    /// A rule for these operations that does nothing yet.
    pub fn on(operations: &str) -> Self {
        Self {
            on: operations.to_owned(),
            bucket: None,
            key: None,
            user: None,
            from: 1,
            to: None,
            probability: 1.0,
            seed: 0,
            effects: Vec::new(),
        }
    }

    /// Only for these buckets.
    pub fn bucket(mut self, glob: &str) -> Self {
        self.bucket = Some(glob.to_owned());
        self
    }

    /// Only for these keys.
    pub fn key(mut self, glob: &str) -> Self {
        self.key = Some(glob.to_owned());
        self
    }

    /// Only for this user.
    pub fn user(mut self, name: &str) -> Self {
        self.user = Some(name.to_owned());
        self
    }

    /// Only the n-th matching call, counted from 1.
    pub fn nth(self, n: u64) -> Self {
        self.calls(n, n)
    }

    /// Only the matching calls `from` to `to`, counted from 1.
    pub fn calls(mut self, from: u64, to: u64) -> Self {
        (self.from, self.to) = (from, Some(to));
        self
    }

    /// Only by chance.
    pub fn chance(mut self, probability: f64, seed: u64) -> Self {
        (self.probability, self.seed) = (probability, seed);
        self
    }

    /// Adds what happens.
    pub fn then(mut self, effect: Effect) -> Self {
        self.effects.push(effect);
        self
    }

    fn matches(&self, op: &str, target: &Target, user: &str) -> bool {
        let fits = |glob: &Option<String>, text: &Option<String>| match (glob, text) {
            (None, _) => true,
            (Some(glob), Some(text)) => glob_matches(glob, text),
            (Some(_), None) => false,
        };
        glob_matches(&self.on, op)
            && fits(&self.bucket, &target.bucket)
            && fits(&self.key, &target.key)
            && self.user.as_ref().is_none_or(|name| name == user)
    }

    fn hits(&self, call: u64) -> bool {
        let chance =
            (mix(self.seed ^ call.wrapping_mul(0x51_7cc1)) >> 11) as f64 / (1_u64 << 53) as f64;
        call >= self.from && self.to.is_none_or(|to| call <= to) && chance < self.probability
    }
}

impl Effect {
    /// An error answer with a code.
    pub fn answer(status: u16, code: &str) -> Self {
        Self::Answer { status, code: code.to_owned(), message: format!("{code}, as the rule says") }
    }
}

/// The rules and how often each was met.
#[derive(Debug, Default)]
pub struct Faults {
    rules: Mutex<Vec<(Rule, u64)>>,
}

impl Faults {
    /// Rules that nobody has met yet.
    pub fn new(rules: Vec<Rule>) -> Self {
        Self { rules: Mutex::new(rules.into_iter().map(|rule| (rule, 0)).collect()) }
    }

    /// Adds a rule.
    pub fn add(&self, rule: Rule) {
        self.lock().push((rule, 0));
    }

    /// Forgets all rules.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// What happens to this call, from all the rules that hit it.
    pub fn strike(&self, op: &str, target: &Target, user: &str) -> Vec<Effect> {
        let mut effects = Vec::new();
        for (rule, met) in self.lock().iter_mut() {
            if rule.matches(op, target, user) {
                *met += 1;
                if rule.hits(*met) {
                    effects.extend(rule.effects.iter().cloned());
                }
            }
        }
        effects
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(Rule, u64)>> {
        self.rules.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// Whether a glob with `*` (anything) and `?` (one character) matches the whole text.
pub fn glob_matches(glob: &str, text: &str) -> bool {
    let (glob, text): (Vec<char>, Vec<char>) = (glob.chars().collect(), text.chars().collect());
    let (mut g, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if g < glob.len() && glob[g] == '*' {
            star = Some((g, t));
            g += 1;
        } else if g < glob.len() && (glob[g] == '?' || glob[g] == text[t]) {
            (g, t) = (g + 1, t + 1);
        } else if let Some((star_at, taken)) = star {
            star = Some((star_at, taken + 1));
            (g, t) = (star_at + 1, taken + 1);
        } else {
            return false;
        }
    }
    glob[g..].iter().all(|&rest| rest == '*')
}

fn anything() -> String {
    "*".into()
}

fn first() -> u64 {
    1
}

fn certain() -> f64 {
    1.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, Method};

    #[test]
    fn globs() {
        assert!(glob_matches("logs/*.gz", "logs/a/b.gz"));
        assert!(glob_matches("*", ""));
        assert!(glob_matches("a?c*", "abc"));
        assert!(!glob_matches("a?c", "ac"));
        assert!(!glob_matches("GetObject", "GetObjectTagging"));
    }

    #[test]
    fn a_rule_hits_only_the_calls_it_names() {
        let faults =
            Faults::new(vec![Rule::on("GetObject").key("a*").calls(2, 3).then(Effect::Drop)]);
        let target = Target::of(&Method::GET, &"/photos/abc".parse().unwrap(), &HeaderMap::new());
        let hits: Vec<_> =
            (0..5).map(|_| faults.strike("GetObject", &target, "alice").len()).collect();
        assert_eq!(hits, [0, 1, 1, 0, 0]);
        assert!(faults.strike("HeadObject", &target, "alice").is_empty());
    }

    #[test]
    fn chance_falls_the_same_way_every_time() {
        let rule = Rule::on("*").chance(0.5, 7);
        let hits = (1..=1000).filter(|&call| rule.hits(call)).count();
        assert!((400..600).contains(&hits), "{hits}");
    }

    #[test]
    fn a_rule_is_read_from_toml() {
        let rule: Rule = toml::from_str(
            "on = 'GetObject'\nfrom = 2\nto = 2\nthen = [{ delay_ms = 5 }, 'drop', \
             { cut_body = { after = 3 } }, { script = [{ put = { bucket = 'b', key = 'k' } }] }]",
        )
        .unwrap();
        assert_eq!(rule.effects.len(), 4);
        assert_eq!(rule.effects[1], Effect::Drop);
    }
}
