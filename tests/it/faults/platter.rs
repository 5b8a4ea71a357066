//! What a disk may hold after the power went: a file tree, and all that a program did to it since,
//! synced or not.
//!
//! Only what was synced is sure. Of the rest any part may have got through, in any mixture: a name
//! without its file's bytes, bytes without the name, single sectors of a write. A file's sync does not
//! make its name durable, that is its folder's; a rename has happened whole or not at all, but the old
//! name may still be there beside the new one.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::dice::Dice;
use super::trace::{Call, Seen, Trace};

const SECTOR: usize = 512;
const ROOT: usize = 0;

#[derive(Clone, Debug)]
enum Node {
    Folder(BTreeMap<String, usize>),
    File { bytes: Vec<u8>, mtime: SystemTime },
}

#[derive(Clone, Debug)]
enum Op {
    Add { folder: usize, name: String, node: usize },
    Remove { folder: usize, name: String },
    Rename { node: usize, from: (usize, String), to: (usize, String) },
    Write { node: usize, at: usize, bytes: Vec<u8> },
    Length { node: usize, length: usize },
    Time { node: usize, mtime: SystemTime },
}

impl Op {
    fn is_of_names(&self) -> bool {
        matches!(self, Self::Add { .. } | Self::Remove { .. } | Self::Rename { .. })
    }
}

/// A file tree, with what was done to it.
pub struct Platter {
    root: PathBuf,
    /// As it was when the program began, and empty nodes for what it made.
    first: Vec<Node>,
    /// As the program saw it last.
    now: Vec<Node>,
    ops: Vec<(Op, Durable)>,
    /// Where `write` stands in each open file.
    places: BTreeMap<i64, usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Durable {
    No,
    /// A rename whose new folder was synced, and whose old one was not.
    NewName,
    Yes,
}

/// What of the unsynced things gets through.
#[derive(Clone, Copy, Debug)]
pub enum Mood {
    Nothing,
    All,
    /// Names, not the bytes behind them.
    Names,
    /// Bytes, not the names.
    Bytes,
    /// Any of it.
    Any(u64),
}

impl Mood {
    /// A mood for a number: each in turn, most of them mixtures.
    pub fn of(number: u64) -> Self {
        match number % 8 {
            0 => Self::Nothing,
            1 => Self::All,
            2 => Self::Names,
            3 => Self::Bytes,
            _ => Self::Any(number),
        }
    }
}

impl Platter {
    /// What is on the disk before a program runs; all of it is durable.
    pub fn of(root: &Path) -> Self {
        let root = root.canonicalize().expect("a folder");
        let mut first = vec![Node::Folder(BTreeMap::new())];
        load(&root, ROOT, &mut first);
        let now = first.clone();
        Self { root, first, now, ops: Vec::new(), places: BTreeMap::new() }
    }

    /// Does again what a program did.
    pub fn replay(&mut self, trace: &Trace) {
        // How much had been done when each call began: a sync is sure of no more.
        let mut begun = BTreeMap::new();
        for seen in &trace.order {
            match seen {
                Seen::Begins(number) => {
                    begun.insert(*number, self.ops.len());
                }
                Seen::Ends(number) => {
                    let call = &trace.calls[*number];
                    if !call.failed() {
                        self.take(call, begun[number]);
                    }
                }
            }
        }
    }

    fn take(&mut self, call: &Call, begun: usize) {
        match call.name.as_str() {
            "open" | "openat" | "openat2" | "creat" => self.open(call),
            "write" => {
                let Some((node, bytes)) = self.of_descriptor(call).zip(call.bytes(1)) else {
                    return;
                };
                let length = call.count().unwrap_or(bytes.len());
                let descriptor = call.descriptor(0).expect("a descriptor");
                let place = self.places.entry(descriptor).or_default();
                let at = *place;
                *place += length;
                self.push(Op::Write { node, at, bytes: bytes[..length].to_vec() });
            }
            "pwrite64" => {
                let Some((node, bytes)) = self.of_descriptor(call).zip(call.bytes(1)) else {
                    return;
                };
                let at = call.number(3).expect("an offset");
                let length = call.count().unwrap_or(bytes.len());
                self.push(Op::Write { node, at, bytes: bytes[..length].to_vec() });
            }
            "ftruncate" => {
                let Some(node) = self.of_descriptor(call) else { return };
                let length = call.number(1).expect("a length");
                self.push(Op::Length { node, length });
            }
            // Room is reserved; no reader sees that.
            "fallocate" if call.says("KEEP_SIZE") => {}
            "utimensat" => {
                let Some(node) = self.of_descriptor(call) else { return };
                let nanoseconds = call.second_time().and_then(|time| u64::try_from(time).ok());
                let after = Duration::from_nanos(nanoseconds.expect("a time"));
                self.push(Op::Time { node, mtime: SystemTime::UNIX_EPOCH + after });
            }
            "mkdir" => self.make_folder(call.path(None, 0)),
            "mkdirat" => self.make_folder(call.path(Some(0), 1)),
            "rename" => self.rename(call.path(None, 0), call.path(None, 1)),
            "renameat" | "renameat2" => self.rename(call.path(Some(0), 1), call.path(Some(2), 3)),
            "unlink" | "rmdir" => self.remove(call.path(None, 0)),
            "unlinkat" => self.remove(call.path(Some(0), 1)),
            "fsync" | "fdatasync" => {
                if let Some(node) = self.of_descriptor(call).filter(|_| call.came_back_well()) {
                    self.sync(node, begun);
                }
            }
            "syncfs" if call.came_back_well() => {
                self.ops[..begun].iter_mut().for_each(|(_, durable)| *durable = Durable::Yes);
            }
            "syncfs" => {}
            _ => {
                let inside = (0..4)
                    .filter_map(|place| call.path_of(place))
                    .any(|path| path.starts_with(&self.root));
                assert!(!inside, "not understood: {call:?}");
            }
        }
    }

    fn open(&mut self, call: &Call) {
        let Some((descriptor, path)) = call.opened() else { return };
        let Some((folder, name)) = self.place_of(&path) else { return };
        let node = match self.find(&path) {
            Some(node) => node,
            None if call.says("O_CREAT") => {
                let node =
                    self.new_node(Node::File { bytes: Vec::new(), mtime: SystemTime::now() });
                self.push(Op::Add { folder, name, node });
                node
            }
            None => return,
        };
        let Node::File { bytes, .. } = &self.now[node] else { return };
        let length = bytes.len();
        if call.says("O_TRUNC") && length > 0 {
            self.push(Op::Length { node, length: 0 });
        }
        let place = if call.says("O_APPEND") { length } else { 0 };
        self.places.insert(descriptor, place);
    }

    fn make_folder(&mut self, path: Option<PathBuf>) {
        let Some((folder, name)) = path.and_then(|path| self.place_of(&path)) else { return };
        let node = self.new_node(Node::Folder(BTreeMap::new()));
        self.push(Op::Add { folder, name, node });
    }

    fn rename(&mut self, from: Option<PathBuf>, to: Option<PathBuf>) {
        let place = |path: Option<PathBuf>| path.and_then(|path| self.place_of(&path));
        let (from, to) = (place(from), place(to));
        let Some((from, to)) = from.zip(to) else { return };
        let Node::Folder(names) = &self.now[from.0] else { return };
        let node = *names.get(&from.1).expect("a file that is renamed");
        self.push(Op::Rename { node, from, to });
    }

    fn remove(&mut self, path: Option<PathBuf>) {
        let Some((folder, name)) = path.and_then(|path| self.place_of(&path)) else { return };
        self.push(Op::Remove { folder, name });
    }

    /// What was done before the sync began is on the disk.
    fn sync(&mut self, synced: usize, begun: usize) {
        for (op, durable) in &mut self.ops[..begun] {
            *durable = match op {
                Op::Add { folder, .. } | Op::Remove { folder, .. } if *folder == synced => {
                    Durable::Yes
                }
                Op::Rename { from, .. } if from.0 == synced => Durable::Yes,
                Op::Rename { to, .. } if to.0 == synced && *durable == Durable::No => {
                    Durable::NewName
                }
                Op::Write { node, .. } | Op::Length { node, .. } | Op::Time { node, .. }
                    if *node == synced =>
                {
                    Durable::Yes
                }
                _ => *durable,
            }
        }
    }

    /// Puts on the disk what may be there after the power went now.
    pub fn cut(&self, mood: Mood) {
        let mut nodes = self.first.clone();
        let mut dice = Dice(if let Mood::Any(seed) = mood { seed } else { 0 });
        let mut coin = || dice.below(2) == 0;
        for (op, durable) in &self.ops {
            let survives = match mood {
                _ if *durable != Durable::No => true,
                Mood::Nothing => false,
                Mood::All => true,
                Mood::Names => op.is_of_names(),
                Mood::Bytes => !op.is_of_names(),
                Mood::Any(_) => coin(),
            };
            let is_torn = matches!(mood, Mood::Any(_)) && *durable == Durable::No && coin();
            match op {
                Op::Write { node, at, bytes } if is_torn => {
                    for (number, sector) in bytes.chunks(SECTOR).enumerate().filter(|_| coin()) {
                        let (node, at) = (*node, at + number * SECTOR);
                        apply(&mut nodes, &Op::Write { node, at, bytes: sector.to_vec() });
                    }
                }
                Op::Rename { node, from, .. } if survives => {
                    apply(&mut nodes, op);
                    // The old name may have stayed.
                    let may_stay = *durable == Durable::NewName && matches!(mood, Mood::Any(_));
                    if may_stay && coin() {
                        let ((folder, name), node) = (from.clone(), *node);
                        apply(&mut nodes, &Op::Add { folder, name, node });
                    }
                }
                op if survives => apply(&mut nodes, op),
                _ => {}
            }
        }
        for entry in fs::read_dir(&self.root).expect("a folder") {
            let path = entry.expect("an entry").path();
            let gone =
                if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            gone.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
        store(&nodes, ROOT, &self.root);
    }

    fn push(&mut self, op: Op) {
        apply(&mut self.now, &op);
        self.ops.push((op, Durable::No));
    }

    fn new_node(&mut self, node: Node) -> usize {
        self.first.push(node.clone());
        self.now.push(node);
        self.now.len() - 1
    }

    /// The file or folder behind a call's first descriptor; `None` for those of other places.
    fn of_descriptor(&self, call: &Call) -> Option<usize> {
        self.find(&call.path_of(0)?)
    }

    fn find(&self, path: &Path) -> Option<usize> {
        let inside = path.strip_prefix(&self.root).ok()?;
        inside.iter().try_fold(ROOT, |folder, name| match &self.now[folder] {
            Node::Folder(names) => names.get(name.to_str()?).copied(),
            Node::File { .. } => None,
        })
    }

    /// The folder that a path's last name stands in, and the name.
    fn place_of(&self, path: &Path) -> Option<(usize, String)> {
        let folder = self.find(path.parent()?)?;
        Some((folder, path.file_name()?.to_str()?.to_owned()))
    }
}

fn apply(nodes: &mut [Node], op: &Op) {
    match op {
        Op::Add { folder, name, node } => {
            if let Node::Folder(names) = &mut nodes[*folder] {
                names.insert(name.clone(), *node);
            }
        }
        Op::Remove { folder, name } => {
            if let Node::Folder(names) = &mut nodes[*folder] {
                names.remove(name);
            }
        }
        Op::Rename { node, from, to } => {
            if let Node::Folder(names) = &mut nodes[from.0] {
                names.remove(&from.1);
            }
            if let Node::Folder(names) = &mut nodes[to.0] {
                names.insert(to.1.clone(), *node);
            }
        }
        Op::Write { node, at, bytes: new } => {
            if let Node::File { bytes, mtime } = &mut nodes[*node] {
                bytes.resize(bytes.len().max(at + new.len()), 0);
                bytes[*at..at + new.len()].copy_from_slice(new);
                *mtime = SystemTime::now();
            }
        }
        Op::Length { node, length } => {
            if let Node::File { bytes, .. } = &mut nodes[*node] {
                bytes.resize(*length, 0);
            }
        }
        Op::Time { node, mtime: new } => {
            if let Node::File { mtime, .. } = &mut nodes[*node] {
                *mtime = *new;
            }
        }
    }
}

fn load(path: &Path, folder: usize, nodes: &mut Vec<Node>) {
    for entry in fs::read_dir(path).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("a name of ours");
        let (path, node) = (entry.path(), nodes.len());
        let is_folder = path.is_dir();
        nodes.push(if is_folder {
            Node::Folder(BTreeMap::new())
        } else {
            let mtime = entry.metadata().and_then(|metadata| metadata.modified());
            let (bytes, mtime) = (fs::read(&path).expect("a file"), mtime.expect("a time"));
            Node::File { bytes, mtime }
        });
        if let Node::Folder(names) = &mut nodes[folder] {
            names.insert(name, node);
        }
        if is_folder {
            load(&path, node, nodes);
        }
    }
}

fn store(nodes: &[Node], folder: usize, path: &Path) {
    let Node::Folder(names) = &nodes[folder] else { return };
    for (name, &node) in names {
        let path = path.join(name);
        match &nodes[node] {
            Node::Folder(_) => {
                fs::create_dir(&path).expect("a folder");
                store(nodes, node, &path);
            }
            Node::File { bytes, mtime } => {
                fs::write(&path, bytes).expect("a file");
                let file = File::options().write(true).open(&path).expect("the file");
                file.set_modified(*mtime).expect("its time");
            }
        }
    }
}
