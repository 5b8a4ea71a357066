//! What an archive keeps beside the bytes: everything that is set on the bucket, and everything that S3
//! says of its objects.

use std::fs;

use s3plan_sandbox::{BucketSpec, Effect, ObjectSpec, Rule, World};
use serde_json::{Value, json};

use crate::support::bag::rows;
use crate::support::scene::Scene;
use crate::support::seed::MIB;

const BUCKET: &str = "photos-2019";
const KEEP: &str = r#"then = "keep""#;

const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[]}"#;

/// A setting: the name that the sandbox has for it, its name in bucket.json, its document, and a
/// word that has to arrive.
const SETTINGS: [(&str, &str, &str, &str); 20] = [
    (
        "tagging",
        "tagging",
        "<Tagging><TagSet><Tag><Key>team</Key><Value>w-tag</Value></Tag></TagSet></Tagging>",
        "w-tag",
    ),
    (
        "lifecycle",
        "lifecycle",
        "<LifecycleConfiguration><Rule><ID>w-life</ID><Status>Enabled</Status><Filter/><Expiration><Days>9</Days></Expiration></Rule></LifecycleConfiguration>",
        "w-life",
    ),
    (
        "cors",
        "cors",
        "<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>https://w-cors</AllowedOrigin></CORSRule></CORSConfiguration>",
        "https://w-cors",
    ),
    (
        "website",
        "website",
        "<WebsiteConfiguration><IndexDocument><Suffix>w-site.html</Suffix></IndexDocument></WebsiteConfiguration>",
        "w-site.html",
    ),
    (
        "encryption",
        "encryption",
        "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>w-key</KMSMasterKeyID></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>",
        "w-key",
    ),
    (
        "acl",
        "acl",
        "<AccessControlPolicy><Owner><ID>w-owner</ID></Owner><AccessControlList/></AccessControlPolicy>",
        "w-owner",
    ),
    (
        "logging",
        "logging",
        "<BucketLoggingStatus><LoggingEnabled><TargetBucket>w-logs</TargetBucket><TargetPrefix/></LoggingEnabled></BucketLoggingStatus>",
        "w-logs",
    ),
    (
        "notification",
        "notification",
        "<NotificationConfiguration><TopicConfiguration><Id>w-topic</Id><Topic>arn:aws:sns:us-east-1:123456789012:t</Topic><Event>s3:ObjectCreated:*</Event></TopicConfiguration></NotificationConfiguration>",
        "w-topic",
    ),
    (
        "replication",
        "replication",
        "<ReplicationConfiguration><Role>w-role</Role><Rule><Status>Enabled</Status><Destination><Bucket>arn:aws:s3:::x</Bucket></Destination></Rule></ReplicationConfiguration>",
        "w-role",
    ),
    (
        "ownershipControls",
        "ownership",
        "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>",
        "ObjectWriter",
    ),
    (
        "publicAccessBlock",
        "public_access_block",
        "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls></PublicAccessBlockConfiguration>",
        "BlockPublicAcls",
    ),
    (
        "requestPayment",
        "request_payment",
        "<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>",
        "Requester",
    ),
    (
        "accelerate",
        "accelerate",
        "<AccelerateConfiguration><Status>Enabled</Status></AccelerateConfiguration>",
        "Enabled",
    ),
    (
        "inventory",
        "inventory",
        "<ListInventoryConfigurationsResult><InventoryConfiguration><Id>w-inventory</Id></InventoryConfiguration></ListInventoryConfigurationsResult>",
        "w-inventory",
    ),
    (
        "analytics",
        "analytics",
        "<ListBucketAnalyticsConfigurationResult><AnalyticsConfiguration><Id>w-analytics</Id></AnalyticsConfiguration></ListBucketAnalyticsConfigurationResult>",
        "w-analytics",
    ),
    (
        "metrics",
        "metrics",
        "<ListMetricsConfigurationsResult><MetricsConfiguration><Id>w-metrics</Id></MetricsConfiguration></ListMetricsConfigurationsResult>",
        "w-metrics",
    ),
    (
        "intelligent-tiering",
        "intelligent_tiering",
        "<ListBucketIntelligentTieringConfigurationsOutput><IntelligentTieringConfiguration><Id>w-tiers</Id><Tiering><Days>90</Days></Tiering></IntelligentTieringConfiguration></ListBucketIntelligentTieringConfigurationsOutput>",
        "w-tiers",
    ),
    ("abac", "abac", "<AbacStatus><Status>Enabled</Status></AbacStatus>", "Enabled"),
    (
        "metadataConfiguration",
        "metadata",
        "<GetBucketMetadataConfigurationResult><MetadataConfigurationResult><DestinationResult><TableNamespace>w-space</TableNamespace></DestinationResult></MetadataConfigurationResult></GetBucketMetadataConfigurationResult>",
        "w-space",
    ),
    (
        "metadataTable",
        "metadata_table",
        "<GetBucketMetadataTableConfigurationResult><Status>w-table</Status></GetBucketMetadataTableConfigurationResult>",
        "w-table",
    ),
];

/// What the archive says of the bucket.
fn configuration(scene: &Scene) -> Value {
    let text = fs::read(scene.archive(BUCKET).join("metadata/bucket.json"));
    serde_json::from_slice(&text.expect("the bucket's record")).expect("JSON")
}

/// The operations that read these, in the order of their names in the record.
const READS: [(&str, &str); 7] = [
    ("GetBucketTagging", "tagging"),
    ("GetBucketCors", "cors"),
    ("GetBucketPolicy", "policy"),
    ("GetBucketPolicyStatus", "policy_status"),
    ("GetBucketInventoryConfiguration", "inventory"),
    ("GetBucketMetricsConfiguration", "metrics"),
    ("GetBucketMetadataConfiguration", "metadata"),
];

/// "Has none" and "may not be known" are two things, and neither keeps a bag from being sealed.
#[test]
fn what_is_not_set_is_told_from_what_may_not_be_read() {
    let bare = || World::default().with(BucketSpec::new(BUCKET).text("a", "a"));
    let scene = Scene::retiring(bare(), KEEP);
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    let bucket = configuration(&scene);
    for (_, name) in READS {
        assert_eq!(bucket.get(name), Some(&Value::Null), "{name}");
    }

    let denied = |world: World, (op, _): &(&str, &str)| {
        world.fault(Rule::on(op).then(Effect::answer(403, "AccessDenied")))
    };
    let scene = Scene::retiring(READS.iter().fold(bare(), denied), KEEP);
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    let bucket = configuration(&scene);
    for (_, name) in READS {
        assert_eq!(bucket[name], json!({"unknown": "AccessDenied"}), "{name}");
    }
    assert_eq!(bucket["website"], Value::Null, "the others are known");
}

/// S3 lists a hundred of them at a time.
#[test]
fn lists_of_settings_are_read_to_their_end_or_not_believed() {
    let each: String = (0..250)
        .map(|n| {
            format!(
                "<InventoryConfiguration><Id>report-{n}</Id><OptionalFields><Field>Size</Field>\
                 </OptionalFields></InventoryConfiguration>"
            )
        })
        .collect();
    let xml =
        format!("<ListInventoryConfigurationsResult>{each}</ListInventoryConfigurationsResult>");
    let world =
        || World::default().with(BucketSpec::new(BUCKET).text("a", "a").config("inventory", &xml));
    let scene = Scene::retiring(world(), KEEP);
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    let bucket = configuration(&scene);
    let reports = bucket["inventory"].as_array().expect("a list");
    assert_eq!(reports.len(), 250);
    let last = json!({"Id": "report-249", "OptionalFields": {"Field": ["Size"]}});
    assert_eq!(reports[249], last);

    // A page that leads nowhere, or back to itself.
    for token in [None, Some("page-100".to_owned())] {
        let name = "NextContinuationToken".to_owned();
        let bent = Effect::Element { name, text: token };
        let rule = Rule::on("GetBucketInventoryConfiguration").then(bent);
        let scene = Scene::retiring(world().fault(rule), KEEP);
        scene.bed.s3plan(["apply", "--yes"]).exits(0);
        assert_eq!(configuration(&scene)["inventory"], json!({"unknown": "BadAnswer"}));
    }
}

#[test]
fn everything_that_s3_says_of_a_bucket_and_its_objects_is_kept() {
    let full = ObjectSpec::sized("full", "11MiB")
        .parts("5MiB")
        .header("content-type", "video/quicktime")
        .header("content-language", "de")
        .header("content-encoding", "identity")
        .header("content-disposition", "inline")
        .header("cache-control", "no-store")
        .header("expires", "Thu, 01 Jan 2032 00:00:00 GMT")
        .header("x-amz-website-redirect-location", "/elsewhere")
        .metadata("camera", "Bolex")
        .tag("year", "2019")
        .legal_hold()
        .checksum(s3plan_sandbox::Algorithm::Crc32c, s3plan_sandbox::ChecksumKind::Composite);
    let spec = SETTINGS
        .iter()
        .fold(BucketSpec::new(BUCKET).object_lock().policy(POLICY), |spec, (name, _, xml, _)| {
            spec.config(name, xml)
        })
        .object(full)
        .text("plain", "plain");
    let scene = Scene::retiring(World::default().with(spec), KEEP);
    scene.bed.s3plan(["apply", "--yes"]).exits(0);
    let bucket = configuration(&scene);
    assert_eq!(bucket["region"], "us-east-1");
    assert_eq!(bucket["policy"], POLICY);
    assert!(bucket["versioning"].to_string().contains("Enabled"), "{bucket}");
    assert!(bucket["object_lock"].to_string().contains("Enabled"), "{bucket}");
    for (_, name, _, word) in SETTINGS {
        assert!(bucket[name].to_string().contains(word), "{name}: {}", bucket[name]);
    }
    let rows = rows(&scene.archive(BUCKET));
    let row = &rows[0];
    for (field, wanted) in [
        ("key", json!("full")),
        ("current", json!(true)),
        ("size", json!(11 * MIB)),
        ("content_type", json!("video/quicktime")),
        ("content_language", json!("de")),
        ("content_encoding", json!("identity")),
        ("content_disposition", json!("inline")),
        ("cache_control", json!("no-store")),
        ("expires", json!("Thu, 01 Jan 2032 00:00:00 GMT")),
        ("website_redirect", json!("/elsewhere")),
        ("metadata", json!({"camera": "Bolex"})),
        ("tags", json!({"year": "2019"})),
        ("part_sizes", json!([5 * MIB, 5 * MIB, MIB])),
        ("checksum_type", json!("COMPOSITE")),
        ("legal_hold", json!(true)),
        ("encryption", json!("AES256")),
        ("in_s3", json!(true)),
        ("last_modified", json!("2024-01-01T00:00:00Z")),
    ] {
        assert_eq!(row[field], wanted, "{field}");
    }
    assert!(row["checksums"]["CRC32C"].as_str().is_some_and(|sum| sum.ends_with("-3")), "{row}");
    assert!(row["version_id"].is_string() && row["proof"]["kind"].is_string(), "{row}");
    let modified = fs::metadata(scene.archive(BUCKET).join("data/full")).and_then(|m| m.modified());
    let since =
        modified.expect("a time").duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    assert_eq!(since.as_secs(), 1_704_067_200, "the file's time is the object's");
}
