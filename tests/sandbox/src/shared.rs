//! What every request works on: the account, its clock, the rules of what goes wrong, the witness.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;

use crate::account::Account;
use crate::clock::Clock;
use crate::fault::Faults;
use crate::witness::Witness;
use crate::world::World;

/// The account and what is around it.
#[derive(Debug)]
pub struct Shared {
    account: Mutex<Account>,
    /// The account's time.
    pub clock: Clock,
    /// What goes wrong.
    pub faults: Faults,
    /// What was seen.
    pub witness: Witness,
    /// How long every answer takes.
    pub latency: Duration,
}

impl Shared {
    /// Everything as a world describes it.
    pub fn of(world: &World) -> Self {
        let clock = Clock::new(world.now, world.speed);
        Self {
            account: Mutex::new(Account::of(world, clock.now())),
            clock,
            faults: Faults::new(world.faults.clone()),
            witness: Witness::default(),
            latency: Duration::from_millis(world.latency_ms),
        }
    }

    /// The account, for as long as the guard lives.
    pub fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The account's time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
