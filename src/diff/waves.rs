//! Lays restores out in waves, so that no thawed copy lapses before its download.
//!
//! A copy lapses some days after it was asked for, whether or not it was downloaded by then. All
//! restores of one wave go out together; a wave ends where the estimated end of its downloads
//! would come closer than a day to the copies' end. The next wave is asked for when the downloads
//! of the one before are done.

use crate::model::{DesiredArchive, ObjectRange, Stretch, Tally, Wave, pace};

/// The hours that must remain between the estimated end of a download and the copies' end.
const MARGIN_HOURS: f64 = 24.0;

/// Where the laying out stands, over all buckets of a plan in download order.
#[derive(Debug, Default)]
pub(super) struct Waves {
    number: u32,
    used_hours: f64,
}

impl Waves {
    /// Lays out one bucket's frozen stretches.
    ///
    /// # Errors
    /// A sentence for people, where the manifest's tier or days cannot work.
    pub(super) fn lay_out(
        &mut self,
        archive: &DesiredArchive,
        tally: &Tally,
    ) -> Result<Vec<Wave>, String> {
        self.used_hours += pace::hours(tally.ready);
        let mut waves: Vec<Wave> = Vec::new();
        for stretch in &tally.frozen {
            let thaw_hours = thaw_hours(archive, stretch)?;
            let room = f64::from(archive.restore.days.get()) * 24.0 - MARGIN_HOURS - thaw_hours;
            let download_hours = pace::hours(stretch.count());
            if download_hours > room {
                return Err(format!(
                    "restored copies kept for {} days would lapse before their download ends \
                     (thawing up to {thaw_hours:.0} h, then about {download_hours:.0} h): set \
                     `restore = {{ days = {} }}` or more",
                    archive.restore.days.get(),
                    ((download_hours + MARGIN_HOURS + thaw_hours) / 24.0).ceil(),
                ));
            }
            if self.used_hours + download_hours > room && self.used_hours > 0.0 {
                self.number += 1;
                self.used_hours = 0.0;
            }
            self.used_hours += download_hours;
            match waves.last_mut().filter(|wave| wave.number == self.number) {
                Some(wave) => wave.take(stretch, thaw_hours),
                None => waves.push(Wave::of(self.number, stretch, thaw_hours)),
            }
        }
        Ok(waves)
    }
}

impl Wave {
    fn of(number: u32, stretch: &Stretch, thaw_hours: f64) -> Self {
        Self {
            number,
            range: ObjectRange { first: stretch.first, end: stretch.end },
            to_restore: stretch.to_restore.clone(),
            count: stretch.count(),
            thaw_hours,
        }
    }

    fn take(&mut self, stretch: &Stretch, thaw_hours: f64) {
        self.range.end = stretch.end;
        for (class, count) in &stretch.to_restore {
            let sum = self.to_restore.entry(class.clone()).or_default();
            *sum = *sum + *count;
        }
        self.count = self.count + stretch.count();
        self.thaw_hours = self.thaw_hours.max(thaw_hours);
    }
}

fn thaw_hours(archive: &DesiredArchive, stretch: &Stretch) -> Result<f64, String> {
    let tier = archive.restore.tier;
    let mut longest: f64 = 0.0;
    for class in stretch.to_restore.keys() {
        let hours = tier.hours(class).ok_or_else(|| {
            format!(
                "`{tier}` restores are not offered for {class} objects: use \"standard\" (within \
                 12 h) or \"bulk\" (within 48 h, cheapest)"
            )
        })?;
        longest = longest.max(hours);
    }
    if !stretch.thawing.is_empty() {
        // Somebody else asked for these, with a tier that cannot be told from outside.
        longest = longest.max(48.0);
    }
    Ok(longest)
}
