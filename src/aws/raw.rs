//! A server for tests that writes exactly the bytes it is given: for answers that no HTTP library
//! would send.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::bucket::Bucket;
use super::connect::{Aws, DataPlane, Floor, Load, Tuning, retry_config, timeout_config};
use super::wire::http_client;
use crate::model::{AccountId, BucketName};

/// What is written for one request.
#[derive(Clone, Debug)]
pub(crate) enum Canned {
    /// These bytes, then the connection is closed.
    Bytes(Vec<u8>),
    /// These bytes, then nothing more for ever.
    ThenSilence(Vec<u8>),
    /// These bytes, then one byte each 20 ms.
    ThenDrip(Vec<u8>),
    /// These bytes, then more of them than anybody takes.
    ThenFlood(Vec<u8>),
}

/// A server on a free loopback port, and what it was asked.
pub(crate) struct Raw {
    pub url: String,
    flooded: Arc<AtomicU64>,
    asked: Arc<Mutex<Vec<String>>>,
    listening: tokio::task::JoinHandle<()>,
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Raw {
    /// Answers the n-th request, counted from 0, with what `answer` says.
    pub async fn start(answer: impl Fn(usize) -> Canned + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let heads = Arc::clone(&asked);
        let answer = Arc::new(answer);
        let flooded = Arc::<AtomicU64>::default();
        let taken = Arc::clone(&flooded);
        let listening = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (heads, answer) = (Arc::clone(&heads), Arc::clone(&answer));
                let taken = Arc::clone(&taken);
                tokio::spawn(async move {
                    let Some(request) = read_request(&mut stream).await else { return };
                    let nth = {
                        let mut heads = heads.lock().expect("not poisoned");
                        heads.push(String::from_utf8_lossy(&request).into_owned());
                        heads.len() - 1
                    };
                    match answer(nth) {
                        Canned::Bytes(bytes) => drop(stream.write_all(&bytes).await),
                        Canned::ThenSilence(bytes) => {
                            drop(stream.write_all(&bytes).await);
                            std::future::pending::<()>().await;
                        }
                        Canned::ThenFlood(bytes) => {
                            drop(stream.write_all(&bytes).await);
                            let more = vec![b'x'; 64 << 10];
                            while stream.write_all(&more).await.is_ok() {
                                taken.fetch_add(more.len() as u64, Ordering::Relaxed);
                            }
                        }
                        Canned::ThenDrip(bytes) => {
                            drop(stream.write_all(&bytes).await);
                            while stream.write_all(b"x").await.is_ok() {
                                crate::clock::Clock::default()
                                    .sleep(Duration::from_millis(20))
                                    .await;
                            }
                        }
                    }
                });
            }
        });
        Self { url, flooded, asked, listening }
    }

    /// The same answer to every request.
    pub async fn always(answer: Canned) -> Self {
        Self::start(move |_| answer.clone()).await
    }

    /// These answers in turn; the last one again and again.
    pub async fn in_turn(answers: Vec<Canned>) -> Self {
        Self::start(move |nth| answers[nth.min(answers.len() - 1)].clone()).await
    }

    /// All requests so far, heads and bodies.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("not poisoned").clone()
    }

    /// How many bytes of floods were taken.
    pub fn flooded(&self) -> u64 {
        self.flooded.load(Ordering::Relaxed)
    }

    pub async fn aws(&self) -> Aws {
        connect(&self.url, Tuning { patience: Duration::ZERO, ..quick() }).await
    }

    pub async fn bucket(&self) -> Bucket {
        bucket_of(&self.aws().await)
    }
}

/// Reads a request to its end; `None` where the connection ends first.
async fn read_request(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = request.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
            let length = head.split_once("content-length: ").map_or("0", |(_, behind)| behind);
            let length: usize = length.lines().next()?.trim().parse().ok()?;
            if request.len() >= end + 4 + length {
                return Some(request);
            }
        }
        match stream.read(&mut buffer).await {
            Ok(n) if n > 0 => request.extend_from_slice(&buffer[..n]),
            _ => return None,
        }
    }
}

/// One attempt, and limits that no answer comes near which comes at all, on however busy a machine.
pub(crate) fn quick() -> Tuning {
    Tuning {
        attempts: 1,
        patience: Duration::from_secs(5),
        read_timeout: Duration::from_secs(60),
        floor: Floor { bytes_per_second: 1000, window: Duration::from_secs(60) },
        // Tests count what is asked; those of the short way say so.
        data_plane: DataPlane::Sdk,
    }
}

/// A connection with made-up credentials and no look at this machine's settings.
pub(crate) async fn connect(url: &str, tuning: Tuning) -> Aws {
    connect_with(url, tuning, None).await
}

/// Each look for credentials finds the next access key: `AKID1`, `AKID2`, ….
pub(crate) async fn connect_with(url: &str, tuning: Tuning, max_connections: Option<u32>) -> Aws {
    let (url, looked) = (url.to_owned(), AtomicU32::new(0));
    let load: Load = Box::new(move || {
        let key = format!("AKID{}", 1 + looked.fetch_add(1, Ordering::Relaxed));
        let credentials = Credentials::new(key, "secret", None, None, "test");
        let sdk = SdkConfig::builder()
            .behavior_version(aws_config::BehaviorVersion::v2026_01_12())
            .region(aws_config::Region::new("us-east-1"))
            .endpoint_url(&url)
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(http_client())
            .retry_config(retry_config(tuning))
            .timeout_config(timeout_config(tuning))
            .build();
        Box::pin(std::future::ready(sdk))
    });
    Aws::with(load, max_connections, tuning).await
}

pub(crate) fn bucket_of(aws: &Aws) -> Bucket {
    let owner = AccountId::new("123456789012").expect("twelve digits");
    aws.bucket(&BucketName::from("photos"), "us-east-1", &owner)
}

/// A whole answer with its right length.
pub(crate) fn answer(status: &str, headers: &str, body: impl AsRef<[u8]>) -> Canned {
    let body = body.as_ref();
    Canned::Bytes(head_and(&format!("{status}\r\nContent-Length: {}{headers}", body.len()), body))
}

/// A status line with headers as they stand, and a body as it stands.
pub(crate) fn head_and(head: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n").into_bytes();
    bytes.extend_from_slice(body);
    bytes
}
