//! `s3plan state rebuild`: begins a new state with what the sealed archives record.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::archive::ArchiveError;
use crate::archive::bag;
use crate::archive::keymap::FolderWatch;
use crate::model::BucketName;
use crate::report::{counted, shown};
use crate::state::{Open, State, StateError};

use super::exit::{Exit, Failure};
use super::session::Session;
use super::verify::known_archives;

pub(super) fn run(folders: &[PathBuf], session: &Session) -> Result<Exit, Failure> {
    let project = session.project()?;
    // Asked for before the state goes aside: it may know archives that no plan file names.
    let archives = match folders {
        [] => known_archives(&project, session)?.into_values().collect(),
        named => named.iter().map(|folder| session.path(folder)).collect::<Vec<_>>(),
    };
    if archives.is_empty() {
        let message = "no plan of this project archives anything";
        return Err(Failure::usage("cli/no-archive", message).help("name the archives' folders"));
    }
    for folder in folders {
        if bag::read_identity(&session.path(folder)).is_none() {
            return Err(ArchiveError::NotSealed(session.path(folder)).into());
        }
    }
    let holder = session.holder("state rebuild");
    let now_ms = session.now().as_millisecond();
    let file = session.state_file();
    match State::set_aside(&project.state_folder(), file.as_deref(), &holder, now_ms) {
        Ok(aside) => {
            session.say(&format!("the state until now is {}", shown(&project.named(&aside))))
        }
        Err(StateError::Missing { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let state = session.state(&project, Open::Write { holder: &holder })?;
    let mut rebuilt: BTreeMap<BucketName, u64> = BTreeMap::new();
    for folder in &archives {
        let Some(owner) = bag::read_identity(folder) else {
            session.say(&format!("{}: no archive is there", shown(&folder.to_string_lossy())));
            continue;
        };
        state.bind(&owner.account)?;
        let objects = take_rows(&state, folder, &owner.bucket, now_ms)?;
        rebuilt.insert(owner.bucket, objects);
    }
    for (bucket, objects) in &rebuilt {
        let objects = counted(*objects, "object version");
        session.screen().out_line(&format!("{}: {objects}, to be proven", shown(bucket.as_str())));
    }
    session.say(
        "The next `s3plan plan` finds the files that are in place, and its apply proves them against \
         S3 by hashing. Nothing is deleted without a new approval.",
    );
    Ok(Exit::Done)
}

/// Takes what S3 had when the bag was sealed as the bucket's inventory. Nothing of it counts as
/// stored: that is for hashing to show.
fn take_rows(
    state: &State,
    folder: &Path,
    bucket: &BucketName,
    now_ms: i64,
) -> Result<u64, Failure> {
    let mut writer = state.begin_inventory(bucket)?;
    writer.mark_archived();
    let mut folders = FolderWatch::new();
    let mut last: Option<(String, Option<String>)> = None;
    for row in bag::read_rows(folder)? {
        let row = row?;
        let id = (row.key.clone(), row.version_id.clone());
        if !row.in_s3 || last.as_ref() == Some(&id) {
            continue;
        }
        let number = writer.push(&row.version())?;
        for shadowed in folders.feed(&row.key, number).into_iter().flatten() {
            writer.mark_beside_folder(shadowed)?;
        }
        last = Some(id);
    }
    Ok(writer.finish(now_ms)?.objects)
}
