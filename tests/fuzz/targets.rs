//! What is fuzzed, and what must hold of each input beyond "no panic".

use std::path::Path;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest as _, Sha256};

use super::fuzz;
use crate::archive::bag::BagRow;
use crate::archive::keymap;
use crate::model::{AccountId, BucketName, ETag, ObjectHeaders, StorageClass};
use crate::proof::{Hasher, Ladder, Offer};
use crate::{aws, manifest, plan, policy};

fn account() -> AccountId {
    AccountId::new("123456789012").expect("twelve digits")
}

/// The files of a folder of the repository whose names end like this.
fn files(folder: &str, ending: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut inputs = Vec::new();
    for entry in std::fs::read_dir(&folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            inputs.extend(files(&path.display().to_string(), ending));
        } else if path.display().to_string().ends_with(ending) {
            inputs.push(std::fs::read(&path).expect("a file"));
        }
    }
    inputs.sort();
    inputs
}

/// Errors point into the text; what is accepted is accepted again, and resolves or says why not.
#[test]
fn manifest() {
    fuzz("manifest", files("examples", "manifest.toml"), |input| {
        let text = String::from_utf8_lossy(input);
        match manifest::parse(&text, "manifest.toml") {
            Err(rejected) => {
                assert!(!rejected.errors().is_empty(), "rejected without a reason");
                for error in rejected.errors() {
                    for (at, _) in error.labels() {
                        assert!(at.start <= at.end && at.end <= text.len(), "{at:?}: {error}");
                        assert!(text.is_char_boundary(at.start), "{at:?}: {error}");
                        assert!(text.is_char_boundary(at.end), "{at:?}: {error}");
                    }
                }
                assert!(!rejected.render(false).is_empty());
            }
            Ok(wanted) => {
                let windows = text.replace("\r\n", "\n").replace('\n', "\r\n");
                let again = manifest::parse(&windows, "manifest.toml").expect("accepted again");
                assert_eq!(wanted.digest, again.digest, "line ends make no difference");
                let names = ["photos-2019", "logs-a", "shared-x", "a"];
                let buckets = names.map(|name| (BucketName::new(name), "eu-west-1".to_owned()));
                let resolve = |wanted: &manifest::Wanted| {
                    let resolved = wanted.resolve(&manifest::Account {
                        id: &account(),
                        buckets: &buckets,
                        retired: &|_| false,
                        home: Some(Path::new("/home/a")),
                        project: Path::new("/p"),
                    });
                    resolved.map(|it| format!("{:?}", it.desired)).map_err(|e| e.render(false))
                };
                assert_eq!(resolve(&wanted).is_ok(), resolve(&again).is_ok());
            }
        }
    });
}

/// Once a plan is read, it is written and read again to the letter. A digest is given to every
/// mutation, for without the right one a plan is read no further.
#[test]
fn plan_file() {
    fuzz("plan", files("plans", ".plan.toml"), |input| {
        let (path, text) = (Path::new("x.plan.toml"), String::from_utf8_lossy(input));
        let _ = plan::file::parse(input, path);
        let text = text.replace("\r\n", "\n");
        let bare: String =
            text.split_inclusive('\n').filter(|line| !line.starts_with("digest = ")).collect();
        let digest = hex::encode(Sha256::digest(&bare));
        let line = format!("digest = \"{digest}\"\nformat = ");
        let sealed = bare.replacen("format = ", &line, 1);
        let Ok(read) = plan::file::parse(sealed.as_bytes(), path) else { return };
        let written = plan::file::text(&read);
        let Ok(again) = plan::file::parse(written.as_bytes(), path) else {
            // What a person may write otherwise than we do has another digest.
            assert_ne!(written, sealed, "read once and not twice");
            return;
        };
        assert_eq!(plan::file::text(&again), written);
    });
}

/// Every key has one path, inside the payload, made of names that every file system takes; no two
/// keys have the same; and where the path alone holds the key, it gives it back.
#[test]
fn key_map() {
    fuzz("keymap", Vec::new(), |input| {
        let text = String::from_utf8_lossy(input);
        let (one, other) = text.split_once('\n').unwrap_or((&text, "a"));
        let path_of = |key: &str, beside: bool| {
            let path = keymap::payload_path(key, beside);
            assert!(path.starts_with("data/") && path.len() < 4_096, "{key:?}: {path}");
            assert!(!path.starts_with(keymap::VERSIONS), "{key:?}: {path}");
            for name in path.split('/') {
                assert!(!matches!(name, "" | "." | "..") && name.len() <= 255, "{key:?}: {path}");
                assert!(!name.ends_with(['.', ' ']), "{key:?}: {path}");
            }
            assert!(!path.contains(|c: char| c.is_control() || "\\:*?\"<>|".contains(c)), "{path}");
            if let Some(back) = keymap::unescape(&path) {
                assert_eq!(back, key, "{path}");
            }
            path
        };
        for key in [one, other].into_iter().filter(|key| !key.is_empty()) {
            let path = path_of(key, false);
            let twin = keymap::with_twin(&path, key);
            assert_ne!(twin, path);
            assert!(twin.rsplit('/').next().is_some_and(|name| name.len() <= 255), "{twin}");
            let version = keymap::version_path(&path, one);
            assert!(version.starts_with(keymap::VERSIONS), "{version}");
            assert!(version.split('/').all(|name| !matches!(name, "" | "." | "..")), "{version}");
        }
        if one != other && !one.is_empty() && !other.is_empty() {
            assert_ne!(path_of(one, false), path_of(other, false), "{one:?} and {other:?}");
            assert_ne!(path_of(one, true), path_of(other, true), "{one:?} and {other:?}");
            assert_ne!(path_of(one, true), path_of(other, false), "{one:?} and {other:?}");
        }
        // Any text for a path: what comes back is a key of that path, or none.
        let _ = keymap::unescape(&format!("data/{text}"));
    });
}

/// A document that is cut before its last element closes is never read for the whole.
#[test]
fn xml_guards() {
    let guard = |input: &[u8]| {
        let Some(read) = aws::read_xml(input) else { return };
        let text = read.to_string();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).ok().as_ref(), Some(&read));
        let document = std::str::from_utf8(input).expect("it was read");
        let document = roxmltree::Document::parse(document).expect("it was read");
        let element = document.root_element();
        let root = &input[element.range()];
        let name = root[1..].split(|b| !(b.is_ascii_alphanumeric() || b":_-.".contains(b))).next();
        let name = String::from_utf8_lossy(name.unwrap_or_default()).into_owned();
        if root.ends_with(b"/>") && !root.ends_with(format!("</{name}>").as_bytes()) {
            return;
        }
        for cut in (0..element.range().end).rev().take(300) {
            assert!(aws::read_xml(&input[..cut]).is_none(), "believed when cut at {cut}");
            let closed = aws::closes(&input[..cut], &name);
            // A nested element of the root's own name closes too, and so does one in a comment, a
            // CDATA section or an instruction; S3 sends none of them.
            let inner = element.descendants().skip(1).any(|it| it.range().end <= cut)
                || input.windows(2).skip(1).any(|pair| pair == b"<!" || pair == b"<?")
                || (input.starts_with(b"<?") && !input.starts_with(b"<?xml "));
            assert!(!closed || inner, "taken for closed when cut at {cut}");
        }
    };
    fuzz("xml", Vec::new(), guard);
    for depth in [10, 100, 5_000, 200_000] {
        guard(format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth)).as_bytes());
        guard("<a>".repeat(depth).as_bytes());
    }
}

/// What is read prints and reads again; nothing that is empty or reaches behind the object is a range.
#[test]
fn content_range() {
    fuzz("content-range", Vec::new(), |input| {
        let text = String::from_utf8_lossy(input);
        let Ok(range) = aws::read_content_range(&text) else { return };
        assert!(range.first < range.end && range.end <= range.total, "{range:?}");
        let printed = format!("bytes {}-{}/{}", range.first, range.end - 1, range.total);
        assert_eq!(aws::read_content_range(&printed).ok(), Some(range));
    });
}

/// A restore header is read or refused; keys of listings come back as they were encoded.
#[test]
fn restore_headers_and_encoded_keys() {
    fuzz("restore", Vec::new(), |input| {
        let text = String::from_utf8_lossy(input);
        let _ = aws::read_restore_header(Some(&text));
        let _ = aws::decode_key(&text);
        let encoded = utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string();
        assert_eq!(aws::decode_key(&encoded).expect("it was encoded"), text);
    });
}

/// An ETag's normal form is its own; whatever S3 offers as proof, bytes are judged without a panic,
/// and never proven by a checksum that is not theirs.
#[test]
fn etags_and_checksums() {
    fuzz("etag", Vec::new(), |input| {
        let text = String::from_utf8_lossy(input);
        let mut lines = text.lines();
        let etag = ETag::new(lines.next().unwrap_or_default());
        assert_eq!(ETag::new(etag.as_str()), etag);
        assert_eq!(ETag::new(&etag.quoted()), etag);
        assert!(etag.as_md5().is_none() || etag.as_multipart().is_none(), "{etag:?}");
        let mut headers = ObjectHeaders::default();
        for line in lines {
            if let Some((name, value)) = line.split_once(": ") {
                headers.checksums.insert(name.to_owned(), value.to_owned());
            } else if let Ok(size) = line.parse() {
                headers.part_sizes.push(size);
            }
        }
        let content = b"the bytes that came";
        let ladder = Ladder::of(&Offer::new(&etag, content.len() as u64, &headers));
        let judged = |content: &[u8]| {
            let mut hasher = Hasher::new(&ladder);
            hasher.update(content);
            let digests = hasher.finish();
            ladder.judge(&digests, digests.size())
        };
        if let crate::proof::Verdict::Proven(proof) = judged(content) {
            let other = judged(b"the bytes that cane");
            assert!(
                !matches!(other, crate::proof::Verdict::Proven(_)),
                "{proof:?} proves anything"
            );
        }
    });
}

/// The head of a GET: what is believed is consistent.
#[test]
fn answer_heads() {
    fuzz("head", Vec::new(), |input| {
        let text = String::from_utf8_lossy(input);
        let mut headers = aws_smithy_runtime_api::http::Headers::new();
        for (name, value) in text.lines().filter_map(|line| line.split_once(": ")) {
            let _ = headers.try_append(name.to_owned(), value.to_owned());
        }
        for (status, range) in [(200, None), (206, Some((2, 5))), (206, None), (200, Some((2, 5)))]
        {
            let Some((head, length)) = aws::read_head(&headers, status, range) else { continue };
            assert!(!head.etag.as_str().is_empty());
            match range {
                None => assert!(status == 200 && head.size == length),
                Some((first, end)) => {
                    assert!(status == 206 && length == end - first && end <= head.size);
                }
            }
        }
    });
}

/// A line is read, printed and read again the same; a version that is made of it makes it again.
#[test]
fn objects_jsonl() {
    fuzz("objects", Vec::new(), |input| {
        let Ok(row) = serde_json::from_slice::<BagRow>(input) else { return };
        let printed = serde_json::to_vec(&row).expect("prints");
        let again: BagRow = serde_json::from_slice(&printed).expect("reads what it printed");
        assert_eq!(again, row);
        assert!(!printed.contains(&b'\n'), "one line a row");
        let version = row.version();
        let back = BagRow::of(&version).version();
        assert_eq!((&back.key, &back.etag, back.size), (&version.key, &version.etag, version.size));
        assert_eq!(back.class, StorageClass::new(version.class.as_str()));
    });
}

/// A policy that is read prints as one of the same meaning; whatever it says, an answer comes, and
/// more Deny never gives more access.
#[test]
fn policy_documents() {
    const DENY: &str =
        r#"{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::*"}"#;
    fuzz("policy", Vec::new(), |input| {
        let text = String::from_utf8_lossy(input);
        assert!(policy::is_same(Some(&text), Some(&text)));
        let Ok(document) = policy::Document::parse(&text) else { return };
        let printed = document.compact();
        assert!(policy::Document::parse(&printed).is_ok(), "{printed}");
        assert!(policy::is_same(Some(&text), Some(&printed)), "{printed}");
        let _ = (policy::is_public(&document), document.fits(&text, "photos"));
        let _ = policy::difference(Some(&text), None);
        let who = policy::Who::identity(&crate::model::Identity::User {
            arn: "arn:aws:iam::123456789012:user/alice".into(),
            user_id: Some("AIDAALICEALICEALICE00".into()),
        });
        let context = policy::Context::of(&who, &account(), "aws");
        let says = |document: &policy::Document| {
            let ask = policy::Ask {
                who: &who,
                action: "s3:GetObject",
                resource: "arn:aws:s3:::photos/a",
                account: &account(),
                context: &context,
            };
            policy::evaluate(document, &ask).says()
        };
        let before = says(&document);
        let Ok(mut value) = serde_json::from_str::<serde_json::Value>(&printed) else { return };
        let deny: serde_json::Value = serde_json::from_str(DENY).expect("JSON");
        match &mut value["Statement"] {
            serde_json::Value::Array(statements) => statements.push(deny),
            one => *one = serde_json::Value::Array(vec![one.take(), deny]),
        }
        let denied = policy::Document::parse(&value.to_string()).expect("one statement more");
        assert_eq!(says(&denied), policy::Says::Denies, "it said {before:?} before");
    });
}
