//! Walks a tree of folders of any width and depth, holding little of it at a time.

use std::io;

use rustix::fs::{Dir, DirEntry, FileType};

use super::beneath::Root;

/// From this depth on a folder's names are read at once and its handle is closed, so that a key of
/// a thousand folders does not need a thousand descriptors. Broad folders are not that deep.
const DEEP: usize = 64;

/// What a walk meets.
pub(in crate::archive) enum Found<'a> {
    /// Anything but a folder, by its path from the root.
    File(&'a [u8], FileType),
    /// A folder that cannot be read.
    Unreadable(&'a str, io::Error),
}

/// Meets everything under a folder, in no order, following no link.
pub(in crate::archive) fn walk(root: &Root, top: &str, meet: &mut dyn FnMut(Found<'_>)) {
    let mut levels = Vec::new();
    enter(root, top.to_owned(), &mut levels, meet);
    while let Some(level) = levels.last_mut() {
        let (name, kind) = match level.names.next() {
            Some(Ok(next)) => next,
            Some(Err(e)) => {
                meet(Found::Unreadable(&level.path, e));
                levels.pop();
                continue;
            }
            None => {
                levels.pop();
                continue;
            }
        };
        let path = [level.path.as_bytes(), b"/", &name].concat();
        match std::str::from_utf8(&path) {
            Ok(text) if is_folder(root, text, kind) => {
                let text = text.to_owned();
                enter(root, text, &mut levels, meet);
            }
            // A folder whose name is no text holds nothing of ours: it is met as one thing.
            _ => meet(Found::File(&path, kind)),
        }
    }
}

fn is_folder(root: &Root, path: &str, kind: FileType) -> bool {
    match kind {
        FileType::Directory => true,
        // Some file systems do not say.
        FileType::Unknown => root
            .stat(path)
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory),
        _ => false,
    }
}

fn enter(root: &Root, path: String, levels: &mut Vec<Level>, meet: &mut dyn FnMut(Found<'_>)) {
    match open(root, &path, levels.len()) {
        Ok(names) => levels.push(Level { path, names }),
        // No payload folder: everything in it will be found missing.
        Err(e) if levels.is_empty() && e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => meet(Found::Unreadable(&path, e)),
    }
}

fn open(root: &Root, path: &str, depth: usize) -> io::Result<Names> {
    let dir = Dir::read_from(root.folder(path)?)?;
    if depth < DEEP {
        return Ok(Names::Open(dir));
    }
    let names: io::Result<Vec<_>> = Names::Open(dir).collect();
    Ok(Names::Read(names?.into_iter()))
}

struct Level {
    path: String,
    names: Names,
}

enum Names {
    Open(Dir),
    Read(std::vec::IntoIter<(Vec<u8>, FileType)>),
}

impl Iterator for Names {
    type Item = io::Result<(Vec<u8>, FileType)>;

    fn next(&mut self) -> Option<Self::Item> {
        let own = |entry: DirEntry| (entry.file_name().to_bytes().to_vec(), entry.file_type());
        match self {
            Self::Read(names) => names.next().map(Ok),
            Self::Open(dir) => loop {
                match dir.next()? {
                    Ok(entry) if matches!(entry.file_name().to_bytes(), b"." | b"..") => {}
                    Ok(entry) => return Some(Ok(own(entry))),
                    Err(e) => return Some(Err(e.into())),
                }
            },
        }
    }
}
