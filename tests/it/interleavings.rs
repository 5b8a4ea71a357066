//! The whole under random worlds and a writer that moves them at random moments: whatever happens,
//! nothing goes that was not served whole, proven, durable and approved.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use s3plan_sandbox::{
    Algorithm, BucketSpec, ChecksumKind, Effect, Modes, ObjectSpec, Rule, Step, Versioning, World,
};
use sha2::{Digest as _, Sha256};

use crate::support::scene::Scene;

const BUCKET: &str = "photos-2019";
/// Worlds tried for each kind of versioning.
const CASES: u32 = 8;
/// The same with `S3PLAN_LONG=1` in the environment.
const MANY_CASES: u32 = 150;
/// Plans made in a row until the world stands still.
const ROUNDS: usize = 4;

/// One key with its versions, oldest first.
#[derive(Clone, Debug)]
struct Object {
    key: String,
    bodies: Vec<String>,
    kind: Kind,
    /// Hidden behind a delete marker, where versions are kept.
    hidden: bool,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Plain,
    Checksum,
    Parts,
    CompositeParts,
    Frozen,
}

/// Something that the writer does when the program asks for something.
#[derive(Clone, Debug)]
struct Move {
    on: &'static str,
    nth: u64,
    after: bool,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Put {
        key: String,
        body: String,
    },
    Delete {
        key: String,
    },
    Lapse {
        key: String,
    },
    Restore {
        key: String,
    },
    /// An object that was there at the start is put back as it was, bytes and all.
    PutBack {
        key: String,
    },
    /// A bit that turns on its way to the program.
    Flip,
}

fn keys() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "a/b", "b", "c d", "e\u{1}f", "g"]).prop_map(str::to_owned)
}

fn bodies() -> impl Strategy<Value = String> {
    // From a few letters, so that the same bytes come back now and then.
    "[xy]{0,3}|[a-z ]{20,60}"
}

fn objects() -> impl Strategy<Value = Vec<Object>> {
    use Kind::{Checksum, CompositeParts, Frozen, Parts, Plain};
    let kinds = prop::sample::select(vec![Plain, Plain, Checksum, Parts, CompositeParts, Frozen]);
    let object = (keys(), prop::collection::vec(bodies(), 1..3), kinds, any::<bool>())
        .prop_map(|(key, bodies, kind, hidden)| Object { key, bodies, kind, hidden });
    prop::collection::vec(object, 1..6).prop_map(|mut objects| {
        let mut seen = BTreeSet::new();
        objects.retain(|object| seen.insert(object.key.clone()));
        objects
    })
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let on = prop::sample::select(vec![
        "GetObject",
        "HeadObject",
        "ListObject*",
        "DeleteObjects",
        "DeleteObject*",
        "GetBucketVersioning",
    ]);
    let what = prop_oneof![
        3 => (keys(), bodies()).prop_map(|(key, body)| What::Put { key, body }),
        2 => keys().prop_map(|key| What::Delete { key }),
        1 => keys().prop_map(|key| What::Lapse { key }),
        1 => keys().prop_map(|key| What::Restore { key }),
        1 => keys().prop_map(|key| What::PutBack { key }),
        2 => Just(What::Flip),
    ];
    let one = (on, 1..9_u64, any::<bool>(), what).prop_map(|(on, nth, after, what)| Move {
        on,
        nth,
        after,
        what,
    });
    prop::collection::vec(one, 0..5)
}

fn world(objects: &[Object], moves: &[Move], versioning: Versioning) -> World {
    let mut bucket = BucketSpec::new(BUCKET).versioning(versioning);
    for object in objects {
        let most = if versioning == Versioning::Off { 1 } else { object.bodies.len() };
        for (n, body) in object.bodies.iter().take(most).enumerate() {
            let spec = ObjectSpec::text(&object.key, body)
                .last_modified(&format!("2024-01-0{}T00:00:00Z", n + 1));
            let half = (body.len() / 2) as u64;
            let sizes = [body.len() as u64 - half, half];
            let spec = match object.kind {
                Kind::Checksum => spec.checksum(Algorithm::Crc64nvme, ChecksumKind::FullObject),
                Kind::Parts if half > 0 => spec.part_sizes(&sizes),
                Kind::CompositeParts if half > 0 => {
                    spec.part_sizes(&sizes).checksum(Algorithm::Sha256, ChecksumKind::Composite)
                }
                Kind::Frozen => spec.class("GLACIER"),
                _ => spec,
            };
            let is_null = versioning == Versioning::Suspended && n + 1 == most && !object.hidden;
            bucket = bucket.object(if is_null { spec.version_id("null") } else { spec });
        }
        if object.hidden && versioning != Versioning::Off {
            let marker = ObjectSpec::marker(&object.key).last_modified("2024-01-05T00:00:00Z");
            let suspended = versioning == Versioning::Suspended;
            bucket = bucket.object(if suspended { marker.version_id("null") } else { marker });
        }
    }
    let modes = Modes { restore_at_once: true, ..Modes::default() };
    moves
        .iter()
        .filter(|step| {
            // S3 has no condition for a marker called `null`, which a single delete follows.
            versioning != Versioning::Suspended || step.on != "DeleteObject*"
        })
        .fold(World::default().with(bucket.modes(modes)), |world, step| {
            let bucket = BUCKET.to_owned();
            let what = match step.what.clone() {
                What::Put { key, body } => Step::Put { bucket, key, body },
                What::Delete { key } => Step::Delete { bucket, key, version: None },
                What::Lapse { key } => Step::Lapse { bucket, key },
                What::Restore { key } => Step::Restore { bucket, key },
                What::PutBack { key } => {
                    let body = first_body(objects, &key);
                    Step::Put { bucket, key, body }
                }
                What::Flip => {
                    let flip = Effect::FlipBit { offset: 0 };
                    return world.fault(Rule::on("GetObject").nth(step.nth).then(flip));
                }
            };
            let effect = match step.after {
                true => Effect::ScriptAfter(vec![what]),
                false => Effect::Script(vec![what]),
            };
            world.fault(Rule::on(step.on).nth(step.nth).then(effect))
        })
}

/// The oldest bytes of a key; none where it was not there at the start.
fn first_body(objects: &[Object], key: &str) -> String {
    let object = objects.iter().find(|object| object.key == key);
    object.and_then(|object| object.bodies.first().cloned()).unwrap_or_default()
}

/// What a person said yes to: key, version and ETag, with the file and its SHA-256.
type Approved = BTreeMap<(String, String, String), (String, String)>;

/// Applies, approves and plans again until all is done, or the rounds are over.
fn live(scene: &Scene, approved: &mut Approved) -> bool {
    for _ in 0..ROUNDS {
        let mut answer = scene.apply();
        if answer.code == Some(3) && !scene.status(BUCKET)["evidence"].is_null() {
            let rows = scene.known(BUCKET).into_iter().filter(|row| !row.marker);
            for row in rows {
                let version = row.version_id.unwrap_or_else(|| "null".into());
                let (Some(path), Some(sha256)) = (row.path, row.sha256) else { continue };
                approved.insert((row.key, version, row.etag), (path, sha256));
            }
            scene.approve(BUCKET);
            answer = scene.apply();
        }
        match answer.code {
            Some(0) => return true,
            Some(1 | 3 | 4) => {}
            _ => panic!("no way to end a run: {answer}"),
        }
        let plan = scene.bed.s3plan(["plan", "manifest.toml"]);
        match plan.code {
            Some(0) => {}
            // The writer emptied the bucket: a person has to look, and says that this is right.
            Some(5) if plan.stderr.contains("suspicious") => {
                scene.bed.s3plan(["state", "reset", BUCKET, "--yes"]).exits(0);
                return false;
            }
            _ => panic!("no plan: {plan}"),
        }
    }
    false
}

fn check(objects: &[Object], moves: &[Move], versioning: Versioning) {
    let versions = if versioning == Versioning::Off { "current" } else { "all" };
    let outcome = format!(r#"then = "delete-objects", versions = "{versions}""#);
    let scene = Scene::retiring(world(objects, moves, versioning), &outcome);
    // What bytes each ETag stands for.
    let mut content: BTreeMap<String, String> = BTreeMap::new();
    for version in &scene.sandbox.snapshot()[BUCKET].versions {
        let id = Some(version.version_id.as_str());
        let sha256 = scene.sandbox.sha256(BUCKET, &version.key, id);
        content.extend(sha256.map(|sha256| (version.etag.clone(), sha256)));
    }
    for step in moves {
        let body = match &step.what {
            What::Put { body, .. } => Some(body.clone()),
            What::PutBack { key } => Some(first_body(objects, key)),
            _ => None,
        };
        if let Some(body) = &body {
            let md5 = hex::encode(md5::Md5::digest(body));
            content.insert(md5, hex::encode(Sha256::digest(body)));
        }
    }
    let mut approved = Approved::new();
    let ended = live(&scene, &mut approved);
    let served = scene.sandbox.witness().served_whole();
    let served: BTreeSet<&String> =
        served.iter().filter_map(|pin| content.get(&pin.etag)).collect();
    for gone in scene.deletions().iter().filter(|gone| !gone.marker) {
        // Bytes that came home before, and were put into S3 again since, need not come twice: the
        // file that is in place proves to be them.
        let in_place = content.get(&gone.pin.etag).is_some_and(|sha256| served.contains(sha256));
        assert!(gone.served_whole || in_place, "deleted without having been served: {gone:?}");
        let pinned = gone.is_pinned() || (versioning == Versioning::Enabled && gone.by_version);
        assert!(pinned, "deleted without a condition: {gone:?}");
        let pin = &gone.pin;
        let said = (pin.key.clone(), pin.version_id.clone(), pin.etag.clone());
        let Some((path, sha256)) = approved.get(&said) else {
            panic!("deleted without approval: {gone:?}");
        };
        assert_eq!(Some(sha256), content.get(&pin.etag), "not what was proven: {gone:?}");
        let file = std::fs::read(scene.bed.path(&format!("archive/{BUCKET}/{path}")));
        let file = file.unwrap_or_else(|error| panic!("{path}: {error}: {gone:?}"));
        assert_eq!(hex::encode(Sha256::digest(file)), *sha256, "{path} is not {gone:?}");
    }
    if ended {
        // "Done" is true: nothing that was listed is left but what came later.
        let again = ["plan", "manifest.toml", "--detailed-exitcode"];
        scene.bed.s3plan(["verify"]).exits(0);
        let plan = scene.bed.s3plan(again);
        assert!(matches!(plan.code, Some(0 | 2)), "{plan}");
    }
}

fn cases() -> u32 {
    if std::env::var_os("S3PLAN_LONG").is_some() { MANY_CASES } else { CASES }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(),
        failure_persistence: None,
        max_shrink_iters: 12,
        ..ProptestConfig::default()
    })]

    #[test]
    fn without_versions_nothing_goes_unproven(objects in objects(), moves in moves()) {
        check(&objects, &moves, Versioning::Off);
    }

    #[test]
    fn with_versions_nothing_goes_unproven(objects in objects(), moves in moves()) {
        check(&objects, &moves, Versioning::Enabled);
    }

    #[test]
    fn with_suspended_versions_nothing_goes_unproven(objects in objects(), moves in moves()) {
        check(&objects, &moves, Versioning::Suspended);
    }
}
