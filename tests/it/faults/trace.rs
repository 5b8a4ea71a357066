//! Reads what strace wrote down of a program: the calls that change files, one after the other.
//!
//! `strace -f -y -xx` shows every string as hexadecimal digits and every descriptor with its path, so
//! that a line can be taken apart at its commas.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// The calls that can change a file system; those behind a `?` are not on every processor. One that is
/// asked for and not understood is an error.
pub const CALLS: &str = "?open,openat,openat2,?creat,write,pwrite64,writev,pwritev,pwritev2,ftruncate,\
                         truncate,fallocate,?rename,?renameat,renameat2,?link,linkat,?symlink,\
                         symlinkat,?unlink,unlinkat,?rmdir,?mkdir,mkdirat,fsync,fdatasync,syncfs,\
                         utimensat,sync_file_range,copy_file_range,sendfile";

/// One call. One that never came back may or may not have had its effect.
#[derive(Debug)]
pub struct Call {
    pub name: String,
    args: Vec<String>,
    answer: Option<String>,
}

/// When something about a call is seen.
#[derive(Debug)]
pub enum Seen {
    /// It begins; the number tells which call.
    Begins(usize),
    /// It is over, or the program was.
    Ends(usize),
}

/// Calls, and the order in which they began and ended.
#[derive(Debug, Default)]
pub struct Trace {
    pub calls: Vec<Call>,
    pub order: Vec<Seen>,
}

impl Trace {
    pub fn read(text: &str) -> Self {
        let mut trace = Self::default();
        // The call that each thread is in, and what was said of it so far.
        let mut open: BTreeMap<&str, (usize, String)> = BTreeMap::new();
        for line in text.lines() {
            let Some((thread, said)) = line.split_once(' ') else { continue };
            let said = said.trim_start();
            let (number, whole) = if let Some(rest) = said.strip_prefix("<... ") {
                let Some((number, begun)) = open.remove(thread) else { continue };
                let rest = rest.split_once(" resumed>").map_or("", |(_, rest)| rest);
                (number, begun + rest)
            } else if said.starts_with("+++") || said.starts_with("---") {
                continue;
            } else {
                let number = trace.calls.len();
                trace.calls.push(Call { name: String::new(), args: Vec::new(), answer: None });
                trace.order.push(Seen::Begins(number));
                if let Some(begun) = said.strip_suffix(" <unfinished ...>") {
                    trace.calls[number] = Call::read(begun);
                    open.insert(thread, (number, begun.to_owned()));
                    continue;
                }
                (number, said.to_owned())
            };
            trace.calls[number] = Call::read(&whole);
            trace.order.push(Seen::Ends(number));
        }
        // Of those that were under way when the program died, any may have had its effect.
        trace.order.extend(open.into_values().map(|(number, _)| Seen::Ends(number)));
        trace
    }
}

impl Call {
    /// `name(arg, arg) = answer`, or its beginning.
    fn read(text: &str) -> Self {
        let (name, rest) = text.split_once('(').unwrap_or((text, ""));
        let (args, answer) = match rest.rsplit_once(") = ").or_else(|| {
            // Answers are lined up in columns.
            let at = rest.rfind(" = ")?;
            Some((rest[..at].trim_end().strip_suffix(')')?, &rest[at + 3..]))
        }) {
            Some((args, answer)) => (args, Some(answer.to_owned())),
            None => (rest, None),
        };
        let args = split(args);
        Self { name: name.to_owned(), args, answer }
    }

    /// It was refused: nothing happened.
    pub fn failed(&self) -> bool {
        self.answer.as_ref().is_some_and(|answer| answer.starts_with('-'))
    }

    /// It said that it is done, and well.
    pub fn came_back_well(&self) -> bool {
        self.answer.is_some() && !self.failed()
    }

    /// What it answered, where that is a number.
    pub fn count(&self) -> Option<usize> {
        let digits = self.answer.as_ref()?.split(['<', ' ']).next()?;
        digits.parse().ok()
    }

    /// The descriptor among its arguments or its answer.
    pub fn descriptor(&self, place: usize) -> Option<i64> {
        self.args.get(place)?.split('<').next()?.parse().ok()
    }

    /// The descriptor that it answered, and the file's path.
    pub fn opened(&self) -> Option<(i64, PathBuf)> {
        let answer = self.answer.as_ref()?;
        let (number, _) = answer.split_once('<')?;
        Some((number.parse().ok()?, path_behind(answer)?))
    }

    /// The path behind a descriptor.
    pub fn path_of(&self, place: usize) -> Option<PathBuf> {
        path_behind(self.args.get(place)?)
    }

    /// A path that is given by name, below a descriptor's where it is not absolute.
    pub fn path(&self, folder: Option<usize>, place: usize) -> Option<PathBuf> {
        let name = PathBuf::from(String::from_utf8(self.bytes(place)?).ok()?);
        match folder {
            Some(folder) if name.is_relative() => Some(self.path_of(folder)?.join(name)),
            _ => Some(name),
        }
    }

    /// A string among the arguments.
    pub fn bytes(&self, place: usize) -> Option<Vec<u8>> {
        let arg = self.args.get(place)?;
        unhex(arg.strip_prefix('"')?.strip_suffix('"')?)
    }

    pub fn number(&self, place: usize) -> Option<usize> {
        self.args.get(place)?.parse().ok()
    }

    pub fn says(&self, word: &str) -> bool {
        self.args.iter().any(|arg| arg.contains(word))
    }

    /// The second time of `[{tv_sec=…, tv_nsec=…}, {tv_sec=…, tv_nsec=…}]`, in nanoseconds.
    pub fn second_time(&self) -> Option<i128> {
        let times = self.args.iter().find(|arg| arg.contains("tv_sec="))?;
        let field = |name: &str| -> Option<i128> {
            let (_, rest) = times.rsplit_once(name)?;
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(rest.len());
            rest[..end].parse().ok()
        };
        Some(field("tv_sec=")? * 1_000_000_000 + field("tv_nsec=")?)
    }
}

/// At the commas that stand in no bracket.
fn split(args: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0;
    for c in args.chars() {
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts.into_iter().map(|part| part.trim().to_owned()).collect()
}

/// `7<\x2f\x74\x6d\x70>` → `/tmp`
fn path_behind(text: &str) -> Option<PathBuf> {
    let (_, rest) = text.split_once('<')?;
    let (path, _) = rest.split_once('>')?;
    Some(PathBuf::from(String::from_utf8(unhex(path)?).ok()?))
}

/// `\x2f\x74` → `/t`
fn unhex(text: &str) -> Option<Vec<u8>> {
    hex::decode(text.replace("\\x", "")).ok()
}
