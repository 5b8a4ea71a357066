//! What an action will cost and how long it will take: always an estimate, and marked as one.
//!
//! Prices: AWS list prices in us-east-1, US dollars, GB = 2^30 bytes, as known in November 2026.
//! Sources: the AWS price list for AmazonS3; AWS re:Post, "s3-manage-data-retrieval".

use crate::model::{ActionKind, Change, Count, DesiredArchive, StorageClass, Tier, Usd, pace};

/// When the prices below were last looked at, for the words of a plan.
pub const PRICES_AS_OF: &str = "us-east-1, November 2026";

const GIB: f64 = (1u64 << 30) as f64;
/// A GET, in dollars a thousand; the archive classes cost the same as STANDARD.
const GET_PER_THOUSAND: f64 = 0.0004;
/// A temporary copy lies in STANDARD: dollars a GB and month.
const STANDARD_GB_MONTH: f64 = 0.023;
/// Transfer out to the internet, first step; nothing is paid inside a region.
const EGRESS_PER_GB: f64 = 0.09;

/// An estimate of one action.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Dollars.
    pub cost: Usd,
    /// Hours, to a tenth; `None` where it takes no time worth telling, or depends on a person.
    pub hours: Option<f64>,
}

/// Estimates one change.
pub fn of(change: &Change, archive: &DesiredArchive) -> Estimate {
    let (dollars, hours) = match change.kind {
        ActionKind::Restore => {
            let wave = change.wave.iter();
            let dollars = wave
                .flat_map(|wave| &wave.to_restore)
                .map(|(class, count)| {
                    retrieval(class, archive.restore.tier, *count)
                        + temporary_copy(class, archive.restore.days.get(), *count)
                })
                .sum();
            (dollars, None)
        }
        ActionKind::AwaitRestore => (0.0, change.wave.as_ref().map(|wave| wave.thaw_hours)),
        ActionKind::Download => {
            // What is in place already costs a HEAD, at most as much as a GET.
            let requests = change.count.objects as f64 / 1000.0 * GET_PER_THOUSAND;
            let fetched = Count {
                objects: change.count.objects.saturating_sub(change.present.objects),
                bytes: change.count.bytes.saturating_sub(change.present.bytes),
            };
            let egress = fetched.bytes as f64 / GIB * EGRESS_PER_GB;
            (requests + egress, Some(pace::hours(fetched)))
        }
        ActionKind::Adopt | ActionKind::Verify => (0.0, Some(pace::hours(change.count))),
        _ => (0.0, None),
    };
    let tenth = |hours: f64| (hours * 10.0).ceil() / 10.0;
    Estimate {
        cost: Usd::from_dollars(dollars).unwrap_or(Usd::from_micros(u64::MAX)),
        hours: hours.map(tenth).filter(|&hours| hours > 0.0),
    }
}

/// Dollars for asking this much back: per GB, and per thousand requests.
fn retrieval(class: &StorageClass, tier: Tier, count: Count) -> f64 {
    let deep = class.as_str() == "DEEP_ARCHIVE";
    let (per_gb, per_thousand) = match (tier, class.is_archived_tier(), deep) {
        (Tier::Expedited, ..) => (0.03, 10.0),
        (_, true, _) | (Tier::Bulk, _, false) => (0.0, 0.0),
        (Tier::Standard, _, false) => (0.01, 0.05),
        (Tier::Standard, _, true) => (0.02, 0.10),
        (Tier::Bulk, _, true) => (0.0025, 0.025),
    };
    count.bytes as f64 / GIB * per_gb + count.objects as f64 / 1000.0 * per_thousand
}

/// Dollars for the copies that a restore makes; INTELLIGENT_TIERING objects move instead.
fn temporary_copy(class: &StorageClass, days: u16, count: Count) -> f64 {
    if class.is_archived_tier() {
        return 0.0;
    }
    count.bytes as f64 / GIB * STANDARD_GB_MONTH * f64::from(days) / 30.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The worked example of AWS re:Post "s3-manage-data-retrieval".
    #[test]
    fn a_published_example_costs_what_aws_says() {
        let count = Count { objects: 15_000_000, bytes: 102_400 << 30 };
        let glacier = StorageClass::new("GLACIER");
        let dollars = retrieval(&glacier, Tier::Standard, count);
        assert!((dollars - 1_774.0).abs() < 0.01, "{dollars}");
        let requests_alone = retrieval(&glacier, Tier::Expedited, Count { bytes: 0, ..count });
        assert!((requests_alone - 150_000.0).abs() < 0.01, "{requests_alone}");
    }

    #[test]
    fn bulk_is_free_from_glacier_only() {
        let count = Count { objects: 1_000_000, bytes: 1 << 40 };
        assert_eq!(retrieval(&StorageClass::new("GLACIER"), Tier::Bulk, count), 0.0);
        assert!(retrieval(&StorageClass::new("DEEP_ARCHIVE"), Tier::Bulk, count) > 25.0);
    }
}
