//! A project: the manifest's folder, with `plans/` and `.s3plan/` in it.

use std::path::{Path, PathBuf};

use crate::model::absolute;

use super::exit::{Exit, Failure};

/// How plan files end.
const PLAN_ENDING: &str = ".plan.toml";

/// A project's folder, absolute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    folder: PathBuf,
}

impl Project {
    /// The folder that a manifest is in; relative paths begin at `from`.
    pub fn of_manifest(manifest: &Path, from: &Path) -> Self {
        let manifest = from.join(manifest);
        let folder = manifest.parent().unwrap_or(from);
        // A missing folder shows itself when the manifest is read.
        Self { folder: folder.canonicalize().unwrap_or_else(|_| folder.to_owned()) }
    }

    /// Exactly this folder.
    pub fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// The nearest folder upwards from `from` that has `.s3plan/` in it; `None` where none has.
    pub fn upwards(from: &Path) -> Option<Self> {
        let found = from.ancestors().find(|folder| folder.join(".s3plan").is_dir());
        found.map(Self::at)
    }

    /// The project that a plan file belongs to by its place, `PROJECT/plans/x.plan.toml`; `None`
    /// where it lies elsewhere. For a fresh checkout, which has no `.s3plan/` yet.
    pub fn of_plan(plan: &Path) -> Option<Self> {
        let plan = plan.canonicalize().ok()?;
        let plans = plan.parent().filter(|folder| folder.ends_with("plans"))?;
        plans.parent().map(Self::at)
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where s3plan keeps its state.
    pub fn state_folder(&self) -> PathBuf {
        self.folder.join(".s3plan")
    }

    /// Where an archive is: `to` as a plan has it, `~` and relative paths resolved; `None` where
    /// `~` has no home folder.
    pub fn place(&self, to: &str, home: Option<&Path>) -> Option<PathBuf> {
        absolute(to, home, &self.folder)
    }

    /// A file as messages name it: relative to the project where it lies in it.
    pub fn named(&self, path: &Path) -> String {
        path.strip_prefix(&self.folder).unwrap_or(path).display().to_string()
    }

    /// Where a manifest's plan is saved by default: `plans/<manifest stem>.plan.toml`.
    pub fn plan_of(&self, manifest: &Path) -> PathBuf {
        let stem = manifest.file_stem().unwrap_or(manifest.as_os_str());
        let mut name = stem.to_owned();
        name.push(PLAN_ENDING);
        self.folder.join("plans").join(name)
    }

    /// Every plan under `plans/`, by name; empty where there is no such folder.
    ///
    /// # Errors
    /// Where the folder is there and cannot be read.
    pub fn plans(&self) -> Result<Vec<PathBuf>, Failure> {
        let folder = self.folder.join("plans");
        let unreadable = |error: std::io::Error| {
            let message = format!("cannot read {}: {error}", folder.display());
            Failure::new(Exit::Failed, "plan/unreadable", message)
        };
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(unreadable(error)),
        };
        let mut plans = Vec::new();
        for entry in entries {
            let path = entry.map_err(unreadable)?.path();
            if path.to_string_lossy().ends_with(PLAN_ENDING) && path.is_file() {
                plans.push(path);
            }
        }
        plans.sort();
        Ok(plans)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_found_from_below_and_by_its_plan() {
        let temp = tempfile::tempdir().expect("a folder");
        let root = temp.path().canonicalize().expect("a path");
        let below = root.join("a/b");
        std::fs::create_dir_all(&below).expect("folders");
        assert_eq!(Project::upwards(&below), None);
        std::fs::create_dir_all(root.join(".s3plan")).expect("a folder");
        std::fs::create_dir_all(root.join("plans")).expect("a folder");
        let project = Project::upwards(&below).expect("found");
        assert_eq!(project.folder(), root);
        let plan = project.plan_of(Path::new("../x/manifest.toml"));
        assert_eq!(plan, root.join("plans/manifest.plan.toml"));
        assert!(project.plans().expect("readable").is_empty());
        std::fs::write(&plan, "").expect("a file");
        std::fs::write(root.join("plans/notes.toml"), "").expect("a file");
        assert_eq!(project.plans().expect("readable"), std::slice::from_ref(&plan));
        assert_eq!(Project::of_plan(&plan), Some(project));
    }
}
