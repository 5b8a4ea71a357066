//! What a version asks of an outcome before it may be deleted.

use super::desired::Unprovable;
use super::proof::ProofKind;

/// The least that `unprovable` must allow before a version may be deleted; the greater covers the
/// lesser.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Demand {
    /// Nothing: S3 holds a proof of it.
    #[default]
    Nothing,
    /// `"twice"`: only two downloads that agree stand for it.
    Twice,
    /// `"size"`: only its size stands for it.
    Size,
    /// More than any outcome allows: it is in the archive, and nothing stands for it.
    Unmet,
}

impl Demand {
    /// What a version that was proven in this way asks for.
    pub fn of(proof: &ProofKind) -> Self {
        match proof {
            ProofKind::FullChecksum(_)
            | ProofKind::Md5ETag
            | ProofKind::CompositeChecksum(_)
            | ProofKind::MultipartETag => Self::Nothing,
            ProofKind::Twice => Self::Twice,
            ProofKind::SizeOnly => Self::Size,
            ProofKind::Unproven => Self::Unmet,
        }
    }

    /// Whether an outcome with this `unprovable` allows it.
    pub fn is_met_by(self, unprovable: Unprovable) -> bool {
        match unprovable {
            Unprovable::Keep => self <= Self::Nothing,
            Unprovable::Twice => self <= Self::Twice,
            Unprovable::Size => self <= Self::Size,
        }
    }
}

/// All that a version asks for. What a delete marker asks for is what the versions of its key do:
/// without its marker, one that stays would come back to life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Demands {
    /// Of `unprovable`.
    pub unprovable: Demand,
    /// Of `unconditional_deletes`, where versioning is suspended.
    pub deletes: DeleteDemand,
}

/// What a version asks of `unconditional_deletes`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeleteDemand {
    /// Nothing: S3 has a conditional delete for it.
    #[default]
    Nothing,
    /// `"compare-first"`, for it is a noncurrent version called `null`.
    CompareFirst,
}

impl Demands {
    /// What both ask for together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            unprovable: self.unprovable.max(other.unprovable),
            deletes: self.deletes.max(other.deletes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_that_allows_more_meets_every_lesser_demand() {
        let met = |unprovable| {
            [Demand::Nothing, Demand::Twice, Demand::Size, Demand::Unmet]
                .map(|demand| demand.is_met_by(unprovable))
        };
        assert_eq!(met(Unprovable::Keep), [true, false, false, false]);
        assert_eq!(met(Unprovable::Twice), [true, true, false, false]);
        assert_eq!(met(Unprovable::Size), [true, true, true, false]);
    }

    #[test]
    fn versions_together_ask_for_all_that_each_asks_for() {
        let unproven = Demands { unprovable: Demand::Unmet, ..Demands::default() };
        let null = Demands { deletes: DeleteDemand::CompareFirst, ..Demands::default() };
        let both = Demands { unprovable: Demand::Unmet, deletes: DeleteDemand::CompareFirst };
        assert_eq!(unproven.and(null), both);
        assert_eq!(null.and(unproven), both);
        assert_eq!(null.and(Demands::default()), null);
    }
}
