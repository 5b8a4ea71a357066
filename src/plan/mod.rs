//! The plan: an ordered action graph with what it expects, as a text file that people review.
//!
//! In: [`Desired`], [`Observed`], the moment of observation. Out: a [`Plan`], or the blockers that
//! make one impossible. [`mod@file`] saves and loads it and owns its digest, [`audit`] holds its
//! rules, [`estimate`] prices it, [`words`] tells it to people, [`schema`] to programs. Pure but
//! for load and save.

pub mod audit;
pub mod estimate;
pub mod file;
pub mod limits;
pub mod permissions;
pub mod prices;
mod schema;
mod span;
pub mod words;

pub use schema::schema;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use self::estimate::Estimator;
use self::prices::Prices;
use crate::diff::{self, Blocker};
use crate::graph;
use crate::model::{
    AccountId, Action, ActionGraph, ActionKind, AfterArchive, BucketName, Change, Desired,
    DesiredArchive, Endpoint, FoundAt, ManifestRef, Observed, SeenBucket, UnconditionalDeletes,
    Unprovable, UploadInProgress, Versioning, VersionsWanted,
};

/// The plan file format that this program writes: major, minor. A minor step only adds.
pub const FORMAT: (u32, u32) = (1, 1);

/// A plan: what [`file::load`] gives and [`make`] makes.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// SHA-256 of the file without its digest line, 64 hex digits; also the id of its run.
    pub digest: String,
    /// The plan as people read it, which is also the comment at the head of the file.
    pub words: String,
    /// What the file says below that.
    pub body: Body,
}

/// The part of a plan file that machines read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// The only account this may be applied to.
    pub account: AccountId,
    /// AWS itself, or a custom endpoint.
    pub endpoint: Endpoint,
    /// Who made it.
    pub caller: PlanCaller,
    /// What it was made from.
    pub manifest: ManifestRef,
    /// The table of prices that its estimates are made from, by name. Since 1.1.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prices: String,
    /// How fast data may move.
    #[serde(default, skip_serializing_if = "PlanTransfer::is_unlimited")]
    pub transfer: PlanTransfer,
    /// The buckets that the manifest covers, by name.
    #[serde(default, rename = "bucket")]
    pub buckets: Vec<PlannedBucket>,
    /// In order of application.
    #[serde(default, rename = "action")]
    pub actions: Vec<Action>,
}

/// Who made a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanCaller {
    /// Their ARN.
    pub arn: String,
    /// Their unique id.
    pub user_id: String,
}

/// How fast data may move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanTransfer {
    /// Bytes a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bandwidth: Option<u64>,
    /// Connections at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_connections: Option<u32>,
}

impl PlanTransfer {
    /// Whether the manifest sets no limit.
    fn is_unlimited(&self) -> bool {
        *self == Self::default()
    }
}

/// What a plan holds of one bucket: the outcome it leads to and what was seen of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlannedBucket {
    /// Its name.
    pub name: BucketName,
    /// Where it lives.
    pub region: String,
    /// Whether it kept versions when it was seen.
    pub versioning: Versioning,
    /// Its archive; absent where only a policy is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive: Option<PlannedArchive>,
}

/// The archive of a planned bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlannedArchive {
    /// As written in the manifest, placeholders filled in.
    pub to: String,
    /// What becomes of the bucket.
    pub then: AfterArchive,
    /// Which versions are archived.
    pub versions: VersionsWanted,
    /// Key globs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub include: Vec<String>,
    /// Key globs; wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// What becomes of objects without proof.
    pub unprovable: Unprovable,
    /// What to do where the server ignores conditions.
    pub unconditional_deletes: UnconditionalDeletes,
    /// What was at `to`: where that is gone, its file system is not mounted.
    #[serde(default, skip_serializing_if = "FoundAt::is_nothing")]
    pub found: FoundAt,
    /// Digest of the inventory that was seen, 64 hex digits.
    pub inventory: String,
    /// Object versions that the outcome covers: a ceiling.
    pub objects: u64,
    /// Their bytes: a ceiling.
    pub bytes: u64,
}

impl Plan {
    /// The planned bucket of this name; `None` where the plan does not cover it.
    pub fn bucket(&self, name: &BucketName) -> Option<&PlannedBucket> {
        self.body.buckets.iter().find(|bucket| &bucket.name == name)
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.body.actions.is_empty()
    }

    /// The actions on one bucket, in order.
    pub fn actions_of<'a>(&'a self, bucket: &'a BucketName) -> impl Iterator<Item = &'a Action> {
        self.body.actions.iter().filter(move |action| &action.bucket == bucket)
    }
}

/// Makes a plan of what is wanted and what was seen.
///
/// `observed_at_ms` is milliseconds since the Unix epoch; it decides only about blockers, never
/// about a byte of the plan.
///
/// # Errors
/// All the [`Blocker`]s found: none of the plan may be applied, so none of it is written.
pub fn make(
    desired: &Desired,
    observed: &Observed,
    observed_at_ms: i64,
    prices: &Prices,
) -> Result<Plan, Vec<Blocker>> {
    let found = diff::compare(desired, observed, observed_at_ms);
    let mut blockers = found.blockers;
    let mut graph = graph::order(&found.changes);
    dress(&mut graph, &found.changes, desired, observed, prices);
    blockers.extend(limits::exceeded(desired, &graph));
    if !blockers.is_empty() {
        return Err(blockers);
    }
    let buckets = desired.buckets.iter().zip(&observed.buckets).map(|(wanted, seen)| {
        let archive = wanted.archive.as_ref().map(|archive| planned_archive(archive, seen));
        PlannedBucket {
            name: wanted.name.clone(),
            region: seen.bucket.region.clone(),
            versioning: seen.bucket.versioning,
            archive,
        }
    });
    let body = Body {
        account: desired.account.clone(),
        endpoint: observed.endpoint,
        caller: PlanCaller {
            arn: observed.caller.arn.clone(),
            user_id: observed.caller.user_id.clone(),
        },
        manifest: desired.manifest.clone(),
        prices: prices.name.clone(),
        transfer: PlanTransfer {
            max_bandwidth: desired.transfer.max_bandwidth,
            max_connections: desired.transfer.max_connections,
        },
        buckets: buckets.collect(),
        actions: graph.actions,
    };
    let words = words::tell(&body, desired, observed, &found.changes, prices);
    Ok(file::complete(body, words))
}

fn planned_archive(archive: &DesiredArchive, seen: &SeenBucket) -> PlannedArchive {
    let tally = seen.tally.as_ref();
    PlannedArchive {
        to: archive.to.clone(),
        then: archive.then,
        versions: archive.versions,
        include: archive.include.clone(),
        exclude: archive.exclude.clone(),
        unprovable: archive.unprovable,
        unconditional_deletes: archive.unconditional_deletes,
        found: seen.destination.as_ref().map(|place| place.found).unwrap_or_default(),
        inventory: tally.map(|tally| tally.inventory_digest.clone()).unwrap_or_default(),
        objects: tally.map_or(0, |tally| tally.selected.objects),
        bytes: tally.map_or(0, |tally| tally.selected.bytes),
    }
}

/// Adds to each action what only the manifest or the prices know.
fn dress(
    graph: &mut ActionGraph,
    changes: &[Change],
    desired: &Desired,
    observed: &Observed,
    prices: &Prices,
) {
    let mut estimator = Estimator::new(prices);
    for (action, change) in graph.actions.iter_mut().zip(changes) {
        let place = desired.buckets.iter().position(|bucket| bucket.name == action.bucket);
        let Some(place) = place else { continue };
        let Some(archive) = &desired.buckets[place].archive else { continue };
        let seen = &observed.buckets[place];
        match action.kind {
            ActionKind::Restore => {
                action.tier = Some(archive.restore.tier);
                action.days = Some(archive.restore.days);
            }
            ActionKind::AbortUploads => {
                action.uploads_digest = Some(uploads_digest(&seen.bucket.uploads));
            }
            _ => {}
        }
        let Some(tally) = &seen.tally else { continue };
        let estimate = estimator.next(change, archive, tally);
        action.cost = estimate.cost;
        action.cost_at_most = Some(estimate.cost_at_most).filter(|most| *most > estimate.cost);
        action.hours = estimate.hours;
    }
}

/// SHA-256 over unfinished uploads, each by key and id in order, length-prefixed; 64 hex digits.
pub fn uploads_digest(uploads: &[UploadInProgress]) -> String {
    let mut sorted: Vec<_> = uploads.iter().map(|u| (&u.key, &u.upload_id)).collect();
    sorted.sort();
    let mut digest = Sha256::new();
    for text in sorted.into_iter().flat_map(|(key, id)| [key, id]) {
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text.as_bytes());
    }
    hex::encode(digest.finalize())
}
