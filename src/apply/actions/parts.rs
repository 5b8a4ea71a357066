//! Where the parts of a multipart upload begin and end, as far as a server tells.

use crate::apply::work::Work;
use crate::aws::AwsError;
use crate::model::{ObjectHeaders, ObjectVersion};
use crate::proof::{Digests, Ladder, Offer, Verdict};

/// How far the part sizes in the headers can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parts {
    /// S3 was asked for each.
    AsAsked,
    /// Where they are all alike they may only follow from the first.
    PerhapsAlike,
}

/// What S3 offers to prove an object by.
pub(super) fn offer(object: &ObjectVersion, headers: &ObjectHeaders, parts: Parts) -> Offer {
    match headers.part_sizes.split_last() {
        Some((last, [first, rest @ ..]))
            if parts == Parts::PerhapsAlike
                && last <= first
                && rest.iter().all(|size| size == first) =>
        {
            let unasked = ObjectHeaders { part_sizes: Vec::new(), ..headers.clone() };
            Offer::new(&object.etag, object.size, &unasked).with_first_part(*first)
        }
        _ => Offer::new(&object.etag, object.size, headers),
    }
}

/// Whether these digests, made over the parts in the headers, are wrong if those are the real ones.
pub(super) fn is_corrupt(
    object: &ObjectVersion,
    headers: &ObjectHeaders,
    digests: &Digests,
) -> bool {
    let ladder = Ladder::of(&offer(object, headers, Parts::AsAsked));
    matches!(ladder.judge(digests, digests.size()), Verdict::Corrupt(_))
}

/// The size of each part, asked for one by one; `None` where there are no parts to ask for, or the
/// server does not tell them apart.
pub(super) async fn real_part_sizes(
    work: &Work,
    object: &ObjectVersion,
    headers: &ObjectHeaders,
) -> Result<Option<Vec<u64>>, AwsError> {
    let Some(count) = parts_count(object, Some(headers)).filter(|&count| count > 1) else {
        return Ok(None);
    };
    let version = object.version_id.as_deref();
    work.door.each_part_size(&object.key, version, &object.etag, object.size, count).await
}

/// The sizes of an object's parts, as far as the server tells them; empty where it does not.
pub(super) async fn sizes_of_parts(
    work: &Work,
    object: &ObjectVersion,
    headers: Option<&ObjectHeaders>,
) -> Result<Vec<u64>, AwsError> {
    let Some(count) = parts_count(object, headers) else { return Ok(Vec::new()) };
    let version = object.version_id.as_deref();
    let sizes =
        work.door.part_sizes(&object.key, version, &object.etag, object.size, count).await?;
    Ok(sizes.unwrap_or_default())
}

/// How many parts it was uploaded in; `None` where nothing says that it was.
fn parts_count(object: &ObjectVersion, headers: Option<&ObjectHeaders>) -> Option<u32> {
    let of_etag = object.etag.as_multipart().map(|(_, parts)| parts);
    let of_checksum = || {
        let value = headers?.checksums.values().find_map(|value| value.rsplit_once('-'));
        value.and_then(|(_, parts)| parts.parse().ok())
    };
    of_etag.or_else(of_checksum)
}
