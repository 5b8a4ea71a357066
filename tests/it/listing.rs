//! Listings that lie: whatever a server shows, nothing "complete" comes of it.

use s3plan_sandbox::{BucketSpec, Effect, ObjectSpec, Rule, Versioning, World};

use crate::support::scene::Scene;
use crate::support::story::manifest_of;

const BUCKET: &str = "photos-2019";
const RETIRE: &str = r#"then = "delete-bucket", versions = "all""#;

fn world(versioning: Versioning) -> World {
    let row = ObjectSpec { body: Some("bytes".into()), ..ObjectSpec::new("k/{n}") };
    World::default().with(BucketSpec::new(BUCKET).versioning(versioning).object(row.count(2_500)))
}

fn element(name: &str, text: Option<&str>) -> Effect {
    Effect::Element { name: name.into(), text: text.map(str::to_owned) }
}

fn replace(find: &str, with: &str) -> Effect {
    Effect::Replace { find: find.into(), with: with.into() }
}

/// Every lie, told from the first page or from a later one on, ends the plan with words, and leaves
/// what was known before as it was.
#[test]
fn a_listing_that_contradicts_itself_is_never_planned_from() {
    let lies = [
        ("a token that comes again", element("NextContinuationToken", Some("again"))),
        ("a token that is missing", element("NextContinuationToken", None)),
        ("no word on whether more follows", element("IsTruncated", None)),
        ("a wrong count", element("KeyCount", Some("7"))),
        ("no sizes", element("Size", None)),
        ("a negative size", element("Size", Some("-1"))),
        ("a size over 64 bits", element("Size", Some("9223372036854775808"))),
        ("no ETags", element("ETag", None)),
        ("no dates", element("LastModified", None)),
        ("a document that is cut", replace("</ListBucketResult>", "")),
        ("keys out of order", replace("<Key>k/0003</Key>", "<Key>k/9999</Key>")),
        ("a key twice", replace("<Key>k/0003</Key>", "<Key>k/0002</Key>")),
        ("a key that cannot be decoded", replace("<Key>k/0003</Key>", "<Key>k/%zz</Key>")),
    ];
    for (lie, effect) in lies {
        let scene = Scene::new(world(Versioning::Off));
        scene.sandbox.add_fault(Rule::on("ListObjectsV2").then(effect));
        scene
            .bed
            .write_manifest(&manifest_of(&world(Versioning::Off), r#"then = "delete-bucket""#));
        let answer = scene.bed.s3plan(["plan", "manifest.toml"]);
        assert_eq!(answer.code, Some(1), "{lie}: {answer}");
        assert!(answer.stderr.contains(BUCKET), "{lie}: {answer}");
        assert!(!scene.bed.path("plans/manifest.plan.toml").exists(), "{lie}");
        scene.assert_untouched();
    }
}

#[test]
fn a_listing_of_versions_that_contradicts_itself_is_never_planned_from() {
    for (lie, effect) in [
        ("a marker that comes again", element("NextKeyMarker", Some("k/0001"))),
        ("a marker that is missing", element("NextKeyMarker", None)),
        ("no word on whether more follows", element("IsTruncated", None)),
        ("no version ids", element("VersionId", None)),
        ("no word on which is the latest", element("IsLatest", None)),
        ("a document that is cut", replace("</ListVersionsResult>", "")),
    ] {
        let scene = Scene::new(world(Versioning::Enabled));
        scene.sandbox.add_fault(Rule::on("ListObjectVersions").then(effect));
        scene.bed.write_manifest(&manifest_of(&world(Versioning::Enabled), RETIRE));
        let answer = scene.bed.s3plan(["plan", "manifest.toml"]);
        assert_eq!(answer.code, Some(1), "{lie}: {answer}");
        assert!(!scene.bed.path("plans/manifest.plan.toml").exists(), "{lie}");
        scene.assert_untouched();
    }
}

/// A bad listing in the middle of a run stops it, and the good one after it goes on.
#[test]
fn a_listing_that_lies_before_the_gate_or_the_delete_stops_the_run() {
    let bucket = BucketSpec::new(BUCKET).text("a", "first").text("b", "second");
    let scene = Scene::retiring(World::default().with(bucket), r#"then = "delete-bucket""#);
    let cut = || replace("</ListBucketResult>", "");
    // The first listing of an apply compares with the plan, the second stands before the gate.
    scene.sandbox.add_fault(Rule::on("ListObjectsV2").calls(2, 4).then(cut()));
    scene.apply().exits(1).blames("cut off");
    assert!(scene.status(BUCKET)["evidence"].is_null());
    scene.sandbox.clear_faults();
    scene.apply().exits(3);
    scene.approve(BUCKET);
    scene.sandbox.add_fault(Rule::on("ListObjectsV2").then(cut()));
    scene.apply().exits(1).blames("cut off");
    scene.assert_nothing_lost();
    scene.sandbox.clear_faults();
    scene.apply().exits(0);
    scene.assert_deleted_with_care();
}

#[test]
fn an_empty_page_in_the_middle_is_not_the_end() {
    // The second page shows none of its keys, but says that more follow: the third comes.
    let scene = Scene::new(world(Versioning::Off));
    let hide = Rule::on("ListObjectsV2").nth(2);
    let hide = hide.then(element("Contents", None)).then(element("KeyCount", Some("0")));
    scene.sandbox.add_fault(hide);
    scene.bed.write_manifest(&manifest_of(&world(Versioning::Off), r#"then = "keep""#));
    scene.bed.s3plan(["plan", "manifest.toml"]).exits(0).says("1,500 objects");
    // What it hid is seen before anything is done.
    scene.apply().exits(4).blames("1000 new");
    scene.assert_untouched();
}
