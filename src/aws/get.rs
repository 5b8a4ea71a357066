//! Fetches one object, or a range of it, and nothing else than that.
//!
//! Every GET is pinned to an ETag, its length must be told, a range must be answered by exactly
//! that range, and a body that comes too slowly or too short ends in an error. The bytes are not
//! proven here: that is for the digests of [`crate::model::Proof`]'s makers.

use std::time::Duration;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::types::ObjectLockLegalHoldStatus;
use aws_smithy_types::byte_stream::ByteStream;
use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::blank;
use super::bucket::Bucket;
use super::connect::{DataPlane, Floor};
use super::error::{About, AwsError, ErrorKind, chain};
use super::object::{Head, checksums, etag_of, object_headers};
use super::page::checksum_type;
use super::parse::{read_content_range, read_restore_header};
use super::plane::Wish;
use super::plane_head;
use super::wire::Watch;
use crate::model::{ETag, ObjectHeaders, StorageClass};

/// The beginning of an answered GET: its head, and a body still to be read.
pub struct Get {
    /// What the answer says of the object; `size` is the whole object's.
    pub head: Head,
    /// The bytes asked for.
    pub body: Body,
}

/// The bytes of one answered GET, as they come.
pub struct Body {
    stream: ByteStream,
    /// How many bytes the answer promised.
    length: u64,
    received: u64,
    pace: Pace,
    about: Asked,
    /// A connection's place, given back at the end of the body.
    slot: Option<OwnedSemaphorePermit>,
}

/// What was asked for, for the words in errors that come long after the request.
struct Asked {
    bucket: String,
    key: String,
}

impl Asked {
    fn about(&self) -> About<'_> {
        About::reads("GetObject", "read").bucket(&self.bucket).key(&self.key)
    }
}

impl Bucket {
    /// Fetches an object version, or of it the bytes from `range.0` up to and without `range.1`.
    ///
    /// Checksums are in the head of whole GETs only; on a range S3 may send the whole object's.
    /// Where connections are limited ([`super::Settings`]), the body holds one until it is read to
    /// its end or dropped.
    ///
    /// # Errors
    /// [`ErrorKind::Changed`] where another object stands under the key; [`ErrorKind::NotThawed`];
    /// [`ErrorKind::BadAnswer`] where the answer is not what was asked for; all others.
    ///
    /// Source: S3 API Reference, GetObject.
    pub async fn get(
        &self,
        key: &str,
        version_id: Option<&str>,
        pin: &ETag,
        range: Option<(u64, u64)>,
    ) -> Result<Get, AwsError> {
        let about = self.reads("GetObject", "read").key(key);
        if range.is_some_and(|(first, end)| first >= end) {
            return Err(about.error(ErrorKind::Other, "an empty range was asked for"));
        }
        let slot = self.aws.slot().await;
        let body = |stream, length, slot| Body {
            stream,
            length,
            received: 0,
            pace: Pace::new(self.aws.tuning().floor),
            about: Asked { bucket: self.name.as_str().to_owned(), key: key.to_owned() },
            slot,
        };
        if let Some((head, length, stream)) = self.get_thin(key, version_id, pin, range).await
            && head.check(&about, version_id, Some(pin)).is_ok()
        {
            return Ok(Get { head, body: body(stream, length, slot) });
        }
        let watch = Watch::default();
        let answer = self
            .ask_holding_slot(&about, |_, s3| {
                let get = s3
                    .get_object()
                    .bucket(self.name.as_str())
                    .expected_bucket_owner(self.owner.as_str())
                    .key(blank::sendable(key))
                    .set_version_id(version_id.map(str::to_owned))
                    .if_match(pin.quoted())
                    .set_range(range.map(|(first, end)| format!("bytes={first}-{}", end - 1)))
                    .customize()
                    .interceptor(watch.clone());
                match range {
                    // As a header and not as the SDK's own option: it would then check some
                    // checksums a second time and let others pass.
                    None => get.mutate_request(|request| {
                        request.headers_mut().insert("x-amz-checksum-mode", "ENABLED");
                    }),
                    Some(_) => get,
                }
                .send()
            })
            .await?;
        let (head, length) = read_head(&answer, range, watch.status(), &about)?;
        head.check(&about, version_id, Some(pin))?;
        Ok(Get { head, body: body(answer.body, length, slot) })
    }

    /// The same by the short way; `None`: ask the SDK.
    async fn get_thin(
        &self,
        key: &str,
        version_id: Option<&str>,
        pin: &ETag,
        range: Option<(u64, u64)>,
    ) -> Option<(Head, u64, ByteStream)> {
        let tuning = self.aws.tuning();
        let link = self.aws.link();
        let plane = link.plane(tuning).filter(|_| tuning.data_plane == DataPlane::Thin)?;
        let (region, pin) = (self.region(), pin.quoted());
        let range_text = range.map(|(first, end)| format!("bytes={first}-{}", end - 1));
        let last = match &range_text {
            Some(range) => ("range", range.as_str()),
            None => ("x-amz-checksum-mode", "ENABLED"),
        };
        let owner = ("x-amz-expected-bucket-owner", self.owner.as_str());
        let headers = [("if-match", pin.as_str()), owner, last];
        let wish = Wish { key, version_id, headers: &headers };
        let s3 = link.s3(&region);
        let request = plane.request(&s3, &region, self.name.as_str(), &wish).await?;
        link.tally.count("GetObject");
        let sent = tokio::time::timeout(tuning.read_timeout * 2, plane.send(request));
        let got = sent.await.ok().flatten().and_then(|answer| {
            let status = answer.status().as_u16();
            link.tally.count_answer(status);
            let (head, length) = plane_head::read(answer.headers(), status, range)?;
            Some((head, length, ByteStream::new(answer.into_body())))
        });
        if got.is_none() {
            // What the SDK asks now is asked for the second time.
            link.tally.count_retry();
        }
        got
    }
}

impl Body {
    /// How many bytes are to come in all.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// How many bytes have come.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// The next bytes; `None` once all have come, and only then.
    ///
    /// # Errors
    /// [`ErrorKind::Stalled`] where they come too slowly, [`ErrorKind::Unreachable`] where the
    /// connection breaks: read on with a range from the bytes that have come.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, AwsError> {
        if self.received == self.length {
            // Not waiting for the end of the stream: a server may keep it open.
            self.slot = None;
            return Ok(None);
        }
        let asked = Instant::now();
        let Ok(next) = tokio::time::timeout(self.pace.left(), self.stream.next()).await else {
            return Err(self.about.about().error(ErrorKind::Stalled, self.progress()));
        };
        match next {
            Some(Ok(bytes)) => {
                self.received += bytes.len() as u64;
                if self.received > self.length {
                    let message = format!("more than {} bytes came", self.length);
                    return Err(self.about.about().bad_answer(message));
                }
                if !self.pace.keeps_up(asked.elapsed(), bytes.len() as u64) {
                    return Err(self.about.about().error(ErrorKind::Stalled, self.progress()));
                }
                Ok(Some(bytes))
            }
            Some(Err(error)) => {
                let message = format!("{}: {}", self.progress(), chain(&error));
                Err(self.about.about().error(ErrorKind::Unreachable, message))
            }
            None => {
                let message = format!("it ended early: {}", self.progress());
                Err(self.about.about().error(ErrorKind::Unreachable, message))
            }
        }
    }

    fn progress(&self) -> String {
        format!("{} of {} bytes came", self.received, self.length)
    }
}

/// Judges how fast a body comes, by the time spent waiting for it; what the reader does between
/// two chunks is its own affair.
#[derive(Debug)]
struct Pace {
    floor: Floor,
    waited: Duration,
    bytes: u64,
}

impl Pace {
    fn new(floor: Floor) -> Self {
        Self { floor, waited: Duration::ZERO, bytes: 0 }
    }

    /// How long may still be waited in this window.
    fn left(&self) -> Duration {
        self.floor.window.saturating_sub(self.waited)
    }

    /// Counts a chunk; `false` where a whole window brought too little.
    fn keeps_up(&mut self, waited: Duration, bytes: u64) -> bool {
        self.waited += waited;
        self.bytes += bytes;
        let enough = self.floor.window.as_secs_f64() * self.floor.bytes_per_second as f64;
        if self.bytes as f64 >= enough {
            (self.waited, self.bytes) = (Duration::ZERO, 0);
        }
        self.waited < self.floor.window
    }
}

/// Reads and checks all that the head of an answer says; answers the body's length too.
fn read_head(
    answer: &GetObjectOutput,
    range: Option<(u64, u64)>,
    status: u16,
    about: &About<'_>,
) -> Result<(Head, u64), AwsError> {
    let length = answer.content_length().and_then(|length| u64::try_from(length).ok());
    let length = length.ok_or_else(|| about.bad_answer("it has no length"))?;
    let size = match range {
        None if status == 200 => length,
        None => return Err(about.bad_answer(format!("HTTP {status} for a whole object"))),
        Some((first, end)) => {
            let told = answer.content_range().unwrap_or("none");
            let wrong = || {
                let message = format!(
                    "bytes {first}-{} were asked for, HTTP {status} with `{told}` came",
                    end - 1
                );
                about.bad_answer(message)
            };
            let got = read_content_range(told).map_err(|_| wrong())?;
            if status != 206 || (got.first, got.end) != (first, end) || length != end - first {
                return Err(wrong());
            }
            got.total
        }
    };
    let head = Head {
        etag: etag_of(answer.e_tag(), about)?,
        size,
        last_modified_ms: answer
            .last_modified()
            .and_then(|date| date.to_millis().ok())
            .ok_or_else(|| about.bad_answer("it has no date"))?,
        class: StorageClass::new(answer.storage_class().map_or("", |class| class.as_str())),
        thaw: read_restore_header(answer.restore())
            .map_err(|error| about.bad_answer(error.to_string()))?,
        headers: object_headers!(answer),
        version_id: answer.version_id().map(str::to_owned),
        parts_count: answer.parts_count().and_then(|count| u32::try_from(count).ok()),
    };
    Ok((head, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace() -> Pace {
        let window = Duration::from_secs(60);
        Pace::new(Floor { bytes_per_second: 1024, window })
    }

    #[test]
    fn a_drip_does_not_keep_up() {
        let mut pace = pace();
        let kept = (0..200).take_while(|_| pace.keeps_up(Duration::from_secs(1), 2)).count();
        assert_eq!(kept, 59);
    }

    #[test]
    fn a_slow_but_steady_body_keeps_up() {
        let mut pace = pace();
        assert!((0..10_000).all(|_| pace.keeps_up(Duration::from_secs(1), 1100)));
    }

    #[test]
    fn a_burst_does_not_pay_for_a_long_silence() {
        let mut pace = pace();
        assert!(pace.keeps_up(Duration::from_secs(1), 1 << 40));
        assert_eq!(pace.left(), Duration::from_secs(60));
    }
}
