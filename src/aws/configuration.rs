//! Everything that is set on a bucket, for `metadata/bucket.json`: what is needed to build the
//! bucket again elsewhere.
//!
//! S3's own XML is turned into JSON element by element, with S3's names, so that settings which are
//! newer than this program are kept too. Texts stay texts; what can be repeated is always a list.

use std::collections::HashSet;

use roxmltree::{Document, Node};
use serde_json::{Map, Value, json};

use super::bucket::Bucket;
use super::error::{AwsError, ErrorKind};
use super::wire::Watch;

/// Elements that S3 may repeat. Source: S3 API Reference, the data types of the settings read here.
const LISTS: &[&str] = &[
    "AllowedHeader",
    "AllowedMethod",
    "AllowedOrigin",
    "CORSRule",
    "CloudFunctionConfiguration",
    "Event",
    "ExposeHeader",
    "Field",
    "FilterRule",
    "Grant",
    "NoncurrentVersionTransition",
    "QueueConfiguration",
    "RoutingRule",
    "Rule",
    "Tag",
    "Tiering",
    "TopicConfiguration",
    "Transition",
];

/// Sends one of the operations that read a setting, and answers its XML or why there is none.
macro_rules! setting {
    ($bucket:expr, $operation:ident, $name:literal) => {{
        let bucket: &Bucket = $bucket;
        let about = bucket.reads($name, "read the settings of");
        let watch = Watch::default();
        let answer = bucket
            .ask(&about, |_, s3| {
                s3.$operation()
                    .bucket(bucket.name.as_str())
                    .expected_bucket_owner(bucket.owner.as_str())
                    .customize()
                    .interceptor(watch.clone())
                    .send()
            })
            .await;
        match answer {
            Ok(_) => read_xml(&watch.body())
                .ok_or_else(|| about.bad_answer("it is cut off or no XML"))?,
            // Some servers name root elements otherwise, which the SDK does not take; others take
            // the question for another one, and answer with a listing.
            Err(error) if *error.kind() == ErrorKind::BadAnswer => {
                let own = Some(watch.body()).filter(|_| !watch.closes("ListBucketResult"));
                match own.and_then(|body| read_xml(&body)) {
                    Some(setting) => setting,
                    None => refusal(error)?,
                }
            }
            Err(error) => refusal(error)?,
        }
    }};
}

/// Sends one of the operations that list settings of which a bucket can have many, page by page;
/// answers all of them, `null` where there is none, or why they are not known.
macro_rules! settings {
    ($bucket:expr, $operation:ident, $name:literal, $element:literal) => {{
        let bucket: &Bucket = $bucket;
        let about = bucket.reads($name, "read the settings of");
        let mut all = Vec::new();
        let mut asked: HashSet<String> = HashSet::new();
        let mut token: Option<String> = None;
        loop {
            let watch = Watch::default();
            let answer = bucket
                .ask(&about, |_, s3| {
                    s3.$operation()
                        .bucket(bucket.name.as_str())
                        .expected_bucket_owner(bucket.owner.as_str())
                        .set_continuation_token(token.clone())
                        .customize()
                        .interceptor(watch.clone())
                        .send()
                })
                .await;
            let foreign = matches!(&answer, Err(error) if *error.kind() != ErrorKind::BadAnswer);
            let page = match answer {
                Err(error) if foreign || watch.closes("ListBucketResult") => break refusal(error)?,
                // As for single settings: roots have other names on some servers.
                _ => read_page(&watch.body(), $element),
            };
            let Some(page) = page else { break json!({"unknown": "BadAnswer"}) };
            all.extend(page.settings);
            match page.next {
                Next::None if all.is_empty() => break Value::Null,
                Next::None => break Value::Array(all),
                Next::At(next) if asked.insert(next.clone()) => token = Some(next),
                // Part of a list that looks like all of it would be worse than none.
                Next::At(_) | Next::Untold => break json!({"unknown": "BadAnswer"}),
            }
        }
    }};
}

/// Reads a table of settings with one of the macros above, and keeps each under its name.
macro_rules! keep {
    ($all:ident, $read:ident!($bucket:expr):
        $($name:literal = $operation:ident as $($called:literal),+;)+) => {
        $($all.insert($name.to_owned(), $read!($bucket, $operation, $($called),+));)+
    };
}

impl Bucket {
    /// Reads everything that is set on the bucket. A setting that is not set is `null`; one that
    /// the caller may not read, or that the server does not know, is `{"unknown": CODE}`.
    ///
    /// # Errors
    /// Those that say nothing of a setting: no connection, no credentials, no such bucket.
    pub async fn configuration(&self) -> Result<Value, AwsError> {
        let mut all = Map::new();
        all.insert("bucket".into(), json!(self.name.as_str()));
        all.insert("account".into(), json!(self.owner.as_str()));
        all.insert("region".into(), json!(self.region()));
        let policy = match self.policy().await {
            Ok(policy) => json!(policy),
            Err(error) => refusal(error)?,
        };
        all.insert("policy".into(), policy);
        keep! { all, setting!(self):
            "versioning" = get_bucket_versioning as "GetBucketVersioning";
            "tagging" = get_bucket_tagging as "GetBucketTagging";
            "lifecycle" = get_bucket_lifecycle_configuration as "GetBucketLifecycleConfiguration";
            "cors" = get_bucket_cors as "GetBucketCors";
            "website" = get_bucket_website as "GetBucketWebsite";
            "encryption" = get_bucket_encryption as "GetBucketEncryption";
            "acl" = get_bucket_acl as "GetBucketAcl";
            "logging" = get_bucket_logging as "GetBucketLogging";
            "notification" = get_bucket_notification_configuration
                as "GetBucketNotificationConfiguration";
            "replication" = get_bucket_replication as "GetBucketReplication";
            "ownership" = get_bucket_ownership_controls as "GetBucketOwnershipControls";
            "public_access_block" = get_public_access_block as "GetPublicAccessBlock";
            "request_payment" = get_bucket_request_payment as "GetBucketRequestPayment";
            "object_lock" = get_object_lock_configuration as "GetObjectLockConfiguration";
            "accelerate" = get_bucket_accelerate_configuration
                as "GetBucketAccelerateConfiguration";
            "policy_status" = get_bucket_policy_status as "GetBucketPolicyStatus";
            "abac" = get_bucket_abac as "GetBucketAbac";
            "metadata" = get_bucket_metadata_configuration as "GetBucketMetadataConfiguration";
            "metadata_table" = get_bucket_metadata_table_configuration
                as "GetBucketMetadataTableConfiguration";
        }
        keep! { all, settings!(self):
            "inventory" = list_bucket_inventory_configurations
                as "ListBucketInventoryConfigurations", "InventoryConfiguration";
            "analytics" = list_bucket_analytics_configurations
                as "ListBucketAnalyticsConfigurations", "AnalyticsConfiguration";
            "metrics" = list_bucket_metrics_configurations
                as "ListBucketMetricsConfigurations", "MetricsConfiguration";
            "intelligent_tiering" = list_bucket_intelligent_tiering_configurations
                as "ListBucketIntelligentTieringConfigurations", "IntelligentTieringConfiguration";
        }
        Ok(Value::Object(all))
    }
}

/// One page of a list of settings.
#[derive(Debug, PartialEq)]
struct Page {
    settings: Vec<Value>,
    next: Next,
}

/// Whether more of a list follows.
#[derive(Debug, PartialEq)]
enum Next {
    /// That was all.
    None,
    /// It goes on behind this token.
    At(String),
    /// It goes on, but nothing says where.
    Untold,
}

/// Reads a page of a list whose entries are called `element`; `None` where it is no whole document.
fn read_page(body: &[u8], element: &str) -> Option<Page> {
    let text = std::str::from_utf8(body).ok()?;
    let document = Document::parse(text).ok()?;
    let children = || document.root_element().children().filter(Node::is_element);
    let text_of = |name: &str| {
        let child = children().find(|child| child.tag_name().name() == name);
        child.and_then(|child| child.text()).map(str::to_owned)
    };
    let settings = children()
        .filter(|child| child.tag_name().name() == element)
        .map(|child| to_json(child, DEEPEST))
        .collect::<Option<_>>()?;
    let next = match (text_of("IsTruncated").as_deref(), text_of("NextContinuationToken")) {
        (Some("true"), Some(token)) => Next::At(token),
        (Some("true"), None) => Next::Untold,
        _ => Next::None,
    };
    Some(Page { settings, next })
}

/// What a refusal says of a setting: not set, or not to be known.
fn refusal(error: AwsError) -> Result<Value, AwsError> {
    let code = error.code().unwrap_or_default();
    match error.kind() {
        ErrorKind::Denied => Ok(json!({"unknown": "AccessDenied"})),
        ErrorKind::BadAnswer => Ok(json!({"unknown": "BadAnswer"})),
        ErrorKind::NotImplemented => Ok(json!({"unknown": "NotImplemented"})),
        ErrorKind::Other if error.status() == Some(404) && code.starts_with("NoSuch") => {
            Ok(Value::Null)
        }
        ErrorKind::Other if error.status() == Some(404) && code.contains("NotFound") => {
            Ok(Value::Null)
        }
        // That says something of this machine's clock, or of the moment, and nothing of the
        // setting.
        ErrorKind::Other if code == "RequestTimeTooSkewed" || error.is_retryable() => Err(error),
        ErrorKind::Other if error.status().is_some_and(|status| status < 500) => {
            Ok(json!({"unknown": code}))
        }
        _ => Err(error),
    }
}

/// No setting of S3's goes anywhere near as deep; each level takes room on the stack.
const DEEPEST: usize = 64;

/// An answer's document as JSON; an empty root element is `null`: nothing is set. `None` where it
/// is no whole document, or one that S3 would not write.
pub(crate) fn read_xml(body: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(body).ok()?;
    let document = Document::parse(text).ok()?;
    let root = document.root_element();
    if root.tag_name().name() == "ListBucketResult" {
        // Servers that do not know a setting answer as if the bucket itself were asked for.
        return Some(json!({"unknown": "NotImplemented"}));
    }
    Some(match root.children().any(|child| child.is_element()) {
        true => to_json(root, DEEPEST)?,
        false => Value::Null,
    })
}

/// `None` where elements are nested deeper than so many levels.
fn to_json(node: Node<'_, '_>, levels: usize) -> Option<Value> {
    let below = levels.checked_sub(1)?;
    let mut fields = Map::new();
    // The kind of a grantee is an attribute.
    for attribute in node.attributes().filter(|attribute| attribute.name() == "type") {
        fields.insert("Type".to_owned(), json!(attribute.value()));
    }
    let mut children = node.children().filter(Node::is_element).peekable();
    if children.peek().is_none() && fields.is_empty() {
        return Some(json!(node.text().unwrap_or_default()));
    }
    for child in children {
        let name = child.tag_name().name();
        let value = to_json(child, below)?;
        match fields.get_mut(name) {
            Some(Value::Array(list)) => list.push(value),
            Some(single) => *single = Value::Array(vec![single.take(), value]),
            None if LISTS.contains(&name) => {
                fields.insert(name.to_owned(), Value::Array(vec![value]));
            }
            None => {
                fields.insert(name.to_owned(), value);
            }
        }
    }
    Some(Value::Object(fields))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_keep_s3s_names_and_lists_stay_lists() {
        let xml = r#"<?xml version="1.0"?>
            <LifecycleConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
              <Rule><ID>a &amp; b</ID><Status>Enabled</Status>
                <Transition><Days>30</Days><StorageClass>GLACIER</StorageClass></Transition>
              </Rule>
            </LifecycleConfiguration>"#;
        let wanted = json!({"Rule": [{"ID": "a & b", "Status": "Enabled",
            "Transition": [{"Days": "30", "StorageClass": "GLACIER"}]}]});
        assert_eq!(read_xml(xml.as_bytes()), Some(wanted));
    }

    #[test]
    fn a_list_of_settings_says_whether_more_follows() {
        let page = |truncated: &str| {
            let xml = format!(
                "<L><MetricsConfiguration><Id>a</Id></MetricsConfiguration>{truncated}\
                 <MetricsConfiguration><Id>b</Id></MetricsConfiguration></L>"
            );
            read_page(xml.as_bytes(), "MetricsConfiguration").expect("a page")
        };
        let settings = vec![json!({"Id": "a"}), json!({"Id": "b"})];
        let is = |next| Page { settings: settings.clone(), next };
        assert_eq!(page("<IsTruncated>false</IsTruncated>"), is(Next::None));
        assert_eq!(page("<IsTruncated>true</IsTruncated>"), is(Next::Untold));
        let more =
            "<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>";
        assert_eq!(page(more), is(Next::At("t".into())));
        assert_eq!(read_page(b"<L><MetricsConfiguration>", "MetricsConfiguration"), None);
    }

    #[test]
    fn a_grantees_kind_is_kept() {
        let xml = r#"<G><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
            xsi:type="CanonicalUser"><ID>x</ID></Grantee></Grant></G>"#;
        let wanted = json!({"Grant": [{"Grantee": {"Type": "CanonicalUser", "ID": "x"}}]});
        assert_eq!(read_xml(xml.as_bytes()), Some(wanted));
    }

    #[test]
    fn nothing_set_is_null_and_a_cut_document_is_nothing() {
        let empty = b"<BucketLoggingStatus xmlns=\"http://doc.s3.amazonaws.com/2006-03-01\"/>";
        assert_eq!(read_xml(empty), Some(Value::Null));
        assert_eq!(read_xml(b"<A><B>1</B>"), None);
        let listing = b"<ListBucketResult><Name>b</Name></ListBucketResult>";
        assert_eq!(read_xml(listing), Some(json!({"unknown": "NotImplemented"})));
    }
}
