//! The parts of one object version: their sizes and checksums.

use std::collections::BTreeMap;

use aws_sdk_s3::types::ObjectAttributes;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::blank;
use super::bucket::Bucket;
use super::error::{AwsError, ErrorKind};
use super::object::checksums;
use super::page::checksum_type;
use crate::model::{ChecksumType, ETag, Endpoint};

/// Parts asked for at the same time.
const PARTS_AT_ONCE: usize = 8;

/// What a HEAD of one part says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartHead {
    /// The part's size in bytes; the whole object's where the server does not know parts.
    pub size: u64,
    /// How many parts there are; `None` for single uploads and where the server does not say.
    pub parts_count: Option<u32>,
}

/// What GetObjectAttributes says of one object version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// The whole object's size; `None` where it does not say.
    pub size: Option<u64>,
    /// Checksums by S3's algorithm name.
    pub checksums: BTreeMap<String, String>,
    /// What they cover.
    pub checksum_type: Option<ChecksumType>,
    /// How many parts it was uploaded in.
    pub parts_count: Option<u32>,
    /// The parts in order; empty for objects without an additional checksum.
    pub parts: Vec<PartAttributes>,
}

/// One part, as GetObjectAttributes tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartAttributes {
    /// Counted from 1.
    pub number: u32,
    /// In bytes.
    pub size: u64,
    /// Checksums by S3's algorithm name.
    pub checksums: BTreeMap<String, String>,
}

impl Bucket {
    /// Asks for the size of one part, counted from 1.
    ///
    /// A `pin` holds on AWS only: other servers compare it with the part's own tag. Sizes of
    /// another object's parts prove nothing, so that no harm comes of it.
    ///
    /// # Errors
    /// As [`Bucket::head`].
    pub async fn head_part(
        &self,
        key: &str,
        version_id: Option<&str>,
        pin: Option<&ETag>,
        part: u32,
    ) -> Result<PartHead, AwsError> {
        let about = self.reads("HeadObject", "look at a part of").key(key);
        let pin = pin.filter(|_| self.aws.endpoint() == Endpoint::Aws);
        let number = i32::try_from(part)
            .map_err(|_| about.error(ErrorKind::Other, format!("there is no part {part}")))?;
        let answer =
            self.ask_head(&about, key, version_id, pin, |head| head.part_number(number)).await?;
        let size = answer.content_length().and_then(|size| u64::try_from(size).ok());
        if let (Some(pin), Some(etag)) = (pin, answer.e_tag())
            && ETag::new(etag) != *pin
        {
            return Err(about.error(ErrorKind::Changed, "its ETag is another one"));
        }
        Ok(PartHead {
            size: size.ok_or_else(|| about.bad_answer("it has no length"))?,
            parts_count: answer.parts_count().and_then(|count| u32::try_from(count).ok()),
        })
    }

    /// Learns the sizes of the `count` parts of an object of `total` bytes. Where parts of part 1's
    /// size would fit, with a smaller last one, they are taken to be so: a mismatch of the digest
    /// is then worth [`Bucket::each_part_size`].
    ///
    /// `None` where the server does not tell parts apart.
    ///
    /// # Errors
    /// As [`Bucket::head`].
    pub async fn part_sizes(
        &self,
        key: &str,
        version_id: Option<&str>,
        etag: &ETag,
        total: u64,
        count: u32,
    ) -> Result<Option<Vec<u64>>, AwsError> {
        if count <= 1 {
            return Ok(Some(vec![total]));
        }
        let first = self.head_part(key, version_id, Some(etag), 1).await?;
        let told = first.parts_count.is_none_or(|said| said == count) && first.size < total;
        if told && let Some(sizes) = uniform(total, first.size, count) {
            return Ok(Some(sizes));
        }
        // One request for a thousand parts, where S3 lists them.
        match self.attributes(key, version_id).await {
            Ok(attributes) => {
                let sizes: Vec<u64> = attributes.parts.iter().map(|part| part.size).collect();
                if sizes.len() == count as usize && sums_to(&sizes, total) {
                    return Ok(Some(sizes));
                }
            }
            Err(error) if error.is_retryable() => return Err(error),
            // It needs a permission of its own, and not every server has it.
            Err(_) => {}
        }
        match told {
            true => self.each_part_size(key, version_id, etag, total, count).await,
            false => Ok(None),
        }
    }

    /// Asks for every part's size. `None` where they do not add up to `total`: the server does not
    /// tell parts apart.
    ///
    /// # Errors
    /// As [`Bucket::head`].
    pub async fn each_part_size(
        &self,
        key: &str,
        version_id: Option<&str>,
        etag: &ETag,
        total: u64,
        count: u32,
    ) -> Result<Option<Vec<u64>>, AwsError> {
        let sizes: Vec<u64> = stream::iter(1..=count)
            .map(|part| async move {
                let head = self.head_part(key, version_id, Some(etag), part).await?;
                Ok::<_, AwsError>(head.size)
            })
            .buffered(PARTS_AT_ONCE)
            .try_collect()
            .await?;
        Ok(sums_to(&sizes, total).then_some(sizes))
    }

    /// Asks for checksums and parts.
    ///
    /// # Errors
    /// As [`Bucket::head`]; [`ErrorKind::NotImplemented`] on some servers.
    ///
    /// Source: S3 API Reference, GetObjectAttributes: parts are listed only for objects with an
    /// additional checksum.
    pub async fn attributes(
        &self,
        key: &str,
        version_id: Option<&str>,
    ) -> Result<Attributes, AwsError> {
        let about = self.reads("GetObjectAttributes", "ask for the parts of").key(key);
        let mut found = Attributes::default();
        let mut marker: Option<String> = None;
        loop {
            let answer = self
                .ask(&about, |_, s3| {
                    s3.get_object_attributes()
                        .bucket(self.name.as_str())
                        .expected_bucket_owner(self.owner.as_str())
                        .key(blank::sendable(key))
                        .set_version_id(version_id.map(str::to_owned))
                        .object_attributes(ObjectAttributes::Checksum)
                        .object_attributes(ObjectAttributes::ObjectParts)
                        .object_attributes(ObjectAttributes::ObjectSize)
                        .set_part_number_marker(marker.clone())
                        .send()
                })
                .await?;
            found.size = answer.object_size().and_then(|size| u64::try_from(size).ok());
            if let Some(checksum) = answer.checksum() {
                found.checksums = checksums!(checksum);
                found.checksum_type = checksum_type(checksum.checksum_type());
            }
            let Some(parts) = answer.object_parts() else { return Ok(found) };
            found.parts_count = parts.total_parts_count().and_then(|count| count.try_into().ok());
            for part in parts.parts() {
                let number = part.part_number().and_then(|number| u32::try_from(number).ok());
                let size = part.size().and_then(|size| u64::try_from(size).ok());
                let (Some(number), Some(size)) = (number, size) else {
                    return Err(about.bad_answer("it lists a part without number or size"));
                };
                if found.parts.last().is_some_and(|last| last.number >= number) {
                    return Err(about.bad_answer("its parts are out of order"));
                }
                found.parts.push(PartAttributes { number, size, checksums: checksums!(part) });
            }
            if parts.is_truncated() != Some(true) {
                return Ok(found);
            }
            let next = parts.next_part_number_marker().map(str::to_owned);
            if parts.parts().is_empty() || next.is_none() {
                return Err(about.bad_answer("more parts follow, but it does not say where"));
            }
            marker = next;
        }
    }
}

fn sums_to(sizes: &[u64], total: u64) -> bool {
    sizes.iter().try_fold(0u64, |sum, &size| sum.checked_add(size)) == Some(total)
}

/// Parts of `first` bytes each and a last one of at most as many; `None` where that does not fit.
fn uniform(total: u64, first: u64, count: u32) -> Option<Vec<u64>> {
    let before = first.checked_mul(u64::from(count) - 1)?;
    let last = total.checked_sub(before).filter(|&last| last > 0 && last <= first)?;
    let mut sizes = vec![first; count as usize - 1];
    sizes.push(last);
    Some(sizes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_parts_are_taken_only_where_they_fit_exactly() {
        assert_eq!(uniform(25, 10, 3), Some(vec![10, 10, 5]));
        assert_eq!(uniform(30, 10, 3), Some(vec![10, 10, 10]));
        assert_eq!(uniform(20, 10, 3), None);
        assert_eq!(uniform(31, 10, 3), None);
        assert_eq!(uniform(u64::MAX, u64::MAX, 3), None);
    }
}
