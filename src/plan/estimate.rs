//! What an action will cost and how long it will take: always an estimate, and marked as one.
//!
//! In: a [`Change`], the outcome, what was seen, and the [`Prices`]. Out: an [`Estimate`]. Pure,
//! and without a clock: how old an object is counts only as a date.

use std::collections::BTreeMap;

use super::prices::Prices;
use crate::model::{
    ActionKind, AfterArchive, Change, Count, DesiredArchive, StorageClass, Tally, Tier, Usd, pace,
};

/// An hour's looks while objects thaw, each a page of a listing.
const LOOKS_AN_HOUR: f64 = 12.0;

/// An estimate of one action.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Dollars.
    pub cost: Usd,
    /// Dollars at most, where that cannot be told more closely: early-deletion fees.
    pub cost_at_most: Usd,
    /// Hours, to a tenth; `None` where it takes no time worth telling, or depends on a person.
    pub hours: Option<f64>,
}

/// Estimates the changes of one plan in their order.
pub struct Estimator<'a> {
    prices: &'a Prices,
    /// What the actions so far have moved out: transfer gets cheaper step by step.
    moved: u64,
}

impl<'a> Estimator<'a> {
    /// Begins a plan.
    pub fn new(prices: &'a Prices) -> Self {
        Self { prices, moved: 0 }
    }

    /// Estimates the next change.
    pub fn next(&mut self, change: &Change, archive: &DesiredArchive, tally: &Tally) -> Estimate {
        let prices = self.prices;
        let listing = || prices.lists(tally.listed.objects, 0);
        let mut early = 0.0;
        let (dollars, hours) = match change.kind {
            ActionKind::Restore => {
                let wanted = change.wave.iter().flat_map(|wave| &wave.to_restore);
                (restore(prices, archive.restore.tier, archive.restore.days.get(), wanted), None)
            }
            ActionKind::AwaitRestore => {
                let hours = change.wave.as_ref().map(|wave| wave.thaw_hours);
                let looks = (hours.unwrap_or(0.0) * LOOKS_AN_HOUR).ceil() as u64;
                (prices.lists(change.count.objects, looks), hours)
            }
            ActionKind::Download => {
                let read: f64 = match &change.wave {
                    Some(wave) => {
                        let each = wave.to_restore.iter();
                        each.map(|(class, count)| prices.reads(class, *count)).sum()
                    }
                    None => {
                        let each = tally.ready_by_class.iter();
                        each.map(|(class, count)| prices.reads(class, *count)).sum()
                    }
                };
                // What is in place already is looked at, and moves nothing.
                let fetched = Count {
                    objects: change.count.objects.saturating_sub(change.present.objects),
                    bytes: change.count.bytes.saturating_sub(change.present.bytes),
                };
                let out = prices.transfer_out(self.moved, fetched.bytes);
                self.moved = self.moved.saturating_add(fetched.bytes);
                (read + out, Some(pace::hours(fetched)))
            }
            ActionKind::Adopt | ActionKind::Verify => (0.0, Some(pace::hours(change.count))),
            ActionKind::Approve => (listing(), None),
            ActionKind::DeleteObjects => {
                early = tally
                    .by_class
                    .iter()
                    .map(|(class, count)| prices.early_deletion_at_most(class, *count))
                    .sum();
                (listing(), None)
            }
            _ => (0.0, None),
        };
        let tenth = |hours: f64| (hours * 10.0).ceil() / 10.0;
        Estimate {
            cost: usd(dollars),
            cost_at_most: usd(dollars + early),
            hours: hours.map(tenth).filter(|&hours| hours > 0.0),
        }
    }
}

/// What the objects of an outcome cost each month as they lie in S3 now.
pub fn month(prices: &Prices, tally: &Tally) -> Usd {
    usd(tally.by_class.iter().map(|(class, count)| prices.month(class, *count)).sum())
}

/// One way to have the archived objects of an outcome thawed.
#[derive(Clone, Debug, PartialEq)]
pub struct TierOffer {
    /// The tier.
    pub tier: Tier,
    /// Requests, retrieval and temporary copies, in dollars.
    pub cost: Usd,
    /// The longest that AWS says a restore takes.
    pub hours: f64,
}

/// What every tier would cost and how long it would take, for those that S3 offers for all classes
/// here; empty where nothing needs a restore.
pub fn tiers(prices: &Prices, archive: &DesiredArchive, tally: &Tally) -> Vec<TierOffer> {
    let mut wanted: BTreeMap<&StorageClass, Count> = BTreeMap::new();
    for (class, count) in tally.frozen.iter().flat_map(|stretch| &stretch.to_restore) {
        let sum = wanted.entry(class).or_default();
        *sum = *sum + *count;
    }
    if wanted.is_empty() {
        return Vec::new();
    }
    let offer = |tier: Tier| {
        let hours: Option<Vec<f64>> = wanted.keys().map(|class| tier.hours(class)).collect();
        let each = wanted.iter().map(|(class, count)| (*class, count));
        Some(TierOffer {
            tier,
            cost: usd(restore(prices, tier, archive.restore.days.get(), each)),
            hours: hours?.into_iter().fold(0.0, f64::max),
        })
    };
    [Tier::Bulk, Tier::Standard, Tier::Expedited].into_iter().filter_map(offer).collect()
}

/// The day from which deleting costs no early-deletion fee, if every object has been in its class
/// since it was uploaded, in milliseconds since the Unix epoch; `None` where no class here has a
/// minimum or nothing is deleted.
pub fn free_from_ms(prices: &Prices, then: AfterArchive, tally: &Tally) -> Option<i64> {
    let newest = tally.newest_by_class.iter().filter(|_| then.deletes());
    newest
        .filter(|(class, _)| prices.min_days(class) > 0)
        .map(|(class, ms)| ms.saturating_add(i64::from(prices.min_days(class)) * 24 * 3_600_000))
        .max()
}

fn restore<'a>(
    prices: &Prices,
    tier: Tier,
    days: u16,
    wanted: impl Iterator<Item = (&'a StorageClass, &'a Count)>,
) -> f64 {
    wanted
        .map(|(class, count)| {
            prices.restore(class, tier, *count) + prices.temporary_copies(class, days, *count)
        })
        .sum()
}

fn usd(dollars: f64) -> Usd {
    Usd::from_dollars(dollars).unwrap_or(Usd::from_micros(u64::MAX))
}
