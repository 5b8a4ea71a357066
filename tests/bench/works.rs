//! What is to be moved: bucket by bucket, with keys that can be told from their numbers.

use std::fmt::Write as _;

/// What a work measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole bucket to a folder.
    Copy,
    /// A whole bucket listed; s3plan plans it.
    List,
}

/// One row group of the table.
#[derive(Clone, Debug)]
pub struct Work {
    /// Its short name, on the command line and as the bucket's.
    pub name: &'static str,
    pub kind: Kind,
    pub objects: u64,
    /// Bytes an object.
    pub size: u64,
    /// The size of the parts it was uploaded in; `None` for a single PUT.
    pub parts: Option<u64>,
    /// Folders that the keys lie in, alike in number.
    pub folders: u64,
    /// How long the server waits before each answer.
    pub latency_ms: u64,
    /// Whether only s3plan does it.
    pub alone: bool,
    /// Whether all versions are listed.
    pub versions: bool,
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// All works, each at `scale` times its full number of objects, or size where there are few.
pub fn all(scale: f64) -> Vec<Work> {
    let few = |n: u64| ((n as f64 * scale) as u64).max(1);
    let copy = |name, objects, size, folders| Work {
        name,
        kind: Kind::Copy,
        objects,
        size,
        parts: None,
        folders,
        latency_ms: 0,
        alone: false,
        versions: false,
    };
    let list = |name, objects, latency_ms, alone| Work {
        kind: Kind::List,
        latency_ms,
        alone,
        ..copy(name, objects, 1, 100.min(objects))
    };
    let huge = few(GIB).next_multiple_of(MIB);
    vec![
        copy("small", few(100_000), 4 * KIB, 200.min(few(100_000))),
        copy("medium", few(10_000), 256 * KIB, 50.min(few(10_000))),
        copy("huge-single", 4, huge, 1),
        Work { parts: Some(8 * MIB), ..copy("huge-parts", 4, huge, 1) },
        list("list", few(1_000_000), 0, false),
        list("list-30ms", few(1_000_000), 30, false),
        Work { versions: true, ..list("versions-30ms", few(200_000), 30, false) },
        list("plan-ten-times", few(10_000_000), 0, true),
    ]
}

impl Work {
    /// What it is, in words.
    pub fn title(&self) -> String {
        let objects = grouped(self.objects);
        match (self.kind, self.parts) {
            (Kind::Copy, None) => format!("{objects} × {}, single PUT", bytes(self.size)),
            (Kind::Copy, Some(part)) => {
                format!("{objects} × {}, parts of {}", bytes(self.size), bytes(part))
            }
            (Kind::List, _) if self.versions => {
                format!("{objects} versions listed, {} ms a request", self.latency_ms)
            }
            (Kind::List, _) if self.latency_ms > 0 => {
                format!("{objects} keys listed, {} ms a request", self.latency_ms)
            }
            (Kind::List, _) => format!("{objects} keys listed"),
        }
    }

    /// Bytes in all.
    pub fn total(&self) -> u64 {
        self.objects * self.size
    }

    fn in_folder(&self, folder: u64) -> u64 {
        self.objects / self.folders + u64::from(folder < self.objects % self.folders)
    }

    /// The world's lines for its bucket.
    pub fn world(&self) -> String {
        let mut text = format!("[bucket.{}]\n", self.name);
        if self.versions {
            text += "versioning = \"enabled\"\n";
        }
        for folder in 0..self.folders {
            let count = self.in_folder(folder);
            let _ = write!(
                text,
                "[[bucket.{}.object]]\nkey = \"f{folder:03}/{{n}}.bin\"\ncount = {count}\nsize = {}\n",
                self.name, self.size
            );
            // Huge ones differ; of the others the server holds the bytes once.
            let _ = match self.parts {
                Some(part) => writeln!(text, "parts = {part}"),
                None if self.size < GIB / 64 => writeln!(text, "same = true"),
                None => Ok(()),
            };
        }
        text
    }

    /// Every key, in order.
    pub fn keys(&self) -> impl Iterator<Item = String> + use<'_> {
        (0..self.folders).flat_map(|folder| {
            let count = self.in_folder(folder);
            let width = count.saturating_sub(1).to_string().len();
            (0..count).map(move |n| format!("f{folder:03}/{n:0width$}.bin"))
        })
    }
}

/// A number with its thousands apart.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn bytes(size: u64) -> String {
    match size {
        GIB.. if size.is_multiple_of(GIB) => format!("{} GiB", size / GIB),
        MIB.. => format!("{} MiB", size / MIB),
        KIB.. => format!("{} KiB", size / KIB),
        _ => format!("{size} B"),
    }
}
