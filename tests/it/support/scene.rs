//! The sandbox with a small world in it, and a bed whose program finds it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use s3plan_sandbox::{BucketSpec, Sandbox, World};

use super::account::Account;
use super::bed::TestBed;

/// One bucket, `photos-2019`, with three small objects.
pub fn small_world() -> World {
    World::default().with(
        BucketSpec::new("photos-2019")
            .text("a.jpg", "first")
            .text("b/c.jpg", "second")
            .text("empty", ""),
    )
}

/// An account, and a project that is about it.
pub struct Scene {
    pub sandbox: Arc<Sandbox>,
    pub bed: TestBed,
    account: Account,
    /// What the world held at the start, as bucket and key.
    objects: BTreeSet<(String, String)>,
}

impl Scene {
    pub fn new(world: World) -> Self {
        let objects = world.buckets.values().flat_map(|bucket| {
            bucket.objects.iter().map(|object| (bucket.name.clone(), object.key.clone()))
        });
        let objects = objects.collect();
        let id = world.account.clone();
        let sandbox = Arc::new(Sandbox::start(world));
        let account = account_of(&sandbox, &id);
        Self { sandbox, bed: TestBed::on(&account), account, objects }
    }

    /// A second project on the same account.
    pub fn beside(other: &Self) -> Self {
        let sandbox = Arc::clone(&other.sandbox);
        let (account, objects) = (other.account.clone(), other.objects.clone());
        Self { sandbox, bed: TestBed::on(&account), account, objects }
    }

    /// The same, with this manifest planned.
    pub fn planned(self, manifest: &str) -> Self {
        self.bed.write_manifest(manifest);
        self.bed.s3plan(["plan", "manifest.toml"]).exits(0);
        self
    }

    /// The evidence that a bucket's open gate waits for.
    #[track_caller]
    pub fn evidence(&self, bucket: &str) -> String {
        let status = self.bed.s3plan(["status", "--json"]).exits(0).json();
        let buckets = status["buckets"].as_array().expect("buckets");
        let bucket = buckets.iter().find(|status| status["bucket"] == bucket).expect("the bucket");
        bucket["evidence"].as_str().expect("an open gate").to_owned()
    }

    /// Not one request was sent that could change anything.
    #[track_caller]
    pub fn assert_untouched(&self) {
        let mutations = self.sandbox.witness().mutations();
        assert!(mutations.is_empty(), "{mutations:#?}");
    }

    /// Nothing that was there at the start is deleted. (A run may try deletes on an object of
    /// its own.)
    #[track_caller]
    pub fn assert_nothing_lost(&self) {
        let mut deletions = self.sandbox.witness().deletions();
        deletions
            .retain(|gone| self.objects.contains(&(gone.pin.bucket.clone(), gone.pin.key.clone())));
        assert!(deletions.is_empty(), "{deletions:#?}");
    }
}

/// The account in a sandbox, as its first user.
pub fn account_of(sandbox: &Sandbox, id: &str) -> Account {
    let user = sandbox.users().first().cloned().expect("a world has a user");
    let env: BTreeMap<String, String> = sandbox.env(&user).into_iter().collect();
    let account = Account::new("sandbox", sandbox.endpoint(), id, &env["AWS_ACCESS_KEY_ID"]);
    Account { secret_key: env["AWS_SECRET_ACCESS_KEY"].clone(), ..account }
}
