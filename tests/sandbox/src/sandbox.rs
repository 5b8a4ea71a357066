//! The running account, as a test holds it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use crate::fault::Rule;
use crate::shared::Shared;
use crate::snapshot::{self, Snapshot};
use crate::step::Step;
use crate::witness::Witness;
use crate::world::World;
use crate::{server, step};

/// A pretend account that answers on a loopback port until it is dropped.
#[derive(Debug)]
pub struct Sandbox {
    shared: Arc<Shared>,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Sandbox {
    /// Starts an account on a free port of 127.0.0.1, on a thread of its own.
    ///
    /// # Panics
    /// When the world contradicts itself or no port is to be had: there is no test then.
    pub fn start(world: World) -> Self {
        match Self::on_port(&world, 0) {
            Ok(sandbox) => sandbox,
            Err(error) => panic!("the sandbox does not start: {error}"),
        }
    }

    /// Starts an account on a port of 127.0.0.1; 0 for a free one.
    ///
    /// # Errors
    /// When the world contradicts itself or the port is taken.
    pub fn on_port(world: &World, port: u16) -> Result<Self, Box<dyn std::error::Error>> {
        world.check()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::of(world));
        let (stop, stopped) = watch::channel(false);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("sandbox")
            .enable_all()
            .build()?;
        let on_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("sandbox".into()).spawn(move || {
            runtime.block_on(async {
                if let Ok(listener) = tokio::net::TcpListener::from_std(listener) {
                    server::serve(listener, on_thread, stopped).await;
                }
            });
            runtime.shutdown_timeout(Duration::from_millis(100));
        })?;
        Ok(Self { shared, address, stop, thread: Some(thread) })
    }

    /// The URL that answers for every service: `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The environment in which AWS tools work as that user of the world; nothing of the machine's
    /// own AWS settings is left in it.
    ///
    /// # Panics
    /// When the world has no such user.
    pub fn env(&self, user: &str) -> Vec<(String, String)> {
        let account = self.shared.account();
        let Some(user) = account.user(user) else { panic!("the world has no user `{user}`") };
        let mut env = vec![
            ("AWS_ENDPOINT_URL".to_owned(), self.endpoint()),
            ("AWS_ACCESS_KEY_ID".to_owned(), user.access_key.clone()),
            ("AWS_SECRET_ACCESS_KEY".to_owned(), user.secret_key.clone()),
            ("AWS_REGION".to_owned(), account.region.clone()),
            ("AWS_EC2_METADATA_DISABLED".to_owned(), "true".to_owned()),
            ("AWS_CONFIG_FILE".to_owned(), "/dev/null".to_owned()),
            ("AWS_SHARED_CREDENTIALS_FILE".to_owned(), "/dev/null".to_owned()),
        ];
        if let Some(token) = &user.session_token {
            env.push(("AWS_SESSION_TOKEN".to_owned(), token.clone()));
        }
        env
    }

    /// The names of the world's users.
    pub fn users(&self) -> Vec<String> {
        self.shared.account().users.iter().map(|user| user.name.to_string()).collect()
    }

    /// The account's time.
    pub fn now(&self) -> Timestamp {
        self.shared.now()
    }

    /// Turns the clock forward.
    pub fn advance(&self, by: Duration) {
        self.shared.clock.advance(by);
    }

    /// What was asked, served and deleted so far.
    pub fn witness(&self) -> &Witness {
        &self.shared.witness
    }

    /// Adds a rule for what goes wrong from now on.
    pub fn add_fault(&self, rule: Rule) {
        self.shared.faults.add(rule);
    }

    /// Forgets all rules.
    pub fn clear_faults(&self) {
        self.shared.faults.clear();
    }

    /// Moves the world behind everyone's back.
    pub fn step(&self, step: &Step) {
        step::take(&self.shared, step);
    }

    /// Writes an object behind everyone's back; `false` when there is no such bucket.
    pub fn put(&self, bucket: &str, key: &str, bytes: &[u8]) -> bool {
        step::put(&self.shared, bucket, key, bytes::Bytes::copy_from_slice(bytes))
    }

    /// What is in the account now.
    pub fn snapshot(&self) -> Snapshot {
        snapshot::snapshot(&self.shared)
    }

    /// The bytes of an object, or of one version of it; `None` when it is not there.
    pub fn content(&self, bucket: &str, key: &str, version: Option<&str>) -> Option<Vec<u8>> {
        snapshot::content(&self.shared, bucket, key, version)
    }

    /// The SHA-256 in hex of an object, or of one version of it; `None` when it is not there.
    pub fn sha256(&self, bucket: &str, key: &str, version: Option<&str>) -> Option<String> {
        snapshot::sha256(&self.shared, bucket, key, version)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
