//! What S3 charges: a dated table in the program, or a file of the same form.
//!
//! In: TOML. Out: [`Prices`], and the few formulas that everything else is summed from. Always list
//! prices, always an estimate.

use std::collections::BTreeMap;

use serde::Deserialize;
use thiserror::Error;

use crate::model::{Count, StorageClass, Tier};

/// The table in the program, as text.
pub const TABLE: &str = include_str!("prices.toml");

/// Bytes of a GB, as S3 bills it.
const GB: f64 = (1u64 << 30) as f64;
/// Days of a month, as S3 bills it.
const MONTH: f64 = 30.0;

/// A table of prices, in US dollars.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// Where and when they hold, for the words of a plan.
    pub name: String,
    list_per_thousand: f64,
    copy_gb_month: f64,
    transfer_out: Vec<TransferStep>,
    class: BTreeMap<String, ClassPrices>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TransferStep {
    /// Where this step ends; `None` for the last one.
    up_to_gb: Option<f64>,
    per_gb: f64,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ClassPrices {
    gb_month: f64,
    get_per_thousand: f64,
    get_per_gb: f64,
    month_per_thousand: f64,
    min_days: u32,
    overhead_bytes: u64,
    overhead_standard_bytes: u64,
    restore: BTreeMap<String, RestorePrices>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RestorePrices {
    per_gb: f64,
    per_thousand: f64,
}

/// Why a table of prices cannot be used.
#[derive(Debug, Error)]
pub enum PricesError {
    /// It is no such table.
    #[error("this is no table of prices: {0}")]
    Form(#[from] toml::de::Error),
    /// A price is missing or is none.
    #[error("the table of prices {0}")]
    Unusable(String),
}

impl Prices {
    /// The table in the program.
    pub fn built_in() -> Self {
        // Held against `parse` by a test; an empty table would be priced at nothing.
        Self::parse(TABLE).unwrap_or_else(|_| Self {
            name: "no prices known".into(),
            list_per_thousand: 0.0,
            copy_gb_month: 0.0,
            transfer_out: Vec::new(),
            class: BTreeMap::new(),
        })
    }

    /// Reads a table of the form of the one in the program.
    ///
    /// # Errors
    /// [`PricesError`], where something is missing, unknown or no price.
    pub fn parse(text: &str) -> Result<Self, PricesError> {
        let prices: Self = toml::from_str(text)?;
        let unusable = |what: &str| Err(PricesError::Unusable(what.to_owned()));
        if !prices.class.contains_key("STANDARD") {
            return unusable("has no [class.STANDARD]");
        }
        let rises = prices.transfer_out.windows(2).all(|pair| match (&pair[0], &pair[1]) {
            (TransferStep { up_to_gb: Some(a), .. }, TransferStep { up_to_gb: Some(b), .. }) => {
                a < b
            }
            (first, _) => first.up_to_gb.is_some(),
        });
        if !rises || prices.transfer_out.last().is_none_or(|last| last.up_to_gb.is_some()) {
            return unusable("needs `transfer_out` steps that rise and a last one without an end");
        }
        let each = prices.class.values();
        let numbers = each
            .flat_map(|class| {
                [class.gb_month, class.get_per_thousand, class.get_per_gb, class.month_per_thousand]
                    .into_iter()
                    .chain(class.restore.values().flat_map(|r| [r.per_gb, r.per_thousand]))
            })
            .chain(prices.transfer_out.iter().map(|step| step.per_gb))
            .chain([prices.list_per_thousand, prices.copy_gb_month]);
        match numbers.into_iter().all(|price| price.is_finite() && price >= 0.0) {
            true => Ok(prices),
            false => unusable("has a price that is no amount"),
        }
    }

    /// Dollars for asking this much back: per GB, and per thousand requests.
    pub fn restore(&self, class: &StorageClass, tier: Tier, count: Count) -> f64 {
        let Some(price) = self.of(class).restore.get(tier.as_str()).copied() else { return 0.0 };
        gb(count.bytes) * price.per_gb + thousands(count.objects) * price.per_thousand
    }

    /// Dollars for the copies that a restore makes; INTELLIGENT_TIERING objects move instead.
    pub fn temporary_copies(&self, class: &StorageClass, days: u16, count: Count) -> f64 {
        match class.is_archived_tier() {
            true => 0.0,
            false => gb(count.bytes) * self.copy_gb_month * f64::from(days) / MONTH,
        }
    }

    /// Dollars for reading this much once: requests, and what the class charges by size.
    pub fn reads(&self, class: &StorageClass, count: Count) -> f64 {
        let price = self.of(class);
        thousands(count.objects) * price.get_per_thousand + gb(count.bytes) * price.get_per_gb
    }

    /// Dollars for listings of so many objects in all, and so many extra pages.
    pub fn lists(&self, objects: u64, pages: u64) -> f64 {
        thousands(objects.div_ceil(1000) + pages) * self.list_per_thousand
    }

    /// Dollars for moving `bytes` out to the internet where so many have moved before.
    pub fn transfer_out(&self, before: u64, bytes: u64) -> f64 {
        self.transfer_of(before.saturating_add(bytes)) - self.transfer_of(before)
    }

    fn transfer_of(&self, bytes: u64) -> f64 {
        let total = gb(bytes);
        let mut dollars = 0.0;
        let mut below = 0.0;
        for step in &self.transfer_out {
            let end = step.up_to_gb.unwrap_or(f64::INFINITY).min(total);
            dollars += (end - below).max(0.0) * step.per_gb;
            below = end.max(below);
        }
        dollars
    }

    /// Dollars that storing this much costs each month, the overhead of archived objects included.
    pub fn month(&self, class: &StorageClass, count: Count) -> f64 {
        let price = self.of(class);
        let standard = self.of(&StorageClass::new("STANDARD")).gb_month;
        let overhead = |each: u64| gb(each.saturating_mul(count.objects));
        (gb(count.bytes) + overhead(price.overhead_bytes)) * price.gb_month
            + overhead(price.overhead_standard_bytes) * standard
            + thousands(count.objects) * price.month_per_thousand
    }

    /// Dollars charged for deleting this much before the class's minimum, if all of it entered the
    /// class today. Its age there is not known: `LastModified` is when it was uploaded, and a
    /// transition by lifecycle leaves that as it is.
    pub fn early_deletion_at_most(&self, class: &StorageClass, count: Count) -> f64 {
        let price = self.of(class);
        gb(count.bytes) * price.gb_month * f64::from(price.min_days) / MONTH
    }

    /// How many days an object of this class is paid for at least.
    pub fn min_days(&self, class: &StorageClass) -> u32 {
        self.of(class).min_days
    }

    /// The class's prices; one that the table lacks costs what STANDARD costs.
    fn of(&self, class: &StorageClass) -> ClassPrices {
        let known = [class.as_str(), class.s3_name(), "STANDARD"];
        known.iter().find_map(|name| self.class.get(*name)).cloned().unwrap_or_default()
    }
}

fn gb(bytes: u64) -> f64 {
    bytes as f64 / GB
}

fn thousands(count: u64) -> f64 {
    count as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(name: &str) -> StorageClass {
        StorageClass::new(name)
    }

    #[track_caller]
    fn costs(dollars: f64, expected: f64) {
        assert!((dollars - expected).abs() < expected.abs() * 1e-9 + 1e-9, "{dollars}");
    }

    #[test]
    fn the_table_in_the_program_can_be_read() {
        let prices = Prices::parse(TABLE).expect("a table");
        for name in ["STANDARD", "STANDARD_IA", "ONEZONE_IA", "GLACIER_IR", "GLACIER"] {
            assert!(prices.class[name].gb_month > 0.0, "{name}");
        }
    }

    /// The worked example of AWS re:Post "s3-manage-data-retrieval".
    #[test]
    fn a_published_example_costs_what_aws_says() {
        let prices = Prices::built_in();
        let count = Count { objects: 15_000_000, bytes: 102_400 << 30 };
        costs(prices.restore(&class("GLACIER"), Tier::Standard, count), 1_774.0);
        let requests_alone = Count { bytes: 0, ..count };
        costs(prices.restore(&class("GLACIER"), Tier::Expedited, requests_alone), 150_000.0);
    }

    #[test]
    fn bulk_is_free_from_glacier_only() {
        let prices = Prices::built_in();
        let count = Count { objects: 1_000_000, bytes: 1 << 40 };
        costs(prices.restore(&class("GLACIER"), Tier::Bulk, count), 0.0);
        costs(prices.restore(&class("DEEP_ARCHIVE"), Tier::Bulk, count), 2.56 + 25.0);
        let tier = StorageClass::intelligent_tier("ARCHIVE_ACCESS");
        costs(prices.restore(&tier, Tier::Standard, count), 0.0);
        costs(prices.temporary_copies(&tier, 7, count), 0.0);
        costs(prices.temporary_copies(&class("GLACIER"), 30, count), 1024.0 * 0.023);
    }

    /// However a transfer is cut into actions, it costs the same in all.
    #[test]
    fn transfer_climbs_the_steps_and_adds_up() {
        let prices = Prices::built_in();
        let tb = 1 << 40;
        costs(prices.transfer_out(0, tb), 1024.0 * 0.09);
        let all = 10_240.0 * 0.09 + 40_960.0 * 0.085 + 102_400.0 * 0.07 + 51_200.0 * 0.05;
        costs(prices.transfer_out(0, 200 * tb), all);
        let cut: f64 = (0..200).map(|n| prices.transfer_out(n * tb, tb)).sum();
        costs(cut, all);
    }

    #[test]
    fn reading_from_infrequent_access_is_paid_by_size_too() {
        let prices = Prices::built_in();
        let count = Count { objects: 1000, bytes: 1 << 40 };
        costs(prices.reads(&class("STANDARD"), count), 0.0004);
        costs(prices.reads(&class("STANDARD_IA"), count), 0.001 + 10.24);
        costs(prices.reads(&class("GLACIER_IR"), count), 0.01 + 30.72);
        costs(prices.reads(&class("A_NEW_CLASS"), count), 0.0004);
    }

    #[test]
    fn small_archived_objects_cost_more_than_their_bytes() {
        let prices = Prices::built_in();
        let empty = Count { objects: 1 << 20, bytes: 0 };
        // 2^20 objects: 32 GB of indexes and 8 GB of names.
        costs(prices.month(&class("GLACIER"), empty), 32.0 * 0.0036 + 8.0 * 0.023);
        costs(prices.month(&class("STANDARD"), Count { objects: 1, bytes: 1 << 30 }), 0.023);
    }

    #[test]
    fn deleting_early_costs_the_rest_of_the_minimum_at_most() {
        let prices = Prices::built_in();
        let count = Count { objects: 1, bytes: 1 << 40 };
        costs(prices.early_deletion_at_most(&class("DEEP_ARCHIVE"), count), 1024.0 * 0.00099 * 6.0);
        costs(prices.early_deletion_at_most(&class("STANDARD"), count), 0.0);
        assert_eq!(prices.min_days(&class("GLACIER")), 90);
    }

    #[test]
    fn a_table_that_is_none_is_refused() {
        let table = TABLE;
        assert!(Prices::parse("").is_err());
        assert!(Prices::parse(&table.replace("[class.STANDARD]", "[class.STANDART]")).is_err());
        assert!(Prices::parse(&table.replace("0.0125", "-1.0")).is_err());
        assert!(Prices::parse(&table.replace("up_to_gb = 51200", "up_to_gb = 1")).is_err());
        assert!(Prices::parse(&table.replace("gb_month = 0.004\n", "gb_mouth = 0.004\n")).is_err());
    }
}
