//! The wide listing against the serial one, on a bucket that is only a list of keys.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use tokio::sync::watch;

use super::*;
use crate::model::{ETag, Standing, StorageClass, Thaw};

/// Keys on a page, so that many pages are not too many keys.
const SMALL_PAGE: usize = 100;

/// A bucket, and how often it was asked.
#[derive(Clone)]
struct Shelf {
    /// In order; several of one key are its versions.
    objects: Arc<Vec<ObjectVersion>>,
    page: usize,
    asked: Arc<AtomicU64>,
    /// Round trips so far: each answer comes with the next one after its question.
    rounds: watch::Sender<u64>,
    /// Listings that begin here find nothing.
    blind: Range<usize>,
    /// A listing that comes here ends.
    wall: Option<usize>,
}

struct Reading {
    shelf: Shelf,
    at: usize,
    over: bool,
}

impl Keys for Shelf {
    type From = Reading;

    fn behind(&self, key: Option<String>) -> Reading {
        let at = key.map_or(0, |key| self.objects.partition_point(|object| object.key <= key));
        let at = if self.blind.contains(&at) { self.objects.len() } else { at };
        Reading { shelf: self.clone(), at, over: false }
    }

    fn ended_before(&self, place: &str) -> ObserveError {
        ObserveError::Spool(std::io::Error::other(place.to_owned()))
    }
}

impl Run for Reading {
    async fn page(&mut self) -> Result<Option<Page>, AwsError> {
        if self.over {
            return Ok(None);
        }
        let shelf = &self.shelf;
        shelf.asked.fetch_add(1, Ordering::Relaxed);
        let mut rounds = shelf.rounds.subscribe();
        let now = *rounds.borrow_and_update();
        let _ = rounds.wait_for(|&round| round > now).await;
        // Answers come in another order than questions.
        for _ in 0..(self.at % 7) {
            tokio::task::yield_now().await;
        }
        let end = shelf.wall.filter(|&wall| self.at < wall).unwrap_or(shelf.objects.len());
        let rest = &shelf.objects[self.at..end];
        let take = rest.len().min(shelf.page);
        self.at += take;
        self.over = take == rest.len();
        Ok(Some(Page { objects: rest[..take].to_vec(), requests: 1 }))
    }
}

fn object(key: String, version: Option<u64>) -> ObjectVersion {
    ObjectVersion {
        key,
        version_id: version.map(|version| version.to_string()),
        standing: Standing::Current,
        delete_marker: false,
        etag: ETag::new("0123456789abcdef0123456789abcdef"),
        size: 1,
        last_modified_ms: 0,
        class: StorageClass::new(""),
        thaw: Thaw::NotAsked,
        checksums: Vec::new(),
        checksum_type: None,
    }
}

fn shelf(keys: impl IntoIterator<Item = String>, versions: u64, page: usize) -> Shelf {
    let keys: BTreeSet<String> = keys.into_iter().collect();
    let objects = keys.into_iter().flat_map(|key| match versions {
        0 => vec![object(key, None)],
        n => (0..n).map(|version| object(key.clone(), Some(version))).collect(),
    });
    let objects = Arc::new(objects.collect());
    Shelf {
        objects,
        page,
        asked: Arc::default(),
        rounds: watch::Sender::new(0),
        blind: 0..0,
        wall: None,
    }
}

impl Shelf {
    /// Lets time go by as soon as nobody has anything else to do.
    fn turn(&self) {
        let rounds = self.rounds.clone();
        tokio::spawn(async move {
            loop {
                for _ in 0..64 {
                    tokio::task::yield_now().await;
                }
                rounds.send_modify(|round| *round += 1);
            }
        });
    }
}

/// Lists keys that are many, and holds the price and the time against what is promised: so many
/// times faster than page by page.
fn costs(name: &str, faster: f64, keys: impl IntoIterator<Item = String>) {
    let shelf = shelf(keys, 0, SMALL_PAGE);
    let listed = drive(&shelf, |_| {}).expect("a listing");
    assert!(listed == *shelf.objects, "{name}: another listing");
    let needed = shelf.objects.len().div_ceil(SMALL_PAGE) as f64;
    let asked = shelf.asked.load(Ordering::Relaxed) as f64;
    let times = needed / *shelf.rounds.borrow() as f64;
    println!("{name}: {:.3} requests a page, {times:.1} times faster", asked / needed);
    assert!(asked <= needed * 1.1 + ADVANCE, "{name}: {asked} for {needed}");
    assert!(times >= faster, "{name}: {times:.1} times faster");
}

#[test]
fn large_buckets_of_any_shape_are_listed_fast_and_cheaply() {
    let n = 400 * SMALL_PAGE as u64;
    let mixed = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    costs("numbers", 7.0, (0..n).map(|n| format!("{n:09}.gz")));
    costs("folders", 4.5, (0..n).map(|n| format!("f{:03}/{:03}.bin", n / 200, n % 200)));
    costs("hashes", 7.0, (0..n).map(|n| format!("{:016x}", mixed(n))));
    costs("far below", 4.5, {
        let below = "backups/production/databases/2019/";
        (0..n).map(move |n| format!("{below}{:02}/{:02}/{:016x}", n % 12, n % 28, mixed(n)))
    });
    costs("one crowded folder", 4.5, {
        let few = (0..100).map(|n| format!("{}/{n}", char::from(b'a' + n as u8 % 26)));
        few.chain((0..n).map(|n| format!("m/logs/2020/x-{n}")))
    });
    costs(
        "other letters",
        7.0,
        (0..n).map(|n| {
            let letter = |n: u64| char::from_u32(0x4e00 + (n % 3000) as u32).unwrap_or('一');
            format!("資料/{}{}{n}", letter(mixed(n)), letter(mixed(n) >> 20))
        }),
    );
    costs("flags", 1.0, (0..n).map(|n| format!("{}-{n}", "ab".repeat(1 + (n % 40) as usize))));
    costs(
        "a thousand pages",
        1.0,
        (0..1000 * SMALL_PAGE as u64).map(|n| format!("f{:03}/{:03}", n / 1000, n % 1000)),
    );
    costs("few", 1.0, (0..90).map(|n| n.to_string()));
    costs("some", 1.5, (0..2000).map(|n| n.to_string()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the keys are, and however many versions they have.
    #[test]
    fn the_wide_listing_is_the_serial_one(
        keys in prop::collection::vec("([a-c/]{0,3}|[\u{0}-\u{10ffff}]{0,2})[0-9a-f]{0,6}", 0..400),
        below in "[a-z/]{0,10}",
        versions in 0u64..4,
        page in 1usize..6,
    ) {
        // The pages are small, so that the price is soon paid for many times over.
        let keys = keys.into_iter().map(|key| format!("{below}{key}")).filter(|key| !key.is_empty());
        let shelf = shelf(keys, versions, page);
        prop_assert!(list_freely(&shelf).expect("a listing") == *shelf.objects);
    }
}

/// A place that a server shows nothing behind is a guess that failed, and no end.
#[test]
fn what_an_empty_answer_hides_is_listed_all_the_same() {
    let mut shelf = shelf((0..600).map(|n| format!("{n:04}")), 0, 3);
    shelf.blind = 200..600;
    assert!(list_freely(&shelf).expect("a listing") == *shelf.objects);
}

#[test]
fn a_listing_that_ends_before_what_another_found_is_an_error() {
    let mut shelf = shelf((0..600).map(|n| format!("{n:04}")), 0, 3);
    shelf.wall = Some(300);
    assert!(list_freely(&shelf).is_err());
}

/// As [`list`], but guessing as if guesses were free.
fn list_freely(shelf: &Shelf) -> Result<Vec<ObjectVersion>, ObserveError> {
    drive(shelf, |drive| {
        drive.price = -1e9;
        drive.least = 0.0;
    })
}

fn drive(
    shelf: &Shelf,
    tune: impl FnOnce(&mut Drive<Shelf>),
) -> Result<Vec<ObjectVersion>, ObserveError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let (sender, mut pages) = mpsc::channel(1);
    runtime.block_on(async {
        shelf.turn();
        let mut drive = Drive::new(shelf.clone(), folder.path(), shelf.page as f64, LANES);
        tune(&mut drive);
        let driving = async move { drive.run(&sender).await };
        let taking = async {
            let mut all = Vec::new();
            while let Some(page) = pages.recv().await {
                all.extend(page.expect("a page").expect("objects"));
            }
            all
        };
        let (driven, all) = tokio::join!(driving, taking);
        driven.map(|()| all)
    })
}
