//! What a bucket costs, what its restore would cost in each tier, what deleting early may cost.

use jiff::Timestamp;

use super::{duration, line};
use crate::model::{DesiredArchive, Tally, Usd};
use crate::plan::estimate;
use crate::plan::prices::Prices;

/// Tells of one bucket what a reviewer weighs: each line only where there is something to weigh.
pub fn tell(text: &mut String, archive: &DesiredArchive, tally: &Tally, prices: &Prices) {
    let month = estimate::month(prices, tally);
    if month >= CENT {
        line(text, format_args!("  costs about {month} a month in S3 now"));
    }
    let tiers = estimate::tiers(prices, archive, tally);
    if !tiers.is_empty() {
        let each: Vec<String> = tiers
            .iter()
            .map(|offer| {
                let chosen = if offer.tier == archive.restore.tier { " (chosen)" } else { "" };
                format!("{}{chosen} {} within {}", offer.tier, offer.cost, duration(offer.hours))
            })
            .collect();
        line(text, format_args!("  restore tiers: {}", each.join(", ")));
    }
    let early = early_deletion(archive, tally, prices);
    if early >= CENT {
        let from = estimate::free_from_ms(prices, archive.then, tally);
        let from = from.and_then(|ms| Timestamp::from_millisecond(ms).ok());
        let from = from.map_or_else(String::new, |from| from.strftime("%Y-%m-%d").to_string());
        line(
            text,
            format_args!(
                "  early-deletion fees: none from {from} on if never moved between classes, at most \
                 {early}"
            ),
        );
    }
}

/// Less is not worth a line.
const CENT: Usd = Usd::from_micros(10_000);

fn early_deletion(archive: &DesiredArchive, tally: &Tally, prices: &Prices) -> Usd {
    if !archive.then.deletes() {
        return Usd::ZERO;
    }
    let each = tally.by_class.iter();
    let dollars: f64 =
        each.map(|(class, count)| prices.early_deletion_at_most(class, *count)).sum();
    Usd::from_dollars(dollars).unwrap_or(Usd::from_micros(u64::MAX))
}
