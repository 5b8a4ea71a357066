//! stdout and stderr: written to without ever panicking, coloured where that is wanted.

use std::io::{self, IsTerminal as _, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anstream::{AutoStream, ColorChoice};
use dialoguer::console::Term;
use indicatif::{MultiProgress, ProgressDrawTarget};
use serde::Serialize;

use super::text::{json_line, shown_json};

/// When colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// On terminals, unless `NO_COLOR` or its kin say otherwise.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How often bars are drawn at most.
const DRAWS_A_SECOND: u8 = 10;

/// Where everything that is said goes. Cheap to clone; clones share the streams.
///
/// Writing never fails and never panics: what went wrong is kept for [`Screen::trouble`]. Once the
/// reader of a pipe is gone, the rest is swallowed.
#[derive(Clone)]
pub struct Screen {
    streams: Arc<Streams>,
    bars: MultiProgress,
}

struct Streams {
    out: Mutex<Stream>,
    err: Mutex<Stream>,
    /// Held by the one whose turn it is to ask.
    turn: Mutex<()>,
    /// The question that stands on the screen; `None` while none does.
    question: Mutex<Option<String>>,
}

struct Stream {
    to: AutoStream<Box<dyn Write + Send>>,
    colored: bool,
    /// Why it cannot be written to any more.
    trouble: Option<io::Error>,
}

impl Screen {
    /// The process's own stdout and stderr.
    pub fn new(color: Color) -> Self {
        let choice = |found: ColorChoice| match color {
            Color::Auto => found,
            Color::Always => ColorChoice::AlwaysAnsi,
            Color::Never => ColorChoice::Never,
        };
        let (out, err) = (io::stdout(), io::stderr());
        let out_choice = choice(AutoStream::choice(&out));
        let err_choice = choice(AutoStream::choice(&err));
        let bars = MultiProgress::with_draw_target(match err.is_terminal() {
            true => ProgressDrawTarget::stderr_with_hz(DRAWS_A_SECOND),
            false => ProgressDrawTarget::hidden(),
        });
        Self::over(Box::new(out), out_choice, Box::new(err), err_choice, bars)
    }

    fn over(
        out: Box<dyn Write + Send>,
        out_color: ColorChoice,
        err: Box<dyn Write + Send>,
        err_color: ColorChoice,
        bars: MultiProgress,
    ) -> Self {
        let stream = |to, choice| {
            Mutex::new(Stream {
                to: AutoStream::new(to, choice),
                colored: choice != ColorChoice::Never,
                trouble: None,
            })
        };
        let streams = Streams {
            out: stream(out, out_color),
            err: stream(err, err_color),
            turn: Mutex::default(),
            question: Mutex::default(),
        };
        Self { streams: Arc::new(streams), bars }
    }

    /// Writes a result to stdout, as it stands.
    pub fn out(&self, text: &str) {
        self.bars.suspend(|| held(&self.streams.out).write(text));
    }

    /// Writes one line to stdout.
    pub fn out_line(&self, line: &str) {
        self.out(&format!("{line}\n"));
    }

    /// Writes a result to stdout as one JSON document, harmless for a terminal.
    pub fn json(&self, document: &impl Serialize) {
        // Documents of text and numbers under text keys always serialise.
        let json = serde_json::to_string_pretty(document).unwrap_or_default();
        self.out_line(&shown_json(&json));
    }

    /// Writes a result to stdout as one line of JSON, harmless for a terminal.
    pub fn json_line(&self, document: &impl Serialize) {
        self.out(&json_line(document));
    }

    /// Writes over what the terminal at stdout shows, from its first line on.
    pub fn repaint(&self, text: &str) {
        // Each line over the old one and the rest cleared: no flicker, unlike clearing first.
        let text = format!("\u{1b}[H{}\u{1b}[J", text.replace('\n', "\u{1b}[K\n"));
        if let Err(error) = Term::stdout().write_str(&text) {
            held(&self.streams.out).trouble.get_or_insert(error);
        }
    }

    /// Writes one line to stderr, above the bars if there are any.
    pub fn err_line(&self, line: &str) {
        self.err(&format!("{line}\n"));
    }

    /// Writes to stderr, as it stands. A question that stands there is asked again below.
    pub fn err(&self, text: &str) {
        let question = held(&self.streams.question);
        self.bars.suspend(|| match &*question {
            Some(question) => held(&self.streams.err).write(&format!("\n{text}{question}")),
            None => held(&self.streams.err).write(text),
        });
    }

    /// Puts a question on stderr and lets `read` fetch the answer. Nobody else waits for it: work
    /// and words go on meanwhile, only bars are hidden, and a second question waits its turn.
    pub fn ask<T>(&self, question: &str, read: impl FnOnce() -> T) -> T {
        let _turn = held(&self.streams.turn);
        let hidden = self.bars.is_hidden();
        if !hidden {
            // Where the bars cannot be wiped away there is no terminal any more.
            let _ = self.bars.clear();
            self.bars.set_draw_target(ProgressDrawTarget::hidden());
        }
        self.err(question);
        // Its last line is enough to know what is asked.
        let last = question.rsplit('\n').next().unwrap_or(question);
        *held(&self.streams.question) = Some(last.to_owned());
        let answer = read();
        *held(&self.streams.question) = None;
        if !hidden {
            self.bars.set_draw_target(ProgressDrawTarget::stderr_with_hz(DRAWS_A_SECOND));
        }
        answer
    }

    /// Whether stderr takes colours.
    pub fn colored_err(&self) -> bool {
        held(&self.streams.err).colored
    }

    /// What went wrong with stdout, once; `None` also when only its reader has gone, which is how
    /// `s3plan … | head` ends.
    pub fn trouble(&self) -> Option<io::Error> {
        let mut out = held(&self.streams.out);
        out.flush();
        out.trouble.take().filter(|error| error.kind() != io::ErrorKind::BrokenPipe)
    }

    /// Whether nobody reads stdout any more, or it cannot be written to.
    pub fn is_closed(&self) -> bool {
        held(&self.streams.out).trouble.is_some()
    }

    /// Where bars are drawn.
    pub(super) fn bars(&self) -> &MultiProgress {
        &self.bars
    }
}

impl Stream {
    fn write(&mut self, text: &str) {
        if self.trouble.is_none() {
            self.trouble = self.to.write_all(text.as_bytes()).err();
        }
        self.flush();
    }

    fn flush(&mut self) {
        if self.trouble.is_none() {
            self.trouble = self.to.flush().err();
        }
    }
}

/// Lets a logging library write to stderr.
impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.err(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A screen for tests, whose text can be read back.
#[cfg(test)]
pub(crate) mod captured {
    use super::*;

    /// What was written to one stream.
    #[derive(Clone, Default)]
    pub struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Captured {
        pub fn text(&self) -> String {
            String::from_utf8(held(&self.0).clone()).expect("text")
        }
    }

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            held(&self.0).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A screen and its two streams, coloured or not.
    pub fn screen(choice: ColorChoice) -> (Screen, Captured, Captured) {
        let (out, err) = (Captured::default(), Captured::default());
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
        let screen =
            Screen::over(Box::new(out.clone()), choice, Box::new(err.clone()), choice, bars);
        (screen, out, err)
    }

    /// A screen without colours.
    pub fn plain() -> (Screen, Captured, Captured) {
        screen(ColorChoice::Never)
    }

    /// A screen whose streams fail in this way at every write.
    pub fn broken(kind: io::ErrorKind) -> Screen {
        struct Broken(io::ErrorKind);
        impl Write for Broken {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(self.0.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Err(self.0.into())
            }
        }
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
        let never = ColorChoice::Never;
        Screen::over(Box::new(Broken(kind)), never, Box::new(Broken(kind)), never, bars)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_pipe_is_quiet_and_a_full_disk_is_told() {
        let gone = captured::broken(io::ErrorKind::BrokenPipe);
        gone.out_line("a result");
        gone.err_line("a word");
        assert!(gone.trouble().is_none());
        let full = captured::broken(io::ErrorKind::StorageFull);
        full.out_line("a result");
        assert_eq!(full.trouble().map(|error| error.kind()), Some(io::ErrorKind::StorageFull));
    }

    #[test]
    fn a_question_holds_up_nobody_and_stays_in_sight() {
        let (screen, _, err) = captured::plain();
        let other = screen.clone();
        let answer = screen.ask("Evidence\nYes? ", || {
            let teller = std::thread::spawn(move || other.err_line("meanwhile"));
            teller.join().expect("does not wait for the answer");
            "no"
        });
        screen.err_line("after");
        assert_eq!(answer, "no");
        assert_eq!(err.text(), "Evidence\nYes? \nmeanwhile\nYes? after\n");
    }

    #[test]
    fn a_pipe_gets_no_escape_bytes() {
        let (screen, out, _) = captured::plain();
        screen.out_line("\u{1b}[31mred\u{1b}[0m");
        assert_eq!(out.text(), "red\n");
        let (screen, out, _) = captured::screen(ColorChoice::AlwaysAnsi);
        screen.out_line("\u{1b}[31mred\u{1b}[0m");
        assert_eq!(out.text(), "\u{1b}[31mred\u{1b}[0m\n");
    }
}
